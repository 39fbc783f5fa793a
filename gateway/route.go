package gateway

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-iot/muster/gateway/topic"
)

// matches are lists of matched subscriptions, kept for the next publish.
var matches = sync.Pool{New: func() any { return new([]*subscription) }}

// route sends m to its subscribers and returns a commit to wait for if some of them need it stored, or if it is retained. from is
// the publishing session, nil for the service.
func (s *Server) route(m *message, qos byte, retain bool, from *session) (wait *commit) {
	if retain {
		wait = s.retained.keep(m, qos, time.Now())
	}
	list := matches.Get().(*[]*subscription)
	matched, filters := s.index.match((*list)[:0], m.topic)
	matched, shared := chooseShared(matched)
	if filters > 1 || shared {
		slices.SortFunc(matched, func(a, b *subscription) int { return cmp.Compare(a.session.serial, b.session.serial) })
	}
	for i := 0; i < len(matched); {
		to, n := matched[i].session, 1
		for i+n < len(matched) && matched[i+n].session == to {
			n++
		}
		if w := to.deliver(m, matched[i:i+n], qos, retain, to == from); w != nil {
			wait = w // the last one: batches are written in order
		}
		i += n
	}
	clear(matched)
	*list = matched[:0]
	matches.Put(list)
	return wait
}

// Wanted reports whether any session, connected or kept, is subscribed to the topic called name. It saves its caller making a message
// that has no receiver.
func (s *Server) Wanted(name string) bool {
	if s.index.events.Load() == 0 && strings.HasPrefix(name, eventTopics) { // each connection asks for several
		return false
	}
	list := matches.Get().(*[]*subscription)
	matched, filters := s.index.match((*list)[:0], name)
	clear(matched)
	*list = matched[:0]
	matches.Put(list)
	return filters > 0
}

// Kept reports whether a session that outlives its connection is subscribed to the topic called name, and sessions outlive
// the process. A message for such a session must not be forgotten before it is stored.
func (s *Server) Kept(name string) bool {
	if s.o.Sessions == nil {
		return false
	}
	list := matches.Get().(*[]*subscription)
	matched, _ := s.index.match((*list)[:0], name)
	kept := slices.ContainsFunc(matched, func(sub *subscription) bool {
		sub.session.mu.Lock()
		defer sub.session.mu.Unlock()
		return sub.session.persistent()
	})
	clear(matched)
	*list = matched[:0]
	matches.Put(list)
	return kept
}

// chooseShared leaves of each shared subscription one member: a random one of those connected, else of all (MQ-46).
func chooseShared(matched []*subscription) (chosen []*subscription, any bool) {
	any = slices.ContainsFunc(matched, func(sub *subscription) bool { return topic.Reserved(sub.filter) && isShared(sub) })
	if !any {
		return matched, false
	}
	groups := map[string][]*subscription{}
	chosen = matched[:0]
	for _, sub := range matched {
		if isShared(sub) {
			groups[sub.filter] = append(groups[sub.filter], sub)
		} else {
			chosen = append(chosen, sub)
		}
	}
	for _, group := range groups {
		here := slices.DeleteFunc(slices.Clone(group), func(sub *subscription) bool { return sub.session.away.Load() })
		if len(here) > 0 {
			group = here
		}
		chosen = append(chosen, group[rand.IntN(len(group))])
	}
	return chosen, true
}

func isShared(sub *subscription) bool {
	_, _, shared := topic.Share(sub.filter)
	return shared
}
