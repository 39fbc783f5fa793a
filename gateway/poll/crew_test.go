package poll

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// burst is a waker that waits for the others of its burst, as requests wait for one sync.
type burst struct {
	awake, over *sync.WaitGroup
	gate        chan struct{}
}

func (b burst) Wake() {
	deep(20)
	b.awake.Done()
	<-b.gate
	b.over.Done()
}

// deep uses about as much stack as a request.
func deep(n int) (sum byte) {
	var frame [128]byte
	frame[n] = byte(n)
	if n > 0 {
		sum = deep(n - 1)
	}
	return sum + frame[n]
}

// wakeTogether wakes n connections and returns when all have been awake at once.
func (w *crew) wakeTogether(n int) {
	b := burst{new(sync.WaitGroup), new(sync.WaitGroup), make(chan struct{})}
	b.awake.Add(n)
	b.over.Add(n)
	for range n {
		w.wake(&Conn{waker: b})
	}
	b.awake.Wait()
	close(b.gate)
	b.over.Wait()
}

// waiting is how many workers wait for a connection to wake.
func (w *crew) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.idle)
}

func TestWorkersWaitForTheNextBurstAndThenLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(crew)
		for _, n := range []int{workersIdle, workersBusy / 2, workersBusy, 2 * workersBusy} {
			w.wakeTogether(n)
			synctest.Wait()
			if idle := w.waiting(); idle != min(n, workersBusy) {
				t.Errorf("after %d at once, %d workers wait for the next burst", n, idle)
			}
			time.Sleep(2 * tide)
			if synctest.Wait(); w.waiting() != workersIdle {
				t.Errorf("a while after %d at once, %d workers wait, want %d", n, w.waiting(), workersIdle)
			}
		}
		w.wakeTogether(workersBusy)
		w.end()
		if idle := w.waiting(); idle != 0 {
			t.Errorf("%d workers still wait at the end", idle)
		}
	})
}

// BenchmarkBursts wakes connections a few or many at once, over and over: the work of as many requests on stacks that have grown
// already.
func BenchmarkBursts(b *testing.B) {
	for _, size := range []int{8, 512} {
		b.Run(fmt.Sprint(size, " at once"), func(b *testing.B) {
			w := new(crew)
			w.wakeTogether(workersBusy)
			for b.Loop() {
				w.wakeTogether(size)
			}
			w.end()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/wake")
		})
	}
}
