package commit

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// slowDisk returns a store whose every sync takes so long.
func slowDisk(sync time.Duration) store.Store {
	return storetest.Late(memstore.New(), storetest.Pauses{Durable: func() error { time.Sleep(sync); return nil }})
}

// On a slow disk callers wait as many times longer as its sync is slower, and no command is
// lost: at worst there are batches on their way that fill the pipeline, one whose sync has
// begun and one that was applied.
func TestCallersWaitInProportionToTheDisk(t *testing.T) {
	for _, slow := range []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			const callers, each, syncs = 300, 10, pipelineMax + 3
			c := running(t, Options{Store: slowDisk(slow)})
			waits := make(chan time.Duration, callers*each)
			var all sync.WaitGroup
			for caller := range callers {
				all.Go(func() {
					time.Sleep(time.Duration(caller) * time.Millisecond) // so that they do not all share their batches
					for n := range each {
						began, done := time.Now(), make(chan error, 1)
						hand(c, func(tx *Tx) error { records.Put(tx, fmt.Sprint(caller, "-", n), "done"); return nil }, done)
						if err := <-done; err != nil {
							t.Errorf("command %d of caller %d = %v", n, caller, err)
						}
						waits <- time.Since(began)
					}
				})
			}
			all.Wait()
			close(waits)
			longest := time.Duration(0)
			for wait := range waits {
				longest = max(longest, wait)
			}
			if longest > syncs*slow {
				t.Errorf("with a sync of %v somebody waited %v, want %d syncs at most", slow, longest, syncs)
			}
			for caller := range callers {
				for n := range each {
					if !stored(t, c, fmt.Sprint(caller, "-", n)) {
						t.Errorf("command %d of caller %d was acknowledged and is lost", n, caller)
					}
				}
			}
		})
	}
}

// While the disk does not answer at all, no more than waitingMax commands are kept: all
// others are refused at once, and those that were taken are done when it answers again.
func TestCommandsBeyondWaitingMaxAreThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const extra = 1000
		stuck := make(chan struct{})
		c := running(t, Options{Store: storetest.Late(memstore.New(), storetest.Pauses{Durable: func() error { <-stuck; return nil }})})
		taken := make(chan error, 1000*BatchMax)
		before := 0
		for ; len(taken) == 0 && before < 2*waitingMax; before++ { // until the pipeline is full, and then the queue
			if before%BatchMax == 0 {
				synctest.Wait()
			}
			hand(c, func(*Tx) error { return nil }, taken)
		}
		for range extra - 1 {
			hand(c, func(*Tx) error { return nil }, taken)
		}
		if got := len(taken); got != extra {
			t.Fatalf("%d of %d commands are answered while the disk is stuck, want the refused ones, %d", got, before+extra-1, extra)
		}
		for range extra {
			if err := <-taken; !isThrottled(err) {
				t.Fatalf("a command too many = %v, want Throttled", err)
			}
		}
		if kept, most := before-1, waitingMax+(pipelineMax+2)*BatchMax; kept < waitingMax || kept > most {
			t.Errorf("%d commands are kept, want %d to %d", kept, waitingMax, most)
		}
		close(stuck)
		for range before - 1 {
			if err := <-taken; err != nil {
				t.Fatalf("a command that was taken = %v", err)
			}
		}
	})
}

func isThrottled(err error) bool {
	refusal, ok := errors.AsType[*muster.Error](err)
	return ok && refusal.Kind == muster.Throttled
}
