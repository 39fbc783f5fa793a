package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// RunShared fails t unless the stores that open returns keep every promise of store.Store, and
// those of store.Laned and store.Shared between handles. open returns a function of which each call returns
// another handle on one store, as another process would open it; the store is empty at
// first. Each subtest closes the handles.
func RunShared(t *testing.T, open func(*testing.T) (join func() store.Shared)) {
	t.Run("one handle", func(t *testing.T) {
		Run(t, func(t *testing.T) store.Store { return open(t)() })
	})
	t.Run("two handles as one store", func(t *testing.T) {
		for _, p := range lanePromises() {
			t.Run(p.name, func(t *testing.T) {
				h := joined(t, open(t), 2)
				p.test(t, &interlaced{Laned: h[0], handles: h})
			})
		}
	})
	t.Run("several handles", func(t *testing.T) {
		for _, p := range []struct {
			name string
			test func(*testing.T, []store.Shared)
		}{
			{"what one has applied the others see", handlesSeeEachOther},
			{"a queue without entries is kept with its revision", emptyQueueIsKept},
			{"a transaction that is alone has what the others have written, and they what it has", aloneIsAlone},
			{"what follows from absence in a transaction that is alone holds", aloneConcludes},
			{"moments are in the order of what is read", momentsAreInOrder},
			{"before a moment that is settled nothing is missing", settledIsComplete},
			{"a transaction that takes long is not settled", settledWaits},
		} {
			t.Run(p.name, func(t *testing.T) { p.test(t, joined(t, open(t), 3)) })
		}
	})
}

func joined(t *testing.T, join func() store.Shared, n int) []store.Shared {
	t.Helper()
	var handles []store.Shared
	for range n {
		h := join()
		t.Cleanup(func() { _ = h.Close() }) // some tests have closed it
		if !h.Shared() {
			t.Fatal("the store is not shared")
		}
		handles = append(handles, h)
	}
	return handles
}

// interlaced is the handles of a store as one: its lanes are of one handle after the other, and
// so are the transactions of Apply and the views.
type interlaced struct {
	store.Laned
	handles []store.Shared
	next    atomic.Int64
}

func (s *interlaced) any() store.Shared { return s.handles[int(s.next.Add(1))%len(s.handles)] }

func (s *interlaced) Lanes() int { return s.Laned.Lanes() * len(s.handles) }

func (s *interlaced) ApplyIn(ctx context.Context, lane int, fn func(store.Tx) error) (func() error, error) {
	n := len(s.handles)
	return s.handles[lane%n].ApplyIn(ctx, lane/n, fn)
}

func (s *interlaced) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return s.any().Apply(ctx, fn)
}

func (s *interlaced) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.any().View(ctx, fn)
}

func (s *interlaced) Scattered() bool { return scattered(s.Laned) }

// applier is a way to apply a transaction.
type applier = func(context.Context, func(store.Tx) error) (wait func() error, err error)

// insistently runs a transaction until it is not refused, and waits.
func insistently(apply applier, fn func(store.Tx) error) error {
	for {
		wait, err := apply(context.Background(), fn)
		if err == nil {
			err = wait()
		}
		if !errors.Is(err, store.ErrAgain) {
			return err
		}
	}
}

// inLane returns ApplyIn of the lane of a thing.
func inLane(s store.Shared, thing muster.ThingName) applier {
	return func(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
		return s.ApplyIn(ctx, s.LaneOf(thing), fn)
	}
}

func handlesSeeEachOther(t *testing.T, h []store.Shared) {
	for round := range 10 {
		writer, value := h[round%len(h)], strconv.Itoa(round)
		update(t, writer, func(tx store.Tx) { tx.Put(table, "k", []byte(value)) })
		for _, reader := range h {
			view(t, reader, func(r store.Reader) {
				expect(t, "Get() of another handle", string(must[[]byte](t)(r.Get(table, "k"))), value)
			})
		}
	}
}

