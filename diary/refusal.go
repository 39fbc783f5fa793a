package diary

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"slices"
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// Limits of the refusals that are stored, and of those that are gathered at a time. Strangers can make up any number, so
// they have a part of them only. The oldest go first, some at once so that few are looked for among all.
const (
	refusalsMax         = 10_000
	strangersMax        = 1_000
	gatheredMax         = 2048
	gatheredOfStrangers = 256
	refusalsTrim        = 500
	strangersTrim       = 100
)

// Names of counts (store.Tally): of all refusals that are stored, and of those of strangers.
const (
	refusalTally  = "refusals"
	strangerTally = "refusals-of-strangers"
)

// Refusal is what a principal was refused, and how often. The names of its fields are stored.
type Refusal struct {
	At        muster.Instant   // the last time
	First     muster.Instant   // the first time of those that are counted
	Count     int              // how often
	Principal string           // the id of a certificate, or the ARN of a key; empty for none
	Stranger  bool             `json:",omitempty"` // it is no certificate that is known here and active, and no key
	Thing     muster.ThingName `json:",omitempty"` // that the certificate is attached to
	ClientID  string           `json:",omitempty"`
	Action    string           // such as iot:Connect
	Resource  string           // without the ARN's head, such as client/lamp
	Why       string           `json:",omitempty"` // in words
	Policy    string           `json:",omitempty"` // whose statement denies it; empty if none allows it, or if it is not for policies
	Statement string           `json:",omitempty"` // its Sid, or # and its position from 0
}

// refusalKey is what is counted as one refusal.
type refusalKey struct{ principal, action, resource string }

// id returns the key of the refusal in its table.
func (f *Refusal) id() string {
	h := sha256.Sum256([]byte(store.JoinKey(f.Principal, f.Action, f.Resource)))
	return hex.EncodeToString(h[:16])
}

// latestKey returns the key of the refusal in the table of the latest: so much of it that lists need to read only those
// that they show.
func (f *Refusal) latestKey() string {
	class := "known"
	if f.Stranger {
		class = "stranger"
	}
	return store.JoinKey(store.LatestKey(f.At), f.id(), class, string(f.Thing), string(thingIn(f.Resource)), f.Principal)
}

// latestRow is what a key of that table says.
type latestRow struct {
	id        string
	stranger  bool
	thing     string
	named     string // by the resource
	principal string
}

func latestIn(key string) (row latestRow, ok bool) {
	parts := store.SplitKey(key)
	if len(parts) != 6 {
		return row, false
	}
	return latestRow{parts[1], parts[2] == "stranger", parts[3], parts[4], parts[5]}, true
}

// with returns the refusal with an older one of the same.
func (f Refusal) with(older Refusal) Refusal {
	if older.At > f.At {
		older, f = f, older
	}
	f.First = min(f.First, older.First)
	f.Count = min(f.Count+older.Count, countMax)
	return f
}

// refusals gathers them.
type refusals struct {
	mu        sync.Mutex
	waiting   map[refusalKey]*Refusal
	strangers int // of waiting
	writing   []Refusal
	lost      int
}

// Refuse notes that somebody was refused something. At, First and Count are filled in.
func (r *Recorder) Refuse(f Refusal) {
	f.At, f.Count = r.o.Now(), 1
	f.First = f.At
	f.ClientID, f.Resource, f.Why = clip(plain(f.ClientID), textMax), clip(plain(f.Resource), textMax), clip(plain(f.Why), textMax)
	r.refusals.add(f)
}

func (s *refusals) add(f Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := refusalKey{f.Principal, f.Action, f.Resource}
	if known := s.waiting[key]; known != nil {
		*known = f.with(*known)
		return
	}
	if len(s.waiting) >= gatheredMax || f.Stranger && s.strangers >= gatheredOfStrangers {
		s.lost++
		return
	}
	if f.Stranger {
		s.strangers++
	}
	s.waiting[key] = &f
}

// refusalSteps returns the steps that write what was gathered.
func (r *Recorder) refusalSteps() (steps []func(*commit.Tx) error) {
	s := &r.refusals
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost > 0 {
		r.o.Log.Warn("some refusals are not listed", "lost", s.lost)
	}
	for _, f := range s.waiting {
		s.writing = append(s.writing, *f)
	}
	s.waiting, s.strangers, s.lost = map[refusalKey]*Refusal{}, 0, 0
	for some := range slices.Chunk(s.writing, stepMax) {
		steps = append(steps, func(tx *commit.Tx) error { return recordRefusals(tx, some) })
	}
	return steps
}

