package commit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// skewed returns a store of four lanes.
func skewed(longest time.Duration) store.Laned {
	return storetest.Skewed(memstore.New(), 4, 1, longest)
}

// handFor hands in a command that concerns one thing and does not wait for it.
func handFor(c *Committer, thing muster.ThingName, run func(*Tx) error, done chan<- error) {
	Submit(c, thing, nil, func(tx *Tx) (struct{}, error) { return struct{}{}, run(tx) }, func(_ struct{}, err error) { done <- err })
}

// expectNil receives n outcomes.
func expectNil(t *testing.T, done <-chan error, n int) {
	t.Helper()
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// apart returns the names of two things with different lanes.
func apart(t *testing.T, c *Committer) (a, b muster.ThingName) {
	t.Helper()
	a = "lamp"
	for n := range 100 {
		if b = muster.ThingName(fmt.Sprint("lamp-", n)); c.laneOf(a) != c.laneOf(b) {
			return a, b
		}
	}
	t.Fatal("all things have the same lane")
	return "", ""
}

func TestCommandsOfDifferentThingsRunAtTheSameTime(t *testing.T) {
	c := running(t, Options{Store: skewed(0)})
	a, b := apart(t, c)
	wide, met, done := make(chan struct{}), make(chan struct{}), make(chan error, 3)
	handFor(c, a, func(*Tx) error { met <- struct{}{}; <-wide; return nil }, done)
	handFor(c, b, func(*Tx) error { <-met; <-wide; return nil }, done)
	hand(c, func(*Tx) error { close(wide); return nil }, done)
	expectNil(t, done, 3)
}

func TestCommandsOfOneThingKeepTheirOrder(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			c := running(t, Options{Store: storetest.Skewed(memstore.New(), 4, seed, time.Millisecond)})
			const things, each = 5, 12
			done := make(chan error, things*each)
			for n := range each {
				for i := range things {
					thing := muster.ThingName(fmt.Sprint("lamp-", i))
					handFor(c, thing, func(tx *Tx) error {
						if (n+i)%4 == 0 {
							if err := tx.Wide(); err != nil {
								return err
							}
						}
						old, err := records.Get(tx, string(thing))
						if err != nil {
							return err
						}
						if old == nil {
							old = new("")
						}
						records.Put(tx, string(thing), *old+string(rune('a'+n)))
						if (n+i)%5 == 0 { // also when it has written already
							return tx.Wide()
						}
						return nil
					}, done)
				}
				if n%3 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			expectNil(t, done, things*each)
			for i := range things {
				thing := fmt.Sprint("lamp-", i)
				if err := c.View(t.Context(), func(r store.Reader) error {
					order, err := records.Get(r, thing)
					if err == nil && *order != "abcdefghijkl" {
						t.Errorf("seed %d: the commands of %s ran in the order %s", seed, thing, *order)
					}
					return err
				}); err != nil {
					t.Error(err)
				}
			}
			if len(c.away) != 0 {
				t.Errorf("commands of %v never came back", c.away)
			}
		})
	}
}

// A command of the wide lane that is alone sees whatever began before it, and nothing runs
// beside it.
func TestAlone(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			c := running(t, Options{Store: storetest.Skewed(memstore.New(), 4, seed, time.Millisecond)})
			const many = 40
			var running atomic.Int64
			done := make(chan error, 2*many)
			for n := range many {
				thing := muster.ThingName(fmt.Sprint("lamp-", n))
				handFor(c, thing, func(tx *Tx) error {
					running.Add(1)
					tx.Over(func() { running.Add(-1) })
					records.Put(tx, string(thing), "")
					return nil
				}, done)
				if n%8 > 0 {
					continue
				}
				hand(c, func(tx *Tx) error {
					if err := tx.Alone(); err != nil {
						return err
					}
					records.Put(tx, "alone", "")
					began := running.Load()
					time.Sleep(time.Millisecond) // no transaction begins
					if now := running.Load(); now > began {
						return fmt.Errorf("%d transactions run, and before it were %d", now, began)
					}
					return nil
				}, done)
				time.Sleep(300 * time.Microsecond)
			}
			expectNil(t, done, many+many/8)
		})
	}
}