func emptyQueueIsKept(t *testing.T, h []store.Shared) {
	key := store.QueueKey{Thing: "pump"}
	empty := muster.Queue{Thing: "pump"}
	full := empty.With(queued("pump", "job", 1, 10)).Revised(0)
	update(t, h[0], func(tx store.Tx) {
		tx.PutQueue(full)
		tx.PutQueue(muster.Queue{Thing: "never", Rev: 5})
	})
	empty.Rev = full.Rev
	empty = empty.Revised(0)
	update(t, h[1], func(tx store.Tx) {
		tx.PutQueue(empty)
		expect(t, "Queues() inside the transaction", must[[]muster.Queue](t)(tx.Queues(key)), []muster.Queue{empty})
		expect(t, "AllQueues() inside the transaction", list(t, tx.AllQueues(), 0), "[]")
	})
	view(t, h[2], func(r store.Reader) {
		expect(t, "Queues()", must[[]muster.Queue](t)(r.Queues(key, store.QueueKey{Thing: "never"}, store.QueueKey{Thing: "none"})),
			[]muster.Queue{empty, {Thing: "never", Rev: 5}, {Thing: "none"}})
		expect(t, "AllQueues()", list(t, r.AllQueues(), 0), "[]")
	})
	verify(t, h[2])
	empty.Rev++
	update(t, h[0], func(tx store.Tx) { tx.PutQueue(empty) })
	full.Rev = empty.Rev + 1
	update(t, h[2], func(tx store.Tx) { tx.PutQueue(full) })
	view(t, h[1], func(r store.Reader) {
		expect(t, "Queues() of one that was empty", must[[]muster.Queue](t)(r.Queues(key)), []muster.Queue{full})
		expect(t, "AllQueues()", list(t, r.AllQueues(), 0), []muster.Queue{full})
	})
}

func aloneIsAlone(t *testing.T, h []store.Shared) {
	read := func(tx store.Tx, key string) string {
		value, err := tx.Get(table, key)
		if err != nil {
			t.Errorf("Get() = %v", err)
		}
		return string(value)
	}
	for round, value := range []string{"1", "2", "3", "4"} {
		other := h[1+round%2]
		run := inLane // of others
		if round >= 2 {
			run = func(s store.Shared, _ muster.ThingName) applier { return s.Apply }
		}
		var running sync.WaitGroup
		began, ended := make(chan struct{}), atomic.Bool{}
		running.Go(func() { // was there before
			first := true
			err := insistently(run(other, "pump"), func(tx store.Tx) error {
				read(tx, "alone")
				if first {
					close(began)
				}
				first = false
				time.Sleep(20 * time.Millisecond) // so that the other one meets it
				tx.Put(table, "lane", []byte(value))
				ended.Store(true)
				return nil
			})
			if err != nil {
				t.Errorf("ApplyIn() = %v", err)
			}
		})
		<-began
		var come []chan string
		err := insistently(h[0].ApplyAlone, func(tx store.Tx) error {
			if got := read(tx, "lane"); got != value || !ended.Load() {
				t.Errorf("ApplyAlone reads %q while another transaction writes %q", got, value)
			}
			if len(come) == 0 {
				for i, handle := range []store.Shared{h[0], other} { // which come meanwhile
					seen := make(chan string, 1)
					come = append(come, seen)
					running.Go(func() {
						got := ""
						err := insistently(run(handle, muster.ThingName(fmt.Sprint("lamp-", i))), func(tx store.Tx) error {
							got = read(tx, "alone")
							return nil
						})
						if err != nil {
							t.Errorf("ApplyIn() = %v", err)
						}
						seen <- got
					})
				}
				time.Sleep(20 * time.Millisecond)
			}
			tx.Put(table, "alone", []byte(value))
			return nil
		})
		if err != nil {
			t.Fatalf("ApplyAlone() = %v", err)
		}
		for _, seen := range come {
			if got := <-seen; got != value {
				t.Errorf("one that came during ApplyAlone reads %q, want %q", got, value)
			}
		}
		running.Wait()
	}
}

// aloneConcludes lets lanes add something unless it is closed, and a transaction that is alone
// close it if there is nothing.
func aloneConcludes(t *testing.T, h []store.Shared) {
	for round := range 12 {
		name := fmt.Sprint(round)
		var all sync.WaitGroup
		for i, handle := range h {
			all.Go(func() {
				err := insistently(inLane(handle, muster.ThingName(fmt.Sprint("thing-", i))), func(tx store.Tx) error {
					closed, err := tx.Get(table, "closed-"+name)
					if err == nil && closed == nil {
						tx.Put(table, fmt.Sprint("item-", name, "-", i), nil)
					}
					return err
				})
				if err != nil {
					t.Errorf("ApplyIn() = %v", err)
				}
			})
		}
		all.Go(func() {
			err := insistently(h[round%len(h)].ApplyAlone, func(tx store.Tx) error {
				for _, err := range tx.Scan(table, "item-"+name+"-", "item-"+name+".") {
					return err
				}
				tx.Put(table, "closed-"+name, nil)
				return nil
			})
			if err != nil {
				t.Errorf("ApplyAlone() = %v", err)
			}
		})
		all.Wait()
		view(t, h[0], func(r store.Reader) {
			closed := must[[]byte](t)(r.Get(table, "closed-"+name)) != nil
			if items := list(t, r.Scan(table, "item-"+name+"-", "item-"+name+"."), 0); closed && len(items) > 0 || !closed && len(items) == 0 {
				t.Errorf("closed is %v with %d items", closed, len(items))
			}
		})
	}
}

