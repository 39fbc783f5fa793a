package turns_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/turns"
)

func of(processors int) *turns.Turns {
	return turns.New(turns.Options{Processors: processors, Now: time.Now})
}

// work runs n goroutines with pieces of work of a millisecond each, and returns how many
// of them were at work at the same time at most, and how long all took.
func work(t *turns.Turns, n, pieces int) (most int64, took time.Duration) {
	var all sync.WaitGroup
	var atWork, seen atomic.Int64
	began := time.Now()
	for range n {
		all.Go(func() {
			turn := t.Of()
			for range pieces {
				turn.Take()
				for now := atWork.Add(1); ; {
					before := seen.Load()
					if now <= before || seen.CompareAndSwap(before, now) {
						break
					}
				}
				time.Sleep(time.Millisecond)
				atWork.Add(-1)
				turn.GiveBack()
			}
		})
	}
	all.Wait()
	return seen.Load(), time.Since(began)
}

func TestOneProcessorIsLeftFreeWhileSomebodyAsks(t *testing.T) {
	for processors, want := range map[int]int64{2: 1, 4: 3, 16: 8} {
		synctest.Test(t, func(t *testing.T) {
			all := of(processors)
			all.Asked()
			if most, _ := work(all, 8, 4); most != want {
				t.Errorf("with %d processors %d of 8 goroutines were at work at the same time, want %d", processors, most, want)
			}
		})
	}
}

func TestNothingIsHeldBackWhenNobodyAsks(t *testing.T) {
	for name, all := range map[string]func() *turns.Turns{
		"nobody ever asked": func() *turns.Turns { return of(2) },
		"no turns":          func() *turns.Turns { return nil },
		"a while ago": func() *turns.Turns {
			all := of(2)
			all.Asked()
			time.Sleep(50 * time.Millisecond)
			return all
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := all()
				if most, took := work(all, 8, 4); most != 8 || took != 4*time.Millisecond {
					t.Errorf("%d of 8 goroutines were at work at the same time, for %v; want all, for 4ms", most, took)
				}
				turn := all.Of()
				turn.Take()
				time.Sleep(time.Second)
				turn.GiveBack()
				if rest := turn.Rest(); rest != 0 {
					t.Errorf("Rest = %v, want 0", rest)
				}
			})
		})
	}
}

func TestAskingEndsSoonAfterTheLastRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := of(2)
		if all.Asking() {
			t.Error("somebody asks although nobody ever did")
		}
		for range 3 {
			all.Asked()
			time.Sleep(49 * time.Millisecond)
			if !all.Asking() {
				t.Error("nobody asks 49 ms after a request")
			}
		}
		time.Sleep(time.Millisecond)
		if all.Asking() {
			t.Error("somebody asks 50 ms after the last request")
		}
	})
}

func TestATurnIsTakenOnceAndGivenBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := of(2)
		all.Asked()
		a, b := all.Of(), all.Of()
		a.Take()
		a.Take() // held already
		b.GiveBack()
		taken := make(chan struct{})
		go func() { b.Take(); close(taken) }()
		synctest.Wait()
		select {
		case <-taken:
			t.Fatal("there are two turns")
		default:
		}
		a.GiveBack()
		a.GiveBack()
		<-taken
		b.GiveBack()
		if most, _ := work(all, 2, 1); most != 1 {
			t.Errorf("then there are %d turns, want 1", most)
		}
	})
}

// A turn that was taken while somebody asked is given back also when nobody asks any more.
func TestNoTurnIsLostWhenAskingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := of(2)
		all.Asked()
		turn := all.Of()
		turn.Take()
		time.Sleep(time.Second)
		turn.GiveBack()
		all.Asked()
		if most, _ := work(all, 2, 1); most != 1 {
			t.Errorf("then there are %d turns, want 1", most)
		}
	})
}

func TestRestIsTwiceAsLongAsTheWork(t *testing.T) {
	for _, processors := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			all := of(processors)
			all.Asked()
			turn := all.Of()
			if rest := turn.Rest(); rest != 0 {
				t.Errorf("%d processors: Rest before the work = %v, want 0", processors, rest)
			}
			for range 3 {
				turn.Take()
				time.Sleep(time.Millisecond)
				turn.GiveBack()
			}
			if worked := turn.Worked(); worked != 3*time.Millisecond {
				t.Errorf("%d processors: Worked = %v, want 3ms", processors, worked)
			}
			if rest := turn.Rest(); rest != 6*time.Millisecond {
				t.Errorf("%d processors: Rest = %v, want 6ms", processors, rest)
			}
			if rest := turn.Rest(); rest != 0 {
				t.Errorf("%d processors: Rest again = %v, want 0", processors, rest)
			}
			turn.Take()
			time.Sleep(30 * time.Millisecond) // waiting for something, most of it
			turn.GiveBack()
			if rest := turn.Rest(); rest != 8*time.Millisecond {
				t.Errorf("%d processors: Rest after 30 ms = %v, want 8ms", processors, rest)
			}
			all.Asked()
			turn.Take()
			time.Sleep(time.Second)
			turn.GiveBack()
			if rest := turn.Rest(); rest != 0 {
				t.Errorf("%d processors: Rest when nobody asks any more = %v, want 0", processors, rest)
			}
		})
	}
}

// With one processor a wait for a turn would only add to the wait of whoever holds a lock.
func TestWithOneProcessorNobodyWaitsForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := of(1)
		all.Asked()
		if most, took := work(all, 4, 1); most != 4 || took != time.Millisecond {
			t.Errorf("%d of 4 goroutines were at work at the same time, for %v; want all, for 1ms", most, took)
		}
		if !all.Alone() || of(2).Alone() || (*turns.Turns)(nil).Alone() {
			t.Error("Alone is not what it says")
		}
	})
}
