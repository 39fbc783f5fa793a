package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// RunLaned fails t unless the stores that open returns keep every promise of store.Store,
// with Apply and with ApplyIn of one lane, and those of store.Laned. Use it like Run; open
// should return stores of two lanes or more.
func RunLaned(t *testing.T, open func(*testing.T) store.Laned) {
	Run(t, func(t *testing.T) store.Store { return open(t) })
	t.Run("one lane", func(t *testing.T) {
		Run(t, func(t *testing.T) store.Store { s := open(t); return oneLane{s, s.Lanes() - 1} })
	})
	t.Run("several lanes", func(t *testing.T) {
		for _, p := range lanePromises() {
			t.Run(p.name, func(t *testing.T) {
				s := open(t)
				t.Cleanup(func() { _ = s.Close() })
				if s.Lanes() < 2 {
					t.Skipf("the store has %d lanes", s.Lanes())
				}
				p.test(t, s)
			})
		}
	})
}

// oneLane is a lane as a store of its own.
type oneLane struct {
	store.Laned
	lane int
}

func (s oneLane) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return s.ApplyIn(ctx, s.lane, fn)
}

func (s oneLane) Scattered() bool { return scattered(s.Laned) }

func (s oneLane) Shared() bool { return isShared(s.Laned) }

type lanePromise struct {
	name string
	test func(*testing.T, store.Laned)
}

func lanePromises() []lanePromise {
	return []lanePromise{
		{"of two transactions that write the same, the later one is refused", secondWriterIsRefused},
		{"what others apply meanwhile is not seen", laneIsASnapshot},
		{"what a lane or Apply has applied is seen by all that begins later", lanesSeeEachOther},
		{"what a transaction reads again shows what others applied meanwhile", func(t *testing.T, s store.Laned) {
			each(t, s, func(t *testing.T, late, early way) {
				mine, others := queued("pump", muster.JobID("job-"+late.name[:1]+early.name[:1]), 1, 10), queued("lamp", "", 1, 10)
				others.Job = mine.Job
				var shown []string
				var is bool
				err := late.overlapped(t, func(tx store.Tx) { must[[]byte](t)(tx.Get(table, "none")) }, func(tx store.Tx) {
					tx.Change(nil, &mine)
					tx.Put(table, "mine", []byte("mine"))
					again, ok := tx.(store.Rereader)
					if is = ok; !ok {
						return
					}
					again.Reread(store.Wanted{}, func(store.Reader) { t.Error("the earlier function is called, too") })
					again.Reread(store.Wanted{Counts: []muster.JobID{mine.Job}, Records: []store.RecordKey{{Table: table, Key: "mine"}, {Table: table, Key: "others"}}}, func(r store.Reader) {
						counts, err := store.CountsOf(r, mine.Job)
						own, errOwn := r.Get(table, "mine")
						other, errOther := r.Get(table, "others")
						shown = append(shown, fmt.Sprint(counts.Of(muster.Queued), string(own), string(other), errors.Join(err, errOwn, errOther)))
					})
				}, func() {
					early.durably(t, func(tx store.Tx) {
						tx.Change(nil, &others)
						tx.Put(table, "others", []byte("others"))
					})
				})
				if err != nil {
					t.Fatal(err)
				}
				if !is {
					t.Skip("transactions do not read again")
				}
				expect(t, "what is read again", shown, []string{fmt.Sprint(2, "mine", "others", nil)})
				update(t, s, func(tx store.Tx) {
					tx.Delete(table, "mine")
					tx.Delete(table, "others")
				})
			})
		}},
		{"transactions of different things pass each other", lanesPass},
		{"transactions of all lanes and of Apply add up", lanesAddUp},
		{"transactions of Apply are serializable", applyIsSerializable},
	}
}

// way is a lane or Apply.
type way struct {
	name  string
	apply func(context.Context, func(store.Tx) error) (func() error, error)
}

func waysOf(s store.Laned) (lanes []way, wide way) {
	for lane := range s.Lanes() {
		lanes = append(lanes, way{fmt.Sprint("lane ", lane), func(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
			return s.ApplyIn(ctx, lane, fn)
		}})
	}
	return lanes, way{"Apply", s.Apply}
}

// durably runs fn and waits, as update does.
func (w way) durably(t *testing.T, fn func(store.Tx)) {
	t.Helper()
	wait, err := w.apply(context.Background(), func(tx store.Tx) error { fn(tx); return nil })
	for n := 0; errors.Is(err, store.ErrAgain) && n < 100; n++ {
		wait, err = w.apply(context.Background(), func(tx store.Tx) error { fn(tx); return nil })
	}
	if err == nil {
		err = wait()
	}
	if err != nil {
		t.Errorf("%s = %v", w.name, err)
	}
}