// A command of the wide lane that changes what all lanes are busy with gets through.
func TestABatchThatIsRefusedRunsAlone(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			c := running(t, Options{Store: storetest.Skewed(memstore.New(), 4, seed, time.Millisecond)})
			ctx, stop := context.WithCancel(t.Context())
			var all sync.WaitGroup
			write := func(tx *Tx, thing muster.ThingName) error { records.Put(tx, string(thing), ""); return nil }
			for n := range 12 {
				thing := muster.ThingName(fmt.Sprint("lamp-", n))
				all.Go(func() {
					for ctx.Err() == nil {
						done := make(chan error, 1)
						handFor(c, thing, func(tx *Tx) error { return write(tx, thing) }, done)
						expectNil(t, done, 1)
					}
				})
			}
			var runs atomic.Int64
			for range 5 {
				time.Sleep(time.Millisecond)
				if err := c.Do(t.Context(), func(tx *Tx) error {
					runs.Add(1)
					for n := range 12 {
						if err := write(tx, muster.ThingName(fmt.Sprint("lamp-", n))); err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
			if n := runs.Load(); n > 10 {
				t.Errorf("five commands ran %d times, want twice each at most", n)
			}
			stop()
			all.Wait()
		})
	}
}

func TestATouchedQueueMeetsItsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := running(t, Options{Store: skewed(0)})
		key := store.QueueKey{Thing: "lamp"}
		job := &muster.Job{ID: "job"}
		queued := muster.NewExecution(job, "lamp", 1, 1)
		if err := c.Do(t.Context(), func(tx *Tx) error { tx.PutQueue(muster.Queue{Thing: "lamp"}.With(queued)); return nil }); err != nil {
			t.Fatal(err)
		}
		var runs atomic.Int64
		began, held, done := make(chan struct{}), make(chan struct{}), make(chan error, 2)
		hand(c, func(tx *Tx) error {
			if runs.Add(1) == 1 {
				_, err := tx.Queue(key)
				close(began)
				<-held
				return errors.Join(err, tx.Touch(key))
			}
			return tx.Touch(key)
		}, done)
		<-began
		handFor(c, "lamp", func(tx *Tx) error {
			q, err := tx.Queue(key)
			tx.PutQueue(q.Without("job", 1))
			return err
		}, done)
		expectNil(t, done, 1)
		close(held)
		expectNil(t, done, 1)
		if runs.Load() != 2 {
			t.Errorf("the command that touched the queue ran %d times, want twice", runs.Load())
		}
	})
}

// Two transactions that run at the same time each count themselves, and what they bring
// about together is done before the later one is answered.
func TestLook(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var dues, lost atomic.Int64
			c := running(t, Options{Store: skewed(0), Watcher: watching{due: func() { dues.Add(1) }}})
			a, b := apart(t, c)
			met := make(chan struct{})
			done := make(chan error, 2)
			count := func(tx store.Reader) (n int, err error) {
				for _, err := range records.Scan(tx, "lamp", "lamq") {
					if err != nil {
						return 0, err
					}
					n++
				}
				return n, nil
			}
			command := func(thing muster.ThingName, meet func()) func(*Tx) error {
				return func(tx *Tx) error {
					meet()
					records.Put(tx, string(thing), "")
					if n, err := count(tx); err != nil || n != 1 {
						return fmt.Errorf("%d are seen, want 1; %w", n, err)
					}
					tx.Look(func(*Wants) {}, func(r store.Reader) ([]func(*Tx) error, error) {
						if n, err := count(r); err != nil || n < 2 {
							return nil, err
						}
						return []func(*Tx) error{func(tx *Tx) error {
							if fails {
								return muster.Errorf(muster.Invalid, "it fails")
							}
							records.Put(tx, "both", "")
							return nil
						}}, nil
					}, func() { lost.Add(1) })
					return nil
				}
			}
			handFor(c, a, command(a, func() { met <- struct{}{} }), done)
			handFor(c, b, command(b, func() { <-met }), done)
			expectNil(t, done, 2)
			if got := stored(t, c, "both"); got == fails {
				t.Errorf("the second look was done: %v, and its step fails: %v", got, fails)
			}
			if got := lost.Load() > 0 && dues.Load() > 0; got != fails {
				t.Errorf("the look was lost %d times, and work was asked for %d times, and its step fails: %v", lost.Load(), dues.Load(), fails)
			}
		})
	}
}