// written ends the writing. If it failed, it is done again the next time.
func (s *refusals) written(ok bool) {
	s.mu.Lock()
	writing := s.writing
	s.writing = nil
	s.mu.Unlock()
	if !ok {
		for _, f := range writing {
			s.add(f)
		}
	}
}

// recordRefusals writes some refusals, each of them another.
func recordRefusals(tx *commit.Tx, some []Refusal) error {
	tx.PrefetchFar(func(w *commit.Wants) {
		w.Record(store.Tallies.Table, refusalTally)
		w.Record(store.Tallies.Table, strangerTally)
		for _, f := range some {
			w.Record(tables.refusals.Table, f.id())
		}
	})
	before, err := refusalCounts(tx)
	if err != nil {
		return err
	}
	after := before
	for _, f := range some {
		old, err := tables.refusals.Get(tx, f.id())
		if err != nil {
			return err
		}
		if old != nil {
			tables.latest.Delete(tx, old.latestKey())
			after.add(old.Stranger, -1)
			f = f.with(*old)
		}
		tables.refusals.Put(tx, f.id(), f)
		tables.latest.Put(tx, f.latestKey(), store.Link{})
		after.add(f.Stranger, +1)
	}
	if after.all > refusalsMax || after.strangers > strangersMax {
		if after, err = trim(tx); err != nil {
			return err
		}
	}
	if after.all != before.all {
		store.Tallies.Put(tx, refusalTally, after.all)
	}
	if after.strangers != before.strangers {
		store.Tallies.Put(tx, strangerTally, after.strangers)
	}
	return nil
}

// counts are how many refusals there are.
type counts struct{ all, strangers int }

func (c *counts) add(stranger bool, n int) {
	c.all += n
	if stranger {
		c.strangers += n
	}
}

func refusalCounts(r store.Reader) (c counts, err error) {
	if c.all, err = store.Tally(r, refusalTally); err == nil {
		c.strangers, err = store.Tally(r, strangerTally)
	}
	return c, err
}

// trim removes the oldest refusals, more of them than too many, and returns how many are left.
func trim(tx *commit.Tx) (left counts, err error) {
	for row, err := range tx.Scan(tables.latest.Table, "", "") {
		if err != nil {
			return left, err
		}
		at, ok := latestIn(row.Key)
		if ok && left.all < refusalsMax-refusalsTrim && (!at.stranger || left.strangers < strangersMax-strangersTrim) {
			left.add(at.stranger, +1)
			continue
		}
		tables.latest.Delete(tx, row.Key)
		tables.refusals.Delete(tx, at.id)
	}
	return left, nil
}

// RefusalFilter chooses refusals; its zero fields choose all.
type RefusalFilter struct {
	Thing     muster.ThingName // that the certificate is attached to, or that the resource names
	Principal string
}

// Refusals returns a page of the refusals that are stored, the last first, and the token of the next page, "" on the last. It
// fails with Invalid.
func (r *Recorder) Refusals(ctx context.Context, filter RefusalFilter, p listing.Page) ([]Refusal, string, error) {
	l, err := r.o.Pages.Begin(p, tables.latest.Table, filter.Thing, filter.Principal)
	if err != nil {
		return nil, "", err
	}
	var page []Refusal
	next := ""
	err = r.o.Commits.View(ctx, func(s store.Reader) error {
		rows := listing.Ahead(l, s, filter.rows(s, l.From("")), func(w *commit.Wants, row store.Row[latestRow]) {
			w.Record(tables.refusals.Table, row.Value.id)
		})
		page, next, err = listing.Fill(l, rows, func(row store.Row[latestRow]) (Refusal, bool, error) {
			f, err := tables.refusals.Get(s, row.Value.id)
			if err != nil || f == nil {
				return Refusal{}, false, err
			}
			return *f, true, nil
		})
		return err
	})
	return page, next, err
}

// rows yields the rows of the refusals that the filter chooses.
func (f RefusalFilter) rows(r store.Reader, from string) iter.Seq2[store.Row[latestRow], error] {
	return func(yield func(store.Row[latestRow], error) bool) {
		for rec, err := range r.Scan(tables.latest.Table, from, "") {
			at, ok := latestIn(rec.Key)
			if err == nil && (!ok ||
				f.Thing != "" && at.thing != string(f.Thing) && at.named != string(f.Thing) ||
				f.Principal != "" && at.principal != f.Principal) {
				continue
			}
			if !yield(store.Row[latestRow]{Key: rec.Key, Value: at}, err) || err != nil {
				return
			}
		}
	}
}
