package sim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/muster-iot/muster/internal/teststore"
)

var (
	simSeed     = flag.Uint64("sim.seed", 0, "play this seed alone, or with -sim.duration those from it on; 0 plays some that never change, or random ones with -sim.duration")
	simSteps    = flag.Int("sim.steps", 3000, "steps of each simulation")
	simTail     = flag.Int("sim.tail", 40, "lines of history that a failure shows")
	simOnly     = flag.String("sim.only", "", "show only the lines of history that match this regular expression")
	simDuration = flag.Duration("sim.duration", 0, "play random seeds, or those from -sim.seed on, for so long")
)

// TestSequential simulates the service, its store and its devices step by step.
func TestSequential(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and one goroutine")
	}
	for seed := range seeds(t, 4, 2.0/3) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			began := time.Now()
			w, found := play(t, course{seed: seed, steps: *simSteps, database: teststore.Postgres(t)})
			if found != nil {
				t.Fatal(shorter(t, found).report("TestSequential"))
			}
			t.Logf("%d steps, %d things, %v of virtual time in %v", w.step, len(w.operator.names), (w.now - epoch).Time().Sub(time.UnixMilli(0)), time.Since(began).Round(time.Millisecond))
		})
	}
}

// shorter returns the breach of a course with fewer steps, if there is one. A
// breach before the end of a course needs no more steps than were done.
func shorter(t *testing.T, found *breach) *breach {
	for cut := found.steps / 2; cut > 5; cut /= 2 {
		c := found.course
		if c.steps = min(found.steps, found.step) - cut; c.steps <= 0 {
			continue
		}
		if _, again := play(t, c); again != nil {
			found = again
		}
	}
	found.steps = min(found.steps, found.step)
	return found
}

// A failure can be examined only if its seed fails again.
func TestASeedReplaysExactly(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and one goroutine")
	}
	for seed := range uint64(2) {
		first, found := play(t, course{seed: 100 + seed, steps: 1000})
		again, foundAgain := play(t, course{seed: 100 + seed, steps: 1000})
		if first.history.Sum64() != again.history.Sum64() || (found == nil) != (foundAgain == nil) {
			t.Errorf("seed %d went another way when it was played again: %v, %v", 100+seed, first.tail, again.tail)
		}
	}
}

// seeds yields the seeds to play: n fixed ones, or what the flags say. A test has
// its share of the duration.
func seeds(t *testing.T, n uint64, share float64) func(func(uint64) bool) {
	return func(yield func(uint64) bool) {
		switch {
		case *simDuration > 0:
			next := *simSeed
			for end := time.Now().Add(time.Duration(share * float64(*simDuration))); time.Now().Before(end) && !t.Failed(); next++ {
				if *simSeed == 0 {
					next = 1 + rand.Uint64N(1<<32)
				}
				if !yield(next) {
					return
				}
			}
		case *simSeed != 0:
			yield(*simSeed)
		default:
			for seed := range n {
				if !yield(1 + seed) {
					return
				}
			}
		}
	}
}
