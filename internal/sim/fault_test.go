package sim

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
)

// fault is an error put into the service, to show that the simulation finds it.
type fault struct {
	options func(*service.Options)               // nil leaves them
	apply   func(store.Tx) store.Tx              // nil: writes are as they should be
	read    func(store.Reader) store.Reader      // nil: reads are as they should be
	wait    func(wait func() error) func() error // nil: durable means durable
	limit   int                                  // the rate limit that the book expects, if it differs from the real one
}

// The simulation finds each of these within a few seeds.
func TestFaultsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and one goroutine")
	}
	for name, test := range map[string]struct {
		fault
		what string // part of what is said
	}{
		"an alarm is lost": {fault{apply: func(tx store.Tx) store.Tx {
			return faultyTx{Tx: tx, put: func(table store.Table, key string) bool { return table != "alarm" || !strings.HasSuffix(key, "3") }}
		}}, ""},
		"a timer never fires": {fault{read: func(r store.Reader) store.Reader { return deaf{r} }}, "timed out"},
		"a thing is given a job twice": {fault{apply: func(tx store.Tx) store.Tx {
			return faultyTx{Tx: tx, change: func(before, after *muster.Execution) {
				tx.Change(before, after)
				if before == nil && after.Number == 1 && strings.HasSuffix(string(after.Thing), "5") {
					twin := *after
					twin.Number = 2
					tx.Change(nil, &twin)
				}
			}}
		}}, "twice at a time"},
		"the rate is exceeded by one":                  {fault{options: func(o *service.Options) { o.RolloutPerMinute = 6 }, limit: 5}, "above its rate"},
		"a small job is not there when it is answered": {fault{options: func(o *service.Options) { o.Limits.ConcurrentJobs = 1 }}, "was answered"},
		"an acknowledged write is lost": {fault{wait: func(func() error) func() error {
			return func() error { return nil }
		}}, ""},
		"a report is acknowledged and not stored": {fault{apply: func(tx store.Tx) store.Tx {
			return faultyTx{Tx: tx, change: func(before, after *muster.Execution) {
				if after == nil || after.Status != muster.Succeeded {
					tx.Change(before, after)
				}
			}}
		}}, ""},
		"a version stands still": {fault{apply: func(tx store.Tx) store.Tx {
			return faultyTx{Tx: tx, change: func(before, after *muster.Execution) {
				if before != nil && after != nil {
					still := *after
					still.Version = before.Version
					after = &still
				}
				tx.Change(before, after)
			}}
		}}, "version"},
		"a cancelled job is not stored": {fault{apply: func(tx store.Tx) store.Tx {
			return faultyTx{Tx: tx, put: func(table store.Table, key string) bool {
				return table != jobTable.Table || !strings.HasSuffix(key, "3")
			}}
		}}, ""},
		"a notification is lost": {fault{options: func(o *service.Options) {
			o.Audience = &forgetful{Audience: o.Audience}
		}}, "was told"},
		"the counters drift":      {fault{read: func(r store.Reader) store.Reader { return drifting{r} }}, "counts"},
		"REJECTED is let through": {fault{options: func(o *service.Options) { o.StrictTransitions = !o.StrictTransitions }}, "UpdateExecution"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(20) {
				if _, found := play(t, course{seed: 1 + seed, steps: 3000, fault: &test.fault}); found != nil {
					if !strings.Contains(found.what, test.what) {
						t.Errorf("found %q, want something about %q", found.what, test.what)
					}
					return
				}
			}
			t.Error("not found in 20 seeds")
		})
	}
}

// on puts the fault between a service and its store.
func (f *fault) on(o service.Options) service.Options {
	if f.options != nil {
		f.options(&o)
	}
	o.Store = faultyStore{o.Store, f}
	return o
}

type faultyStore struct {
	store.Store
	f *fault
}

func (s faultyStore) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.Store.View(ctx, func(r store.Reader) error {
		if s.f.read != nil {
			r = s.f.read(r)
		}
		return fn(r)
	})
}

func (s faultyStore) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	wait, err := s.Store.Apply(ctx, func(tx store.Tx) error {
		if s.f.apply != nil {
			tx = s.f.apply(tx)
		}
		return fn(tx)
	})
	if err == nil && s.f.wait != nil {
		wait = s.f.wait(wait)
	}
	return wait, err
}

// faultyTx changes what is written; a nil function leaves it.
type faultyTx struct {
	store.Tx
	change func(before, after *muster.Execution)
	put    func(table store.Table, key string) bool // whether to write it
}

func (tx faultyTx) Change(before, after *muster.Execution) {
	if tx.change == nil {
		tx.Tx.Change(before, after)
		return
	}
	tx.change(before, after)
}

func (tx faultyTx) Put(table store.Table, key string, value []byte) {
	if tx.put == nil || tx.put(table, key) {
		tx.Tx.Put(table, key, value)
	}
}

// deaf is a Reader without the timers of some things.
type deaf struct{ store.Reader }

func (r deaf) Timers(until muster.Instant) iter.Seq2[store.Timer, error] {
	return func(yield func(store.Timer, error) bool) {
		for t, err := range r.Reader.Timers(until) {
			if !strings.HasSuffix(string(t.Thing), "2") && !yield(t, err) {
				return
			}
		}
	}
}

// drifting is a Reader whose counts are too high by one.
type drifting struct{ store.Reader }

func (r drifting) Counts(ids ...muster.JobID) ([]muster.Counts, error) {
	all, err := r.Reader.Counts(ids...)
	for i, c := range all {
		if slices.Max(c[:]) > 2 {
			all[i][0]++
		}
	}
	return all, err
}

// forgetful passes on all notifications but every fiftieth hand-over.
type forgetful struct {
	jobs.Audience
	n int
}

func (a *forgetful) Notify(all []jobs.Notification) {
	if a.n++; a.n%50 != 0 {
		a.Audience.Notify(all)
	}
}
