package store

import (
	"context"
	"hash/maphash"

	"github.com/muster-iot/muster"
)

// Invariant is something that must be true of every store at every instant,
// also after a crash.
type Invariant string

// The invariants that Verify checks. The first four are those of a thing's
// executions, the last says that the store itself is sound.
const (
	CountsAreSums      Invariant = "the counts of a job equal a recount"
	OneLiveExecution   Invariant = "a thing has at most one live execution of a job, its latest"
	QueuesAreLive      Invariant = "queues hold the live executions, field by field, and nothing else"
	TimersAreDeadlines Invariant = "every deadline has its timer, and every timer its deadline"
	IndexIsComplete    Invariant = "the index by job holds every execution once, in order"
	Readable           Invariant = "everything can be read"
)

// Problem is one place where an invariant does not hold.
type Problem struct {
	Invariant Invariant
	Detail    string // where, and the two things that disagree
}

func (p Problem) String() string { return p.Detail + ", but " + string(p.Invariant) }

// MaxProblems is how many problems Verify looks for before it gives up.
const MaxProblems = 1000

// Verify reads everything on one snapshot and returns the problems it finds, at
// most MaxProblems; an error means that it could not finish. Jobs are found
// through their executions, queues and timers; jobs names further ones, whose
// counts must be zero if they have no execution. Memory grows with the number of
// jobs (about 100 bytes each), not with that of things, or of executions but for
// those of one thing. A million executions take some seconds, during which the
// store remains usable.
func Verify(ctx context.Context, s Store, jobs ...muster.JobID) ([]Problem, error) {
	var v verification
	err := s.View(ctx, func(r Reader) error {
		v = verification{ctx: ctx, r: r, jobs: map[muster.JobID]muster.Counts{}, seed: maphash.MakeSeed()}
		v.deadlines = v.none()
		for _, job := range jobs {
			v.jobs[job] = muster.Counts{}
		}
		for _, check := range []func() error{v.things, v.timers, v.countsAndIndex} {
			if err := check(); err != nil || len(v.problems) >= MaxProblems {
				return err
			}
		}
		return nil
	})
	return v.problems[:min(len(v.problems), MaxProblems)], err
}