// Commands of no single thing are told of before the second look, which can take long. A thing gets its answer
// before it is told what follows from it.
func TestWhoIsToldBeforeASecondLook(t *testing.T) {
	for thing, want := range map[muster.ThingName]string{"": "told looked answered ", "lamp": "looked answered told "} {
		synctest.Test(t, func(t *testing.T) {
			c := running(t, Options{Store: skewed(0)})
			happened := make(chan string, 3)
			Submit(c, thing, nil, func(tx *Tx) (struct{}, error) {
				records.Put(tx, "lamp", "")
				tx.After(func() { happened <- "told" })
				tx.Look(func(*Wants) {}, func(store.Reader) ([]func(*Tx) error, error) {
					return []func(*Tx) error{func(*Tx) error { happened <- "looked"; return nil }}, nil
				}, func() { t.Error("the look was lost") })
				return struct{}{}, nil
			}, func(struct{}, error) { happened <- "answered" })
			var got string
			for range 3 {
				got += <-happened + " "
			}
			if got != want {
				t.Errorf("for thing %q: %s, want %s", thing, got, want)
			}
		})
	}
}

// A transaction counts once, however many times it is told of.
func TestATransactionIsCommittedOnce(t *testing.T) {
	for _, thing := range []muster.ThingName{"", "lamp"} {
		synctest.Test(t, func(t *testing.T) {
			var committed []int
			ended := make(chan struct{}, 2)
			c := running(t, Options{Store: skewed(0), Watcher: watching{committed: func(n int) { committed = append(committed, n); ended <- struct{}{} }}})
			answered := make(chan struct{}, 1)
			Submit(c, thing, nil, func(tx *Tx) (struct{}, error) {
				records.Put(tx, "lamp", "")
				tx.Look(func(*Wants) {}, func(store.Reader) ([]func(*Tx) error, error) { return nil, nil }, func() { t.Error("the look was lost") })
				return struct{}{}, nil
			}, func(struct{}, error) { answered <- struct{}{} })
			<-answered
			<-ended
			synctest.Wait()
			if !slices.Equal(committed, []int{1}) {
				t.Errorf("of a command of thing %q the watcher is told %v, want one transaction of one command", thing, committed)
			}
		})
	}
}

// watching is a Watcher that calls functions. A nil function is not called.
type watching struct {
	due       func()
	committed func(int)
	wake      func(muster.Instant)
}

func (w watching) Due() {
	if w.due != nil {
		w.due()
	}
}

func (w watching) Committed(n int) {
	if w.committed != nil {
		w.committed(n)
	}
}

func (w watching) Told(wake muster.Instant) {
	if w.wake != nil {
		w.wake(wake)
	}
}

func TestTheWatcherIsToldByOneAtATime(t *testing.T) {
	var inside, commands int // the race detector looks at them
	c := running(t, Options{Store: skewed(0), Watcher: watching{committed: func(n int) {
		if inside++; inside != 1 {
			t.Error("two tell it at the same time")
		}
		commands += n
		inside--
	}}})
	const many = 200
	done := make(chan error, many)
	for n := range many {
		handFor(c, muster.ThingName(fmt.Sprint(n%7)), func(tx *Tx) error { records.Put(tx, fmt.Sprint(n), ""); return nil }, done)
	}
	expectNil(t, done, many)
}

