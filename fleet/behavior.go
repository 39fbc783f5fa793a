package fleet

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Behavior is how devices act. What a device does with a job depends on Seed
// and the two names alone, so a fleet plays the same part again.
type Behavior struct {
	Seed uint64
	// Work is the mean time a job takes; each takes between half and one and a
	// half of it.
	Work time.Duration
	// Steps is how many progress reports a device makes on the way.
	Steps int
	// Fail and Reject are the shares, 0 to 1, of jobs that end so.
	Fail, Reject float64
	// Pick is the share, 0 to 1, of devices that choose from the list of what
	// is pending instead of taking what comes next.
	Pick float64
}

// Outcome is how a job ends on a device.
type Outcome uint8

// The outcomes.
const (
	Succeed Outcome = iota
	Fail
	Reject
)

// outcome says how job ends on thing.
func (b Behavior) outcome(thing, job string) Outcome {
	switch roll := b.dice("outcome", thing, job).Float64(); {
	case roll < b.Reject:
		return Reject
	case roll < b.Reject+b.Fail:
		return Fail
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
	return b.dice("picks", thing, "").Float64() < b.Pick
}

// dice returns the source of chance for one question about thing and job.
func (b Behavior) dice(question, thing, job string) *rand.Rand {
	h := fnv.New64a()
	for _, part := range []string{question, thing, job} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return rand.New(rand.NewPCG(b.Seed, h.Sum64()))
}
