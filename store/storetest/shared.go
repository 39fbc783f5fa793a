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
				h := (&handles{T: t}).join(open(t), 2)
				p.test(t, &interlaced{Laned: h.all[0], handles: h.all})
			})
		}
	})
	t.Run("several handles", func(t *testing.T) {
		for _, p := range []struct {
			name string
			test func(*handles)
		}{
			{"what one has applied the others see", (*handles).handlesSeeEachOther},
			{"a queue without entries is kept with its revision", (*handles).emptyQueueIsKept},
			{"a transaction that is alone has what the others have written, and they what it has", (*handles).aloneIsAlone},
			{"what follows from absence in a transaction that is alone holds", (*handles).aloneConcludes},
			{"moments are in the order of what is read", (*handles).momentsAreInOrder},
			{"before a moment that is settled nothing is missing", (*handles).settledIsComplete},
			{"a transaction that takes long is not settled", (*handles).settledWaits},
		} {
			t.Run(p.name, func(t *testing.T) { p.test((&handles{T: t}).join(open(t), 3)) })
		}
	})
}

// handles are what a test has of one store.
type handles struct {
	*testing.T
	all []store.Shared
}

// join returns h with n handles more.
func (h *handles) join(join func() store.Shared, n int) *handles {
	h.Helper()
	for range n {
		s := join()
		h.Cleanup(func() { _ = s.Close() }) // some tests have closed it
		if !s.Shared() {
			h.Fatal("the store is not shared")
		}
		h.all = append(h.all, s)
	}
	return h
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

func (h *handles) handlesSeeEachOther() {
	for round := range 10 {
		writer, value := h.all[round%len(h.all)], strconv.Itoa(round)
		update(h.T, writer, func(tx store.Tx) { tx.Put(table, "k", []byte(value)) })
		for _, reader := range h.all {
			view(h.T, reader, func(r store.Reader) {
				expect(h.T, "Get() of another handle", string(must[[]byte](h.T)(r.Get(table, "k"))), value)
			})
		}
	}
}

func (h *handles) emptyQueueIsKept() {
	key := store.QueueKey{Thing: "pump"}
	empty := muster.Queue{Thing: "pump"}
	full := empty.With(queued("pump", "job", 1, 10)).Revised(0)
	update(h.T, h.all[0], func(tx store.Tx) {
		tx.PutQueue(full)
		tx.PutQueue(muster.Queue{Thing: "never", Rev: 5})
	})
	empty.Rev = full.Rev
	empty = empty.Revised(0)
	update(h.T, h.all[1], func(tx store.Tx) {
		tx.PutQueue(empty)
		expect(h.T, "Queues() inside the transaction", must[[]muster.Queue](h.T)(tx.Queues(key)), []muster.Queue{empty})
		expect(h.T, "AllQueues() inside the transaction", list(h.T, tx.AllQueues(), 0), "[]")
	})
	view(h.T, h.all[2], func(r store.Reader) {
		expect(h.T, "Queues()", must[[]muster.Queue](h.T)(r.Queues(key, store.QueueKey{Thing: "never"}, store.QueueKey{Thing: "none"})),
			[]muster.Queue{empty, {Thing: "never", Rev: 5}, {Thing: "none"}})
		expect(h.T, "AllQueues()", list(h.T, r.AllQueues(), 0), "[]")
	})
	verify(h.T, h.all[2])
	empty.Rev++
	update(h.T, h.all[0], func(tx store.Tx) { tx.PutQueue(empty) })
	full.Rev = empty.Rev + 1
	update(h.T, h.all[2], func(tx store.Tx) { tx.PutQueue(full) })
	view(h.T, h.all[1], func(r store.Reader) {
		expect(h.T, "Queues() of one that was empty", must[[]muster.Queue](h.T)(r.Queues(key)), []muster.Queue{full})
		expect(h.T, "AllQueues()", list(h.T, r.AllQueues(), 0), []muster.Queue{full})
	})
}

func (h *handles) aloneIsAlone() {
	read := func(tx store.Tx, key string) string {
		value, err := tx.Get(table, key)
		if err != nil {
			h.Errorf("Get() = %v", err)
		}
		return string(value)
	}
	for round, value := range []string{"1", "2", "3", "4"} {
		other := h.all[1+round%2]
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
				h.Errorf("ApplyIn() = %v", err)
			}
		})
		<-began
		var come []chan string
		err := insistently(h.all[0].ApplyAlone, func(tx store.Tx) error {
			if got := read(tx, "lane"); got != value || !ended.Load() {
				h.Errorf("ApplyAlone reads %q while another transaction writes %q", got, value)
			}
			if len(come) == 0 {
				for i, handle := range []store.Shared{h.all[0], other} { // which come meanwhile
					seen := make(chan string, 1)
					come = append(come, seen)
					running.Go(func() {
						got := ""
						err := insistently(run(handle, muster.ThingName(fmt.Sprint("lamp-", i))), func(tx store.Tx) error {
							got = read(tx, "alone")
							return nil
						})
						if err != nil {
							h.Errorf("ApplyIn() = %v", err)
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
			h.Fatalf("ApplyAlone() = %v", err)
		}
		for _, seen := range come {
			if got := <-seen; got != value {
				h.Errorf("one that came during ApplyAlone reads %q, want %q", got, value)
			}
		}
		running.Wait()
	}
}

// aloneConcludes lets lanes add something unless it is closed, and a transaction that is alone
// close it if there is nothing.
func (h *handles) aloneConcludes() {
	for round := range 12 {
		name := fmt.Sprint(round)
		var all sync.WaitGroup
		for i, handle := range h.all {
			all.Go(func() {
				err := insistently(inLane(handle, muster.ThingName(fmt.Sprint("thing-", i))), func(tx store.Tx) error {
					closed, err := tx.Get(table, "closed-"+name)
					if err == nil && closed == nil {
						tx.Put(table, fmt.Sprint("item-", name, "-", i), nil)
					}
					return err
				})
				if err != nil {
					h.Errorf("ApplyIn() = %v", err)
				}
			})
		}
		all.Go(func() {
			err := insistently(h.all[round%len(h.all)].ApplyAlone, func(tx store.Tx) error {
				for _, err := range tx.Scan(table, "item-"+name+"-", "item-"+name+".") {
					return err
				}
				tx.Put(table, "closed-"+name, nil)
				return nil
			})
			if err != nil {
				h.Errorf("ApplyAlone() = %v", err)
			}
		})
		all.Wait()
		view(h.T, h.all[0], func(r store.Reader) {
			closed := must[[]byte](h.T)(r.Get(table, "closed-"+name)) != nil
			if items := list(h.T, r.Scan(table, "item-"+name+"-", "item-"+name+"."), 0); closed && len(items) > 0 || !closed && len(items) == 0 {
				h.Errorf("closed is %v with %d items", closed, len(items))
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

func (h *handles) momentsAreInOrder() {
	var all sync.WaitGroup
	for i, handle := range h.all {
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
							h.Errorf("Moment() = %d, then %d, %v", moment, again, err)
						}
						if last, _ := strconv.ParseInt(string(value), 10, 64); int64(moment) <= last {
							h.Errorf("handle %d, way %d: the moment %d is not after %d, which was read", i, n, moment, last)
						}
						tx.Put(table, "last", strconv.AppendInt(nil, int64(moment), 10))
						return nil
					})
					if err != nil {
						h.Errorf("a transaction = %v", err)
					}
				}
			})
		}
	}
	all.Wait()
}

// momentKey is the key of a record that was written at a moment.
func momentKey(m store.Moment, writer int) string { return fmt.Sprintf("%020d-%d", int64(m), writer) }

func (h *handles) keysUpTo(s store.Store, m store.Moment) map[string]bool {
	h.Helper()
	found := map[string]bool{}
	view(h.T, s, func(r store.Reader) {
		clear(found)
		for _, rec := range list(h.T, r.Scan(table, "", momentKey(m, 0)[:20]), 0) {
			found[rec.Key] = true
		}
	})
	return found
}

func (h *handles) settledIsComplete() {
	var writers, readers sync.WaitGroup
	done := atomic.Bool{}
	for w := range 2 * len(h.all) {
		handle := h.all[w%len(h.all)]
		apply := inLane(handle, muster.ThingName(fmt.Sprint("thing-", w)))
		if w >= len(h.all) {
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
					h.Errorf("a transaction = %v", err)
				}
			}
		})
	}
	type sight struct {
		settled store.Moment
		found   map[string]bool
	}
	seen := make([][]sight, len(h.all))
	for i, handle := range h.all {
		readers.Go(func() {
			for !done.Load() {
				settled, err := handle.Settled(context.Background())
				if err != nil {
					h.Errorf("Settled() = %v", err)
					return
				}
				seen[i] = append(seen[i], sight{settled, h.keysUpTo(handle, settled)})
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	settled, err := h.all[0].Settled(context.Background())
	if err != nil {
		h.Fatal(err)
	}
	final := h.keysUpTo(h.all[1], settled)
	expect(h.T, "how many records there are before the last settled moment", len(final), 2*len(h.all)*25)
	for i := range seen {
		for _, s := range seen[i] {
			for key := range final {
				if key < momentKey(s.settled, 0)[:20] && !s.found[key] {
					h.Fatalf("handle %d saw %d records before the moment %d, which was settled, but not %s", i, len(s.found), s.settled, key)
				}
			}
		}
	}
}

func (h *handles) settledWaits() {
	for _, apply := range []func(context.Context, func(store.Tx) error) (func() error, error){inLane(h.all[0], "pump"), h.all[0].Apply, h.all[0].ApplyAlone} {
		var moment store.Moment
		settled := func() store.Moment {
			s, err := h.all[1].Settled(context.Background())
			if err != nil {
				h.Errorf("Settled() = %v", err)
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
					h.Errorf("Settled() = %d while the transaction of %d runs", s, moment)
				}
			}
			tx.Put(table, momentKey(moment, 0), nil)
			return nil
		})
		if err != nil {
			h.Fatal(err)
		}
		if s := settled(); s <= moment {
			h.Errorf("Settled() = %d after the transaction of %d", s, moment)
		}
	}
}
