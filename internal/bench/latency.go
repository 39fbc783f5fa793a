package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// latencies are how long things took.
type latencies []time.Duration

// at returns the latency that a share of them did not exceed.
func (l latencies) at(share float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	return l[min(len(l)-1, int(share*float64(len(l))))]
}

func (l latencies) String() string {
	return fmt.Sprintf("%s / %s", millis(l.at(0.50)), millis(l.at(0.99)))
}

// inParallel does the n pieces of a task, each once, with a number of workers, and
// stops at the first error. do gets the worker, 0 to workers-1, and the piece.
func inParallel(workers, n int, do func(worker, i int) error) error {
	var all sync.WaitGroup
	var next atomic.Int64
	var once sync.Once
	var first error
	for w := range min(workers, n) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := do(w, int(i)); err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
					return
				}
			}
		})
	}
	all.Wait()
	return first
}