// overlapped begins a transaction of w, runs meanwhile when that has read, and returns
// the error of the transaction, which writes then.
func (w way) overlapped(t *testing.T, read, write func(store.Tx), meanwhile func()) error {
	t.Helper()
	wait, err := w.apply(context.Background(), func(tx store.Tx) error {
		read(tx)
		meanwhile()
		write(tx)
		return nil
	})
	if err == nil {
		err = wait()
	}
	return err
}

// each calls test for a transaction of the first way that begins before one of the second
// and ends after it.
func each(t *testing.T, s store.Laned, test func(t *testing.T, late, early way)) {
	lanes, wide := waysOf(s)
	for _, pair := range [][2]way{{lanes[0], lanes[1]}, {lanes[0], wide}, {wide, lanes[1]}} {
		t.Run(pair[0].name+" and "+pair[1].name, func(t *testing.T) { test(t, pair[0], pair[1]) })
	}
}

// secondWriterIsRefused writes each kind of thing in each way, also where nothing is
// there or nothing is left.
func secondWriterIsRefused(t *testing.T, s store.Laned) {
	stored := queued("pump", "job", 1, 10)
	key := store.QueueKey{Thing: "pump"}
	queue := muster.Queue{Thing: "pump"}.With(stored)
	putQueue := func(rev int64, q muster.Queue) func(store.Tx) {
		q.Rev = rev
		return func(tx store.Tx) { tx.PutQueue(q) }
	}
	started, canceled := with(stored, muster.InProgress), with(stored, muster.Canceled)
	kinds := map[string]struct{ before, late, early func(store.Tx) }{
		"queue written twice":            {putQueue(1, queue), putQueue(2, queue), putQueue(2, queue)},
		"queue created twice":            {nil, putQueue(1, queue), putQueue(1, queue)},
		"queue written and removed":      {putQueue(1, queue), putQueue(2, queue), putQueue(2, muster.Queue{Thing: "pump"})},
		"queue removed and written":      {putQueue(1, queue), putQueue(2, muster.Queue{Thing: "pump"}), putQueue(2, queue)},
		"execution changed twice":        {change(nil, &stored), change(&stored, &started), change(&stored, &canceled)},
		"execution created twice":        {nil, change(nil, &stored), change(nil, &stored)},
		"execution changed, and deleted": {change(nil, &stored), change(&stored, &started), change(&stored, nil)},
		"execution deleted, and changed": {change(nil, &stored), change(&stored, nil), change(&stored, &started)},
		"record written twice":           {putRecord("1"), putRecord("2"), putRecord("3")},
		"record created twice":           {nil, putRecord("1"), putRecord("1")},
		"record written and deleted":     {putRecord("1"), putRecord("2"), removeRecord},
		"record deleted and written":     {putRecord("1"), removeRecord, putRecord("2")},
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			each(t, s, func(t *testing.T, late, early way) {
				update(t, s, func(tx store.Tx) {
					for _, e := range list(t, tx.AllExecutions(), 0) {
						tx.Change(&e, nil)
					}
					tx.PutQueue(muster.Queue{Thing: "pump"})
					tx.Delete(table, "k")
					if kind.before != nil {
						kind.before(tx)
					}
				})
				read := func(tx store.Tx) {
					_, err := tx.Queues(key)
					if _, again := tx.Executions(store.Key(stored)); again != nil {
						err = again
					}
					if _, again := tx.Get(table, "k"); again != nil {
						err = again
					}
					if err != nil {
						t.Errorf("a read of a snapshot fails: %v", err)
					}
				}
				err := late.overlapped(t, read, kind.late, func() { early.durably(t, kind.early) })
				if !errors.Is(err, store.ErrAgain) {
					t.Errorf("the later one = %v, want %v", err, store.ErrAgain)
				}
			})
		})
	}
}

func change(before, after *muster.Execution) func(store.Tx) {
	return func(tx store.Tx) { tx.Change(before, after) }
}

func putRecord(value string) func(store.Tx) {
	return func(tx store.Tx) { tx.Put(table, "k", []byte(value)) }
}

func removeRecord(tx store.Tx) { tx.Delete(table, "k") }

