package poll

import (
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

func TestWorkersWaitForTheNextBurstAndThenLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &crew{work: make(chan *Conn), done: make(chan struct{})}
		for _, n := range []int{workersIdle, workersBusy / 2, workersBusy, 2 * workersBusy} {
			w.wakeTogether(n)
			synctest.Wait()
			if idle := w.idle.Load(); idle != int32(min(n, workersBusy)) {
				t.Errorf("after %d at once, %d workers wait for the next burst", n, idle)
			}
			time.Sleep(2 * tide)
			if synctest.Wait(); w.idle.Load() != workersIdle {
				t.Errorf("a while after %d at once, %d workers wait, want %d", n, w.idle.Load(), workersIdle)
			}
		}
		w.wakeTogether(workersBusy)
		close(w.done)
		w.all.Wait()
		if idle := w.idle.Load(); idle != 0 {
			t.Errorf("%d workers are still counted at the end", idle)
		}
	})
}

// BenchmarkBursts wakes 512 connections at once, over and over: the work of 512 requests on stacks that have
// grown already.
func BenchmarkBursts(b *testing.B) {
	const size = 512
	w := &crew{work: make(chan *Conn), done: make(chan struct{})}
	for b.Loop() {
		w.wakeTogether(size)
	}
	close(w.done)
	w.all.Wait()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/wake")
}