func momentOf(tx store.Tx) (store.Moment, error) {
	timed, ok := tx.(store.Timed)
	if !ok {
		return 0, fmt.Errorf("%T is not a store.Timed", tx)
	}
	return timed.Moment()
}

func momentsAreInOrder(t *testing.T, h []store.Shared) {
	var all sync.WaitGroup
	for i, handle := range h {
		for n, apply := range []func(context.Context, func(store.Tx) error) (func() error, error){inLane(handle, "pump"), handle.Apply, handle.ApplyAlone} {
			all.Go(func() {
				for round := range 6 {
					err := insistently(apply, func(tx store.Tx) error {
						if p, ok := tx.(store.Prefetcher); ok && round%2 == 0 {
							if err := p.Prefetch(store.Wanted{Records: []store.RecordKey{{Table: table, Key: "last"}}}); err != nil {
								return err
							}
						}
						var value []byte
						var err error
						if round%3 == 0 {
							value, err = tx.Get(table, "last")
						}
						moment, failed := momentOf(tx)
						if round%3 != 0 && failed == nil {
							value, err = tx.Get(table, "last")
						}
						if err = errors.Join(failed, err); err != nil {
							return err
						}
						if again, err := momentOf(tx); err != nil || again != moment {
							t.Errorf("Moment() = %d, then %d, %v", moment, again, err)
						}
						if last, _ := strconv.ParseInt(string(value), 10, 64); int64(moment) <= last {
							t.Errorf("handle %d, way %d: the moment %d is not after %d, which was read", i, n, moment, last)
						}
						tx.Put(table, "last", strconv.AppendInt(nil, int64(moment), 10))
						return nil
					})
					if err != nil {
						t.Errorf("a transaction = %v", err)
					}
				}
			})
		}
	}
	all.Wait()
}

// momentKey is the key of a record that was written at a moment.
func momentKey(m store.Moment, writer int) string { return fmt.Sprintf("%020d-%d", int64(m), writer) }

func keysUpTo(t *testing.T, s store.Store, m store.Moment) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	view(t, s, func(r store.Reader) {
		clear(found)
		for _, rec := range list(t, r.Scan(table, "", momentKey(m, 0)[:20]), 0) {
			found[rec.Key] = true
		}
	})
	return found
}

func settledIsComplete(t *testing.T, h []store.Shared) {
	var writers, readers sync.WaitGroup
	done := atomic.Bool{}
	for w := range 2 * len(h) {
		handle := h[w%len(h)]
		apply := inLane(handle, muster.ThingName(fmt.Sprint("thing-", w)))
		if w >= len(h) {
			apply = handle.Apply
		}
		writers.Go(func() {
			for range 25 {
				err := insistently(apply, func(tx store.Tx) error {
					m, err := momentOf(tx)
					if err == nil {
						tx.Put(table, momentKey(m, w), nil)
					}
					return err
				})
				if err != nil {
					t.Errorf("a transaction = %v", err)
				}
			}
		})
	}
	type sight struct {
		settled store.Moment
		found   map[string]bool
	}
	seen := make([][]sight, len(h))
	for i, handle := range h {
		readers.Go(func() {
			for !done.Load() {
				settled, err := handle.Settled(context.Background())
				if err != nil {
					t.Errorf("Settled() = %v", err)
					return
				}
				seen[i] = append(seen[i], sight{settled, keysUpTo(t, handle, settled)})
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	settled, err := h[0].Settled(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	final := keysUpTo(t, h[1], settled)
	expect(t, "how many records there are before the last settled moment", len(final), 2*len(h)*25)
	for i := range seen {
		for _, s := range seen[i] {
			for key := range final {
				if key < momentKey(s.settled, 0)[:20] && !s.found[key] {
					t.Fatalf("handle %d saw %d records before the moment %d, which was settled, but not %s", i, len(s.found), s.settled, key)
				}
			}
		}
	}
}

func settledWaits(t *testing.T, h []store.Shared) {
	for _, apply := range []func(context.Context, func(store.Tx) error) (func() error, error){inLane(h[0], "pump"), h[0].Apply, h[0].ApplyAlone} {
		var moment store.Moment
		settled := func() store.Moment {
			s, err := h[1].Settled(context.Background())
			if err != nil {
				t.Errorf("Settled() = %v", err)
			}
			return s
		}
		err := insistently(apply, func(tx store.Tx) (err error) {
			if moment, err = momentOf(tx); err != nil {
				return err
			}
			for range 3 {
				time.Sleep(time.Millisecond)
				if s := settled(); s > moment {
					t.Errorf("Settled() = %d while the transaction of %d runs", s, moment)
				}
			}
			tx.Put(table, momentKey(moment, 0), nil)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if s := settled(); s <= moment {
			t.Errorf("Settled() = %d after the transaction of %d", s, moment)
		}
	}
}
