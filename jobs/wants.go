package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/rollout"
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
	// groupsAhead bounds the groups below a target that are read before a rollout comes to them.
	groupsAhead = 16
	// queuesAhead is about how many queues are read for jobs that come later.
	queuesAhead = 4 * stepMax
)

// wants names what will be read.
type wants struct {
	*commit.Wants
	s *Jobs
}

// execution is what a request on one execution of a job reads: the latest one unless number is
// set.
func (w wants) execution(queue store.QueueKey, job muster.JobID, number *int64) {
	w.Record(tables.jobs.Table, string(job))
	if number == nil {
		w.Latest(queue, job)
		return
	}
	w.Queue(queue)
	w.Execution(store.ExecutionKey{Thing: queue.Thing, Job: job, Number: *number})
}

// head is what giving the head of a queue to its thing reads.
func (w wants) head(queue store.QueueKey) {
	w.Head(queue, tables.jobs.Table, tables.documents.Table)
	w.rest()
}

// pending is what deviceQueue reads.
func (w wants) pending(queue store.QueueKey) {
	w.Head(queue, tables.jobs.Table)
	w.rest()
}

// rest is what bringing queues up to date reads beside what is pending.
func (w wants) rest() {
	if w.Far() {
		w.OfEntries(tables.jobs.Table)
		lookup.WantIdleThings(w.Wants)
	}
}

// end is what the end of an execution reads beside it: the last one of a job completes the job.
func (w wants) end(queue store.QueueKey, job muster.JobID) {
	w.Next(queue, job, tables.jobs.Table, tables.documents.Table) // which its device is told of
	w.told(queue)
	if w.First(job) {
		w.Counts(job)
		w.s.events.WantTell(w.Wants)
		w.Record(store.Tallies.Table, activeJobs)
		w.Under(tables.deferred.Table, string(job))
	}
}

// told is what is read of a thing that is told of a change, in case that is kept.
func (w wants) told(queue store.QueueKey) {
	if w.Far() && w.s.audience.Keep(queue, muster.Change{List: true, Next: true}) {
		w.Record(tables.outbox.Table, outboxKey(queue))
	}
}

// managed is what an operator's change of an execution reads. The namespace of the queue may be
// a guess.
func (w wants) managed(queue store.QueueKey, job muster.JobID, number *int64) {
	if !w.Far() {
		return
	}
	w.execution(queue, job, number)
	if number != nil {
		w.Latest(queue, job) // rememberGap
	}
	w.end(queue, job)
}

// job is what a change of a job reads.
func (w wants) job(id muster.JobID) {
	if !w.Far() {
		return
	}
	w.Record(tables.jobs.Table, string(id))
	w.Record(store.Tallies.Table, activeJobs)
	w.Counts(id)
	w.Under(tables.deferred.Table, string(id))
	w.Under(tables.joining.Table, string(id))
	if w.s.limits.ConcurrentJobs > 0 {
		w.Range(tables.concurrent.Table, "", "")
		w.Range(tables.line.Table, "", "")
	}
	w.s.events.WantTell(w.Wants)
}

// targets is what a rollout reads to find the next things of a job, from its position at on.
func (w wants) targets(j *muster.Job, at muster.Rollout) {
	if !w.Far() {
		return
	}
	first := min(at.Target, len(j.Targets))
	for i, t := range j.Targets[first:min(first+targetsAhead, len(j.Targets))] {
		lookup.WantTarget(w.Wants, t)
		switch {
		case !t.Group:
			w.Queue(store.QueueKey{Thing: muster.ThingName(t.Name), Namespace: j.Namespace})
		case i > 0 || at.Group == "":
			lookup.WantMembers(w.Wants, t, "")
		case at.Group == t.Name:
			lookup.WantMembers(w.Wants, t, muster.ThingName(at.After))
		default:
			lookup.WantTarget(w.Wants, muster.Target{Group: true, Name: at.Group})
		}
	}
	lookup.WantDeparting(w.Wants)
}

// piece is what the next piece of the work of a job reads (rollout.Next).
func (w wants) piece(j *muster.Job, now muster.Instant) {
	w.job(j.ID)
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
		w.targets(j, j.Rollout)
	}
}

// prefetch is commit.Tx.Prefetch. On a store that is not reached over a network it does nothing.
func (tx *transaction) prefetch(name func(wants)) {
	if tx.Far() {
		tx.Prefetch(func(w *commit.Wants) { name(wants{w, tx.s}) })
	}
}

// readAhead is called at the start of a step for the job ids[0]; the steps after it are for the
// other ids. The first step of a transaction reads in a few requests what it and the steps after
// it need.
func (tx *transaction) readAhead(ids []muster.JobID) error {
	if !tx.Far() {
		return nil
	}
	if tx.ahead[ids[0]] {
		ids = ids[:1]
	}
	ids = ids[:min(len(ids), jobsAhead)]
	tx.prefetch(func(w wants) {
		for _, id := range ids {
			w.Record(tables.jobs.Table, string(id))
		}
	})
	var all []*muster.Job
	for _, id := range ids {
		if tx.ahead == nil {
			tx.ahead = map[muster.JobID]bool{}
		}
		tx.ahead[id] = true
		j, err := tx.job(id)
		if err != nil {
			return err
		}
		if j != nil {
			all = append(all, j)
		}
	}
	tx.prefetch(func(w wants) {
		for _, j := range all {
			w.piece(j, tx.Now)
		}
	})
	var queues []store.QueueKey
	for _, j := range all {
		if len(queues) >= queuesAhead {
			break
		}
		next, err := upcoming(tx, *j)
		if err != nil {
			return err
		}
		queues = append(queues, next...)
	}
	tx.prefetch(func(w wants) {
		for _, queue := range queues {
			w.Queue(queue)
			w.told(queue)
		}
	})
	return nil
}

// upcoming returns the queues of things that the next step of a rollout gives the job, as far
// as can be told.
func upcoming(tx *transaction, j muster.Job) ([]store.QueueKey, error) {
	if !j.Due(tx.Now) || !j.RollsOutNow() || j.Rollout.Target == len(j.Targets) {
		return nil, nil
	}
	j, schedule, err := rollout.OnSchedule(j, tx.Now)
	if err != nil {
		return nil, err
	}
	plan, err := pace(tx, j, schedule)
	if err != nil || plan.Queue == 0 {
		return nil, err
	}
	w := walk{tx: tx, j: &j, at: j.BeginRollout(tx.Now).Rollout}
	found, _, err := w.next(min(stepMax, plan.Queue))
	queues := make([]store.QueueKey, len(found))
	for i, thing := range found {
		queues[i] = store.QueueKey{Thing: thing, Namespace: j.Namespace}
	}
	return queues, err
}
