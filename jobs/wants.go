package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// This file names what commands and steps will read, for a store that is reached over a
// network: what is read one by one costs a round trip each. It is a guess, and nothing
// depends on it.

const (
	// jobsAhead bounds the jobs for which one step of a round reads ahead.
	jobsAhead = 64
	// targetsAhead bounds the targets of a job whose things are read before a rollout comes to
	// them.
	targetsAhead = 16
)

// wantExecution names what a request on one execution of a job reads: the latest one unless
// number is set.
func wantExecution(w *commit.Wants, queue store.QueueKey, job muster.JobID, number *int64) {
	w.Record(tables.jobs.Table, string(job))
	if number == nil {
		w.Latest(queue, job)
		return
	}
	w.Queue(queue)
	w.Execution(store.ExecutionKey{Thing: queue.Thing, Job: job, Number: *number})
}

// wantEnd names what the end of an execution reads beside it: the last one of a job completes
// the job.
func (s *Jobs) wantEnd(w *commit.Wants, queue store.QueueKey, job muster.JobID) {
	w.Counts(job)
	w.Next(queue, job, tables.jobs.Table, tables.documents.Table) // which its device is told of
	if w.Far() {
		s.wantTold(w, queue)
		s.events.WantTell(w)
		w.Record(store.Tallies.Table, activeJobs)
		w.Under(tables.deferred.Table, string(job))
	}
}

// wantTold names what is read of a thing that is told of a change, in case that is kept.
func (s *Jobs) wantTold(w *commit.Wants, queue store.QueueKey) {
	if w.Far() && s.audience.Keep(queue, muster.Change{List: true, Next: true}) {
		w.Record(tables.outbox.Table, outboxKey(queue))
	}
}

// wantJob names what a change of a job reads.
func (s *Jobs) wantJob(w *commit.Wants, id muster.JobID) {
	if !w.Far() {
		return
	}
	w.Record(tables.jobs.Table, string(id))
	w.Record(store.Tallies.Table, activeJobs)
	w.Counts(id)
	w.Under(tables.deferred.Table, string(id))
	w.Under(tables.joining.Table, string(id))
	if s.limits.ConcurrentJobs > 0 {
		w.Range(tables.concurrent.Table, "", "")
		w.Range(tables.line.Table, "", "")
	}
	s.events.WantTell(w)
}

// wantTargets names what a rollout reads to find the next things of a job, from its position at
// on.
func wantTargets(w *commit.Wants, j *muster.Job, at muster.Rollout) {
	if !w.Far() {
		return
	}
	first := min(at.Target, len(j.Targets))
	for i, t := range j.Targets[first:min(first+targetsAhead, len(j.Targets))] {
		lookup.WantTarget(w, t)
		switch {
		case !t.Group:
			w.Queue(store.QueueKey{Thing: muster.ThingName(t.Name), Namespace: j.Namespace})
		case i > 0 || at.Group == "":
			lookup.WantMembers(w, t, "")
		case at.Group == t.Name:
			lookup.WantMembers(w, t, muster.ThingName(at.After))
		default:
			lookup.WantTarget(w, muster.Target{Group: true, Name: at.Group})
		}
	}
	lookup.WantDeparting(w)
}

// wantPiece names what the next piece of the work of a job reads (rollout.Next).
func (s *Jobs) wantPiece(w *commit.Wants, j *muster.Job, now muster.Instant) {
	s.wantJob(w, j.ID)
	if j.Gives() {
		w.Record(tables.documents.Table, string(j.ID)) // which things are told of
	}
	switch {
	case !j.Due(now):
	case j.Settling:
		w.OfJob(store.OfJob{Job: j.ID, Status: muster.Queued})
		w.OfJob(store.OfJob{Job: j.ID, Status: muster.InProgress})
		if j.Status == muster.JobDeleting {
			w.OfJob(store.OfJob{Job: j.ID})
		}
	case j.Revealing:
		w.OfJob(store.OfJob{Job: j.ID, Status: muster.Queued, After: revealedUpTo(j)})
	case j.RollsOutNow():
		wantTargets(w, j, j.Rollout)
	}
}

// readAhead reads at once what the first of some steps will read, each of which does a piece of
// the work of one of these jobs. The first of them to come in a transaction reads for the next
// ones, too.
func (tx *transaction) readAhead(ids []muster.JobID) error {
	if !tx.Far() {
		return nil
	}
	if tx.ahead[ids[0]] {
		ids = ids[:1]
	}
	if tx.ahead == nil {
		tx.ahead = map[muster.JobID]bool{}
	}
	ids = ids[:min(len(ids), jobsAhead)]
	tx.Prefetch(func(w *commit.Wants) {
		for _, id := range ids {
			w.Record(tables.jobs.Table, string(id))
		}
	})
	var failed error
	tx.Prefetch(func(w *commit.Wants) {
		for _, id := range ids {
			tx.ahead[id] = true
			if j, err := tx.job(id); err != nil {
				failed = err
			} else if j != nil {
				tx.s.wantPiece(w, j, tx.Now)
			}
		}
	})
	return failed
}