func laneIsASnapshot(t *testing.T, s store.Laned) {
	each(t, s, func(t *testing.T, late, early way) {
		first := queued("pump", muster.JobID("job-"+late.name[:1]+early.name[:1]), 1, 10)
		shown := func(tx store.Tx, when string) {
			expect(t, "Counts() "+when, must[muster.Counts](t)(store.CountsOf(tx, first.Job)), muster.Counts{}.Add(muster.Queued, 1))
			expect(t, "Executions() "+when, values(must[[]*muster.Execution](t)(tx.Executions(store.Key(first)))...), values(&first))
			expect(t, "Get() "+when, must[[]byte](t)(tx.Get(table, "k")), []byte("before"))
		}
		update(t, s, func(tx store.Tx) { tx.Change(nil, &first); putRecord("before")(tx) })
		err := late.overlapped(t, func(tx store.Tx) { shown(tx, "before") }, func(tx store.Tx) { shown(tx, "after") }, func() {
			early.durably(t, func(tx store.Tx) {
				canceled := with(first, muster.Canceled)
				tx.Change(&first, &canceled)
				putRecord("after")(tx)
			})
		})
		if err != nil && !errors.Is(err, store.ErrAgain) { // Apply may refuse what has read something old
			t.Errorf("a transaction that only reads = %v", err)
		}
	})
}

func lanesSeeEachOther(t *testing.T, s store.Laned) {
	lanes, wide := waysOf(s)
	ways := append(lanes, wide, lanes[0], wide)
	for i, w := range ways {
		w.durably(t, func(tx store.Tx) {
			if i > 0 {
				expect(t, w.name+": Get()", must[[]byte](t)(tx.Get(table, "k")), fmt.Append(nil, i-1))
			}
			tx.Put(table, "k", fmt.Append(nil, i))
		})
	}
	view(t, s, func(r store.Reader) {
		expect(t, "Get() in a view", must[[]byte](t)(r.Get(table, "k")), fmt.Append(nil, len(ways)-1))
	})
}

func lanesPass(t *testing.T, s store.Laned) {
	lanes, _ := waysOf(s)
	pump, lamp := queued("pump", "job", 1, 10), queued("lamp", "job", 1, 10)
	write := func(x muster.Execution) func(store.Tx) {
		return func(tx store.Tx) {
			tx.PutQueue(muster.Queue{Thing: x.Thing, Rev: 1}.With(x))
			tx.Change(nil, &x)
		}
	}
	if err := lanes[0].overlapped(t, func(store.Tx) {}, write(pump), func() { lanes[1].durably(t, write(lamp)) }); err != nil {
		t.Errorf("the later one = %v", err)
	}
	view(t, s, func(r store.Reader) {
		expect(t, "Counts()", must[muster.Counts](t)(store.CountsOf(r, "job")), muster.Counts{}.Add(muster.Queued, 2))
	})
	verify(t, s)
}

// lanesAddUp increments counters that all share, and gives things executions of one job.
func lanesAddUp(t *testing.T, s store.Laned) {
	const rounds = 10
	lanes, wide := waysOf(s)
	ways := append(lanes, wide)
	var all sync.WaitGroup
	for i, w := range ways {
		thing := muster.ThingName(fmt.Sprint("thing-", i))
		all.Go(func() {
			for n := range int64(rounds) {
				w.durably(t, func(tx store.Tx) {
					x := queued(thing, "job", n+1, 10)
					tx.Change(nil, &x)
					known, err := tx.Get(table, "sum")
					if err == nil {
						tx.Put(table, "sum", append(known, 'x'))
					}
				})
			}
		})
	}
	all.Wait()
	view(t, s, func(r store.Reader) {
		expect(t, "the sum", len(must[[]byte](t)(r.Get(table, "sum"))), rounds*len(ways))
		expect(t, "Counts()", must[muster.Counts](t)(store.CountsOf(r, "job")).Total(), rounds*len(ways))
	})
}

// applyIsSerializable lets pairs of transactions each read what the other writes. In
// either order the second one sees what the first one wrote.
func applyIsSerializable(t *testing.T, s store.Laned) {
	for round := range 20 {
		keys := [2]string{fmt.Sprint("a", round), fmt.Sprint("b", round)}
		var all sync.WaitGroup
		for i := range keys {
			all.Go(func() {
				way{"Apply", s.Apply}.durably(t, func(tx store.Tx) {
					other, err := tx.Get(table, keys[1-i])
					if err == nil && other == nil {
						tx.Put(table, keys[i], []byte("first"))
					}
				})
			})
		}
		all.Wait()
		view(t, s, func(r store.Reader) {
			a, b := must[[]byte](t)(r.Get(table, keys[0])), must[[]byte](t)(r.Get(table, keys[1]))
			if (a == nil) == (b == nil) {
				t.Errorf("both were the first, or neither: %q and %q", a, b)
			}
		})
	}
}