// What was handed in is finished when Run ends, wherever it has to go.
func TestAllLanesAreFinishedWhenRunEnds(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			c := New(Options{Store: storetest.Skewed(memstore.New(), 4, seed, time.Millisecond), Now: func() muster.Instant { return 1 }})
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- c.Run(ctx) }()
			const many = 60
			done := make(chan error, many)
			for n := range many {
				handFor(c, muster.ThingName(fmt.Sprint("lamp-", n%11)), func(tx *Tx) error {
					if n%3 == 0 {
						if err := tx.Wide(); err != nil {
							return err
						}
					}
					records.Put(tx, fmt.Sprint(n), "")
					tx.Look(func(*Wants) {}, func(store.Reader) ([]func(*Tx) error, error) {
						return []func(*Tx) error{func(tx *Tx) error { records.Put(tx, fmt.Sprint("look ", n), ""); return nil }}, nil
					}, func() { t.Error("a look was lost") })
					return nil
				}, done)
			}
			stop()
			if err := <-ended; err != nil {
				t.Errorf("Run = %v", err)
			}
			if len(done) != many {
				t.Errorf("%d of %d commands are answered when Run has ended", len(done), many)
			}
			expectNil(t, done, len(done))
			for n := range many {
				if !stored(t, c, fmt.Sprint(n)) || !stored(t, c, fmt.Sprint("look ", n)) {
					t.Errorf("command %d, or its second look, is missing", n)
				}
			}
		})
	}
}

func TestRunEndsWhenTheStoreOfALaneHasStopped(t *testing.T) {
	c := New(Options{Store: stoppedLane{skewed(0)}, Now: func() muster.Instant { return 1 }})
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context()) }()
	done := make(chan error, 1)
	handFor(c, "lamp", func(*Tx) error { return nil }, done)
	if err := <-ended; !errors.Is(err, store.ErrStopped) {
		t.Errorf("Run = %v, want %v", err, store.ErrStopped)
	}
	if err := <-done; err == nil {
		t.Error("a command that is not stored is answered with success")
	}
}

// stoppedLane is a store whose lanes have stopped.
type stoppedLane struct{ store.Laned }

func (stoppedLane) ApplyIn(context.Context, int, func(store.Tx) error) (func() error, error) {
	return nil, store.ErrStopped
}

// A queue that comes again has a higher revision, in whichever lane it was removed.
func TestRevisionsRiseAcrossLanes(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			c := running(t, Options{Store: storetest.Skewed(memstore.New(), 4, seed, time.Millisecond)})
			key, job := store.QueueKey{Thing: "lamp"}, &muster.Job{ID: "job"}
			const many = 40
			var revs []int64
			told := make(chan int64, many)
			done := make(chan error, many)
			for n := range many {
				thing := key.Thing
				if n%2 == 0 {
					thing = "" // the wide lane may do so, too
				}
				handFor(c, thing, func(tx *Tx) error {
					q, err := tx.Queue(key)
					if _, ok := q.Find("job"); ok {
						q = q.Without("job", 1)
					} else {
						q = q.With(muster.NewExecution(job, "lamp", 1, tx.Now))
					}
					tx.PutQueue(q)
					q, _ = tx.Queue(key)
					tx.After(func() { told <- q.Rev })
					return err
				}, done)
				time.Sleep(100 * time.Microsecond)
			}
			expectNil(t, done, many)
			synctest.Wait()
			close(told)
			for rev := range told {
				revs = append(revs, rev)
			}
			slices.Sort(revs)
			if len(revs) != many || len(slices.Compact(revs)) != many {
				t.Errorf("seed %d: two states of the queue have the same revision: %v", seed, revs)
			}
		})
	}
}
