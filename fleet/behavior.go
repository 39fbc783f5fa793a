package fleet

import (
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"time"
)

// Behavior is how devices act. What a device does with an execution depends only
// on Seed, the names of thing and job and the execution's number. So a fleet
// behaves the same in each run, and a retry may end differently from the attempt
// before it.
type Behavior struct {
	Seed uint64
	// Work is the mean time a job takes; each takes between half and one and a
	// half of it.
	Work time.Duration
	// Steps is how many progress reports a device makes on the way.
	Steps int
	// Fail, Reject and Hang are the shares, 0 to 1 together, of executions that
	// end so.
	Fail, Reject, Hang float64
	// Pick is the share, 0 to 1, of devices that choose from the list of what
	// is pending instead of taking what comes next.
	Pick float64
}

// Outcome is how an execution ends on a device.
type Outcome uint8

// The outcomes.
const (
	Succeed Outcome = iota
	Fail
	Reject
	Hang // never reports the end: only a time-out, or a cancellation, ends it
)

// outcome says how an execution of job, with its number, ends on thing.
func (b Behavior) outcome(thing, job string, number int64) Outcome {
	switch roll := b.dice("outcome", thing, job, strconv.FormatInt(number, 10)).Float64(); {
	case roll < b.Reject:
		return Reject
	case roll < b.Reject+b.Fail:
		return Fail
	case roll < b.Reject+b.Fail+b.Hang:
		return Hang
	}
	return Succeed
}

// pauses returns how long thing works on job between one report and the next:
// Steps pauses, each before a progress report, and one before the end.
func (b Behavior) pauses(thing, job string) []time.Duration {
	dice := b.dice("pauses", thing, job)
	total := time.Duration((0.5 + dice.Float64()) * float64(b.Work))
	pauses := make([]time.Duration, b.Steps+1)
	for i := range pauses {
		pauses[i] = total / time.Duration(len(pauses))
	}
	return pauses
}

// picks reports whether thing chooses its jobs.
func (b Behavior) picks(thing string) bool {
	return b.dice("picks", thing).Float64() < b.Pick
}

// dice returns the random source for one question about the names.
func (b Behavior) dice(question string, names ...string) *rand.Rand {
	h := fnv.New64a()
	for _, part := range append([]string{question}, names...) {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return rand.New(rand.NewPCG(b.Seed, h.Sum64()))
}
