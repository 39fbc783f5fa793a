package sim

import (
	"slices"

	"github.com/muster-iot/muster"
)

// lawfulJob is the state machine of a job; the zero status is before its
// creation.
var lawfulJob = map[muster.JobStatus][]muster.JobStatus{
	0:                    {muster.JobScheduled, muster.JobInProgress},
	muster.JobScheduled:  {muster.JobScheduled, muster.JobInProgress, muster.JobCompleted, muster.JobCanceled, muster.JobDeleting},
	muster.JobInProgress: {muster.JobInProgress, muster.JobScheduled, muster.JobCompleted, muster.JobCanceled, muster.JobDeleting},
	muster.JobCompleted:  {muster.JobCompleted, muster.JobDeleting},
	muster.JobCanceled:   {muster.JobCanceled, muster.JobDeleting},
	muster.JobDeleting:   {muster.JobDeleting},
}

// auditJob checks a job as it was stored, and enters it into the book.
func (b *book) auditJob(at muster.Instant, now *muster.Job) {
	j := b.jobs[now.ID]
	if j == nil {
		b.broke("job %s was stored, which nobody ordered", now.ID)
		return
	}
	was := muster.Job{}
	if j.stored != nil {
		was = *j.stored
	}
	if !slices.Contains(lawfulJob[was.Status], now.Status) {
		b.broke("job %s went from %s to %s", j.id, was.Status, now.Status)
	}
	j.stored = now
	if now.Status != was.Status {
		b.turned(at, j, was.Status)
	}
	if now.Rollout.Done && !was.Rollout.Done && !now.Over {
		b.rolledOut(j)
	}
	if now.Over && !was.Over {
		if !j.calendar.over(at) {
			b.broke("job %s is over before its end: %+v", j.id, j.calendar)
		}
		clear(j.owed)
		clear(j.again)
	}
}

// turned checks the new status of a job.
func (b *book) turned(at muster.Instant, j *job, was muster.JobStatus) {
	switch j.stored.Status {
	case muster.JobScheduled:
		if was == muster.JobInProgress && j.calendar.open(at) {
			b.broke("job %s paused inside its window %+v", j.id, j.calendar)
		}
	case muster.JobInProgress:
		if !j.calendar.open(at) {
			b.broke("job %s began outside its schedule %+v", j.id, j.calendar)
		}
	case muster.JobCompleted:
		b.completed(j)
	case muster.JobCanceled:
		if j.stopped == runs && !met(j.config.Abort, j.counts) {
			b.broke("job %s was cancelled and nobody asked for it: %v, %+v", j.id, j.counts, j.config.Abort)
		}
		clear(j.owed)
		clear(j.again)
	case muster.JobDeleting:
		if j.stopped != deleted {
			b.broke("job %s is being deleted and nobody asked for it", j.id)
		}
	}
}

// completed checks the completion of a job (jobs-lifecycle.md section 12).
func (b *book) completed(j *job) {
	switch {
	case j.counts.Pending() > 0:
		b.broke("job %s is complete with %v", j.id, j.counts)
	case j.selection == muster.Continuous && !j.stored.Over:
		b.broke("continuous job %s is complete before its end", j.id)
	case len(j.owed) > 0 && !j.stored.Over:
		b.missed(j)
	case len(j.again) > 0 && !j.stored.Over:
		b.broke("job %s is complete though retries are owed: %v", j.id, names(j.again))
	}
}

// rolledOut checks the end of a rollout: every thing has been given the job.
func (b *book) rolledOut(j *job) { b.missed(j) }

// missed looks for things that should have been given a job by now.
func (b *book) missed(j *job) {
	for _, name := range names(j.owed) {
		if !j.lenient[name] {
			b.broke("job %s is rolled out and %s was passed over (debt %d)", j.id, name, j.owed[name])
		}
		delete(j.owed, name)
		j.lenient[name] = true
	}
}

// smallMax is how many things a job has at most if its executions exist when the
// command that causes them is answered (arbitration A21).
const smallMax = 128

// prompt checks what an operator finds right after creating a job or giving it more
// targets: if it is small, all its executions or, with a rate, the first slice of
// them.
func (b *book) prompt(id muster.JobID) {
	j := b.jobs[id]
	switch {
	case j.stored == nil:
		b.broke("job %s was acknowledged and is not stored", id)
	case !j.gives() || j.stored.Status != muster.JobInProgress || b.reach(j) > smallMax:
		return
	}
	owed := 0
	for name, debt := range j.owed {
		if debt == atStart && !j.lenient[name] {
			owed++
		}
	}
	switch rate := min(rateAt(j.config.Rollout, b.limit, j.rates.step), unlimited); {
	case owed == 0:
	case rate == unlimited:
		b.broke("job %s was answered, and %d things do not have it: %v", id, owed, names(j.owed))
	case j.rates.rested(b.now) > 20*minute && j.made < max(1, rate/60):
		b.broke("job %s was answered and had been given to %d things at a rate of %d; %d do not have it", id, j.made, rate, owed)
	}
}

// reach is how many things a job is for at present.
func (b *book) reach(j *job) int {
	n := 0
	for name := range b.things {
		if b.covers(j, name) {
			n++
		}
	}
	return n
}

// auditGone checks the removal of a job's record, which must be its last.
func (b *book) auditGone(id muster.JobID) {
	j := b.jobs[id]
	switch {
	case j == nil:
		b.broke("job %s was removed, and there was none", id)
	case j.stopped != deleted:
		b.broke("job %s was removed, and nobody asked for it", id)
	case j.counts.Total() != 0:
		b.broke("job %s was removed and left executions behind: %v", id, j.counts)
	}
	delete(b.jobs, id)
}

// settled checks what must be true once all that is due has been done.
func (b *book) settled() {
	for _, id := range names(b.jobs) {
		j := b.jobs[id]
		switch {
		case j.stored == nil:
			b.broke("job %s was ordered and is not stored", id)
			continue
		case j.stored.Settling || j.stored.Revealing:
			b.broke("job %s has work left: %+v", id, j.stored)
		case j.stopped != runs && j.stored.Status.Active():
			b.broke("job %s goes on after it was stopped: %+v", id, j.stored)
		case j.stopped == deleted:
			b.broke("job %s is deleted and still there", id)
		case j.stored.Status.Active() && !j.stored.Over && j.calendar.over(b.now-slack):
			b.broke("job %s goes on after its end", id)
		case j.stored.Status == muster.JobScheduled && j.calendar.open(b.now) && j.calendar.open(b.now-slack):
			b.broke("job %s waits inside its schedule %+v", id, j.calendar)
		case j.stored.Status == muster.JobInProgress && !j.stored.Over && !j.calendar.wasOpen(b.now):
			b.broke("job %s goes on outside its schedule %+v", id, j.calendar)
		case j.stored.Status == muster.JobCanceled && (j.counts.Of(muster.Queued) > 0 || j.stored.ForceCanceled && j.counts.Pending() > 0):
			b.broke("job %s is cancelled with %v", id, j.counts)
		}
		if !j.gives() || j.hides() {
			continue
		}
		if j.stored.Rollout.Done {
			b.missed(j)
		}
		for _, name := range names(j.again) {
			if !j.left[name] {
				b.broke("%s was not given job %s again in the window", name, id)
			}
			delete(j.again, name)
		}
	}
}
