package commit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/turns"
)

func twoProcessors() *turns.Turns {
	return turns.New(turns.Options{Processors: 2, Now: time.Now})
}

// lasting is a step of background work that takes d, and says when it began.
func lasting(d time.Duration, began chan<- time.Time) []func(*Tx) error {
	return []func(*Tx) error{func(*Tx) error {
		began <- time.Now()
		time.Sleep(d)
		return nil
	}}
}

func TestWorkRestsAfterABatchWhileSomebodyAsks(t *testing.T) {
	for name, want := range map[string]time.Duration{"somebody asks": 18 * time.Millisecond, "nobody asks": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all, start, began := twoProcessors(), time.Now(), make(chan time.Time, 2)
				c := running(t, Options{Store: memstore.New(), Turns: all})
				if name == "somebody asks" {
					all.Asked()
				}
				if err := c.Background(t.Context(), lasting(10*time.Millisecond, began)); err != nil {
					t.Fatal(err)
				}
				<-began
				worked := make(chan error, 1)
				go func() { worked <- c.Background(t.Context(), lasting(0, began)) }()
				synctest.Wait()
				if err := c.Do(t.Context(), func(*Tx) error { return nil }); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took != 10*time.Millisecond {
					t.Errorf("a caller was answered after %v, want 10ms: callers do not rest", took)
				}
				if after := (<-began).Sub(start); after != want {
					t.Errorf("the next batch of work began after %v, want %v", after, want)
				}
				if err := <-worked; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestWorkThatRestsIsFinishedAtOnceWhenTheServiceStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, began := twoProcessors(), make(chan time.Time, 2)
		c := New(Options{Store: memstore.New(), Turns: all, Now: func() muster.Instant { return 1 }})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		all.Asked()
		if err := c.Background(t.Context(), lasting(10*time.Millisecond, began)); err != nil {
			t.Fatal(err)
		}
		<-began
		worked, start := make(chan error, 1), time.Now()
		go func() { worked <- c.Background(t.Context(), lasting(0, began)) }()
		synctest.Wait()
		stop()
		if err := errors.Join(<-worked, <-ended); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v to stop, want no time", took)
		}
	})
}

// One turn is all there is, and the test has it: steps wait, callers do not.
func TestStepsTakeTurnsAndCallersDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := twoProcessors()
		c := running(t, Options{Store: memstore.New(), Turns: all})
		all.Asked()
		turn := all.Of()
		turn.Take()
		if err := c.Do(t.Context(), func(*Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		stepped, worked := make(chan bool, 3), make(chan error, 1)
		step := func(*Tx) error { stepped <- true; return nil }
		go func() { worked <- c.Background(t.Context(), []func(*Tx) error{step, step, step}) }()
		synctest.Wait()
		if n := len(stepped); n != 0 {
			t.Errorf("%d steps were done without a turn", n)
		}
		turn.GiveBack()
		if err := <-worked; err != nil {
			t.Error(err)
		}
	})
}

// A caller who comes during a step does not wait for the turn of the next one.
func TestACallerDoesNotWaitForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := twoProcessors()
		c := running(t, Options{Store: memstore.New(), Turns: all})
		all.Asked()
		called, taken, release := make(chan error, 1), make(chan bool), make(chan bool)
		first := true // of the committer alone: a store may run a step twice
		steps := []func(*Tx) error{
			func(*Tx) error {
				if first {
					first = false
					go func() {
						turn := all.Of()
						turn.Take()
						taken <- true
						<-release
						turn.GiveBack()
					}()
					time.Sleep(time.Millisecond) // until it waits for the turn of this step
					hand(c, func(*Tx) error { return nil }, called)
				}
				return nil
			},
			func(*Tx) error { return nil },
		}
		worked := make(chan error, 1)
		go func() { worked <- c.Background(t.Context(), steps) }()
		<-taken
		if err := <-called; err != nil {
			t.Error(err)
		}
		release <- true
		if err := <-worked; err != nil {
			t.Error(err)
		}
	})
}

// A turn is given back before the transaction is applied, and however a step ends.
func TestNoTurnIsHeldAfterTheSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := twoProcessors()
		c := running(t, Options{Store: memstore.New(), Turns: all})
		free := func() {
			turn := all.Of()
			turn.Take()
			turn.GiveBack()
		}
		for name, step := range map[string]func(tx *Tx) error{
			"succeeds":           func(tx *Tx) error { tx.Adopt(free); return nil },
			"fails":              func(*Tx) error { return muster.Errorf(muster.Conflict, "no") },
			"spoils":             func(tx *Tx) error { records.Put(tx, "spoiled", "x"); return muster.Errorf(muster.Conflict, "no") },
			"panics":             func(*Tx) error { panic("no") },
			"fails in the store": func(*Tx) error { return errors.New("no") },
			"leaves an error":    func(tx *Tx) error { tx.Close(func() error { return errors.New("no") }); return nil },
		} {
			all.Asked()
			err := c.Background(t.Context(), []func(*Tx) error{step})
			if (err == nil) != (name == "succeeds") {
				t.Errorf("a step that %s: Background = %v", name, err)
			}
			free()
		}
	})
}
