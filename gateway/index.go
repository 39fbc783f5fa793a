package gateway

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/muster-iot/muster/gateway/topic"
)

// index finds the subscriptions whose filters match a topic.
//
// It is one flat map from the filter's text to its subscriptions, which are a list by links of their own, not a tree: a filter costs
// one map entry however deep it is.
// A topic is looked up once as it stands and once for each shape of wildcard filter in use, where the shape says which
// levels are "+" and whether a "#" follows. Fleets use a handful of shapes; with at most 8 levels there can never be
// more than a thousand, of which 511 fit one topic.
type index struct {
	parent bool // "a/#" matches "a" (MQ-39)
	seed   maphash.Seed
	shards [64]indexShard

	shapes   atomic.Pointer[[]shape] // the shapes in use; replaced, never changed
	counting sync.Mutex              // guards counts and the replacement of shapes
	counts   map[shape]int           // filters of each shape
	size     atomic.Int64            // subscriptions
	events   atomic.Int64            // those of them that match topics of events
}

// eventTopics is what the topics of events begin with. A filter that matches one does, too: maySubscribe refuses wildcards there.
const eventTopics = "$aws/events/"

type indexShard struct {
	mu      sync.RWMutex             // a leaf: nothing is locked under it; guards what follows and the links of subscriptions
	filters map[string]*subscription // the newest to each filter, by which the others are found
}

// shape is what kind of wildcard filter one is.
type shape struct {
	levels uint8  // before the "#", if any
	plus   uint16 // bit i: level i is "+"
	hash   bool   // ends with "#"
}

func (s shape) wild() bool { return s.plus != 0 || s.hash }

func shapeOf(filter string) (s shape) {
	for level := range strings.SplitSeq(filter, "/") {
		switch level {
		case "#":
			s.hash = true
			return s
		case "+":
			s.plus |= 1 << s.levels
		}
		s.levels++
	}
	return s
}

func newIndex(parent bool) *index {
	x := &index{parent: parent, seed: maphash.MakeSeed(), counts: map[shape]int{}}
	x.shapes.Store(&[]shape{})
	for i := range x.shards {
		x.shards[i].filters = map[string]*subscription{}
	}
	return x
}

func (x *index) shard(filter string) *indexShard {
	return &x.shards[maphash.String(x.seed, filter)%uint64(len(x.shards))]
}

// add adds a subscription, which must not be in an index yet.
func (x *index) add(sub *subscription) {
	_, filter, _ := topic.Share(sub.filter)
	if strings.HasPrefix(filter, eventTopics) {
		x.events.Add(1)
	}
	x.count(shapeOf(filter), +1) // before the filter can be found, so that it is never missed
	sh := x.shard(filter)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sub.older = sh.filters[filter]; sub.older != nil {
		sub.older.newer = sub
	}
	sh.filters[filter] = sub
	x.size.Add(1)
}

// remove removes a subscription that add added.
func (x *index) remove(sub *subscription) {
	_, filter, _ := topic.Share(sub.filter)
	sh := x.shard(filter)
	sh.mu.Lock()
	switch {
	case sub.newer != nil:
		sub.newer.older = sub.older
	case sub.older != nil:
		sh.filters[filter] = sub.older
	default:
		delete(sh.filters, filter)
	}
	if sub.older != nil {
		sub.older.newer = sub.newer
	}
	sub.older, sub.newer = nil, nil
	sh.mu.Unlock()
	x.size.Add(-1)
	x.count(shapeOf(filter), -1)
	if strings.HasPrefix(filter, eventTopics) {
		x.events.Add(-1)
	}
}

// count keeps the list of shapes in use.
func (x *index) count(s shape, change int) {
	if !s.wild() {
		return
	}
	x.counting.Lock()
	defer x.counting.Unlock()
	before := x.counts[s]
	x.counts[s] = before + change
	if before != 0 && before+change != 0 {
		return
	}
	if before+change == 0 {
		delete(x.counts, s)
	}
	shapes := make([]shape, 0, len(x.counts))
	for s := range x.counts {
		shapes = append(shapes, s)
	}
	x.shapes.Store(&shapes)
}

// match appends to dst the subscriptions whose filters match name. filters is how many different filters they have;
// within one filter no session comes twice, shares apart.
func (x *index) match(dst []*subscription, name string) (matched []*subscription, filters int) {
	x.walk(name, func(newest *subscription) (more bool) {
		for sub := newest; sub != nil; sub = sub.older {
			dst = append(dst, sub)
		}
		filters++
		return true
	})
	return dst, filters
}

// matches reports whether there is a subscription whose filter matches name.
func (x *index) matches(name string) (found bool) {
	x.walk(name, func(*subscription) (more bool) {
		found = true
		return false
	})
	return found
}

// walk calls visit with the newest subscription to each filter that matches name, until it returns false. The links of
// these subscriptions do not change during the call.
func (x *index) walk(name string, visit func(newest *subscription) (more bool)) {
	var space [topic.BytesMax + 8]byte
	candidate := append(space[:0], name...)
	if !x.visit(candidate, visit) {
		return
	}
	levels := strings.Count(name, "/") + 1
	for _, s := range *x.shapes.Load() {
		if x.fits(s, levels) && !(topic.Reserved(name) && s.startsWild()) && !x.visit(s.filterFor(candidate[:0], name), visit) {
			return
		}
	}
}

// visit is walk for one filter, which may have no subscription.
func (x *index) visit(filter []byte, visit func(newest *subscription) (more bool)) (more bool) {
	sh := &x.shards[maphash.Bytes(x.seed, filter)%uint64(len(x.shards))]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	newest := sh.filters[string(filter)]
	return newest == nil || visit(newest)
}

// fits reports whether filters of shape s can match a name of that many levels.
func (x *index) fits(s shape, levels int) bool {
	n := int(s.levels)
	return n == levels && (!s.hash || x.parent) || n < levels && s.hash
}

func (s shape) startsWild() bool { return s.plus&1 != 0 || s.levels == 0 }

// filterFor appends the one filter of shape s that matches name.
func (s shape) filterFor(dst []byte, name string) []byte {
	for i := range s.levels {
		level, rest, _ := strings.Cut(name, "/")
		name = rest
		if i > 0 {
			dst = append(dst, '/')
		}
		if s.plus&(1<<i) != 0 {
			level = "+"
		}
		dst = append(dst, level...)
	}
	if s.hash {
		if s.levels > 0 {
			dst = append(dst, '/')
		}
		dst = append(dst, '#')
	}
	return dst
}
