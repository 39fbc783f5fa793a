package sim

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// audit checks a transaction that became durable, and enters it into the book. by
// says on whose behalf it was written.
func (b *book) audit(t *transaction, by author) {
	b.open(t)
	firsts := map[*job]int{}
	ended := map[*job]bool{}
	for _, w := range t.writes {
		switch {
		case w.job != nil:
			b.auditJob(t.at, w.job)
		case w.gone != "":
			b.auditGone(w.gone)
		case w.before == nil:
			if j := b.created(t.at, *w.after, by); j != nil {
				firsts[j]++
			}
		case w.after == nil:
			b.dropped(*w.before)
		default:
			b.changed(t.at, *w.before, *w.after)
			if w.after.Status.Terminal() {
				if j := b.jobs[w.after.Job]; j != nil {
					ended[j] = true
				}
			}
		}
	}
	for j, n := range firsts {
		if !j.rates.give(t.at, n, b.late, j.config.Rollout, b.limit, j.given, j.counts.Of(muster.Succeeded)) {
			b.broke("job %s gave %d more things an execution, above its rate of %+v: %+v", j.id, n, j.config.Rollout, j.rates)
		}
		j.given += int64(n)
	}
	for j := range ended {
		b.concluded(j)
	}
}

// open collects the states that jobs have within a transaction: an execution may
// have been changed in any of them.
func (b *book) open(t *transaction) {
	for _, j := range b.jobs {
		j.within = []*muster.Job{j.stored}
	}
	for _, w := range t.writes {
		if w.job == nil || b.jobs[w.job.ID] == nil {
			continue
		}
		j := b.jobs[w.job.ID]
		last := j.within[len(j.within)-1]
		j.within = append(j.within, w.job)
		if (last == nil || last.Rollout.Started == 0) && w.job.Rollout.Started != 0 && !w.job.Over {
			b.begin(j)
		}
	}
}

// author is on whose behalf a transaction was written: the service's background
// work, or a caller, who may have asked for the rollout of a job.
type author struct {
	itself bool
	rolls  muster.JobID
}

// created checks a new execution. It returns its job when it is a first one that
// counts for the rate.
func (b *book) created(at muster.Instant, x muster.Execution, by author) *job {
	j := b.jobs[x.Job]
	if j == nil {
		b.broke("%s was given job %s, which nobody ordered", x.Thing, x.Job)
		return nil
	}
	latest := j.latest(x.Thing)
	debt, owed := j.owed[x.Thing]
	again := j.again[x.Thing]
	switch {
	case j.stopped != runs && !j.stopping || !slices.ContainsFunc(j.within, giving):
		b.broke("%s was given job %s, which gives nothing: %+v", x.Thing, x.Job, j.stored)
	case !j.calendar.wasOpen(at) && at > b.down+slack:
		b.broke("%s was given job %s outside its schedule %+v", x.Thing, x.Job, j.calendar)
	case b.things[x.Thing] == nil:
		b.broke("%s was given job %s and is not in the registry", x.Thing, x.Job)
	case latest != nil && !latest.Status.Terminal():
		b.broke("%s was given job %s twice at a time: %+v after %+v", x.Thing, x.Job, x, *latest)
	case x.Status != muster.Queued || x.Version != 1 || x.StartedAt != 0 || len(x.Details) != 0 || x.Deadline() != 0:
		b.broke("a new execution is not a new one: %+v", x)
	case latest == nil && x.Number != 1 || latest != nil && x.Number != latest.Number+1:
		b.broke("execution %+v does not follow %+v", x, latest)
	case latest != nil && x.QueuedAt.Seconds() <= latest.QueuedAt.Seconds():
		b.broke("execution %d of %s on %s was queued in the same second as the one before", x.Number, x.Job, x.Thing)
	case x.QueuedAt < at || x.QueuedAt > at+second:
		b.broke("execution %+v was queued at %d", x, at)
	case !again && !owed && !j.lenient[x.Thing]:
		b.broke("%s was given job %s (number %d) and should not have been", x.Thing, x.Job, x.Number)
	case again && x.Retries.Attempt() != latest.Retries.Attempt()+1 && !j.lenient[x.Thing]:
		b.broke("a retry has attempt %d after %d: %+v", x.Retries.Attempt(), latest.Retries.Attempt(), x)
	case !again && owed && x.Retries.Attempt() != 0:
		b.broke("a first execution has retries: %+v", x)
	}
	delete(j.owed, x.Thing)
	delete(j.again, x.Thing)
	delete(j.left, x.Thing)
	j.runs[x.Thing] = append(j.runs[x.Thing], x)
	j.counts = j.counts.Add(x.Status, 1)
	j.made++
	b.queue(x)
	if (by.itself || by.rolls == x.Job) && owed && debt == atStart && x.Number == 1 {
		return j
	}
	return nil
}

func (b *book) queue(x muster.Execution) {
	key := store.QueueKey{Thing: x.Thing, Namespace: x.Namespace}
	if x.Status.Terminal() {
		delete(b.live[key], x.Job)
		return
	}
	if b.live[key] == nil {
		b.live[key] = map[muster.JobID]muster.Execution{}
	}
	b.live[key][x.Job] = x
}

// dropped checks the deletion of an execution.
func (b *book) dropped(x muster.Execution) {
	j := b.jobs[x.Job]
	if j == nil || j.find(x.Thing, x.Number) == nil {
		b.broke("execution %+v was deleted, and there was none", x)
		return
	}
	asked := slices.ContainsFunc(b.asked, func(r request) bool { return r.drop && r.thing == x.Thing && r.job == x.Job })
	if j.stopped != deleted && j.stored.Status != muster.JobDeleting && !asked {
		b.broke("execution %+v was deleted, and nobody asked for it", x)
	}
	j.runs[x.Thing] = slices.DeleteFunc(j.runs[x.Thing], func(y muster.Execution) bool { return y.Number == x.Number })
	j.counts = j.counts.Add(x.Status, -1)
	j.lenient[x.Thing] = true // a rollout that reaches the thing again may give it the job again
	delete(j.again, x.Thing)  // whether a retry is still due cannot be known
	if live, ok := b.live[store.QueueKey{Thing: x.Thing, Namespace: x.Namespace}][x.Job]; ok && live.Number == x.Number {
		delete(b.live[store.QueueKey{Thing: x.Thing, Namespace: x.Namespace}], x.Job)
	}
}

// changed checks a change of an execution.
func (b *book) changed(at muster.Instant, before, after muster.Execution) {
	j := b.jobs[after.Job]
	if j == nil {
		b.broke("execution %+v of a job that is gone was changed", after)
		return
	}
	x := j.find(after.Thing, after.Number)
	if x == nil || !x.Equal(before) {
		b.broke("a change of %+v was made of %+v: an update was lost", x, before)
		return
	}
	b.moved(at, j, before, after)
	*x = after
	j.counts = j.counts.Add(before.Status, -1).Add(after.Status, 1)
	b.queue(after)
	if after.Status == muster.Failed || after.Status == muster.TimedOut {
		b.mayRetry(at, j, after)
	}
}

// lawful says who may move an execution from where to where.
var lawful = map[[2]muster.Status]muster.Actor{
	{muster.Queued, muster.InProgress}:     muster.Device,
	{muster.Queued, muster.Succeeded}:      muster.Device,
	{muster.Queued, muster.Failed}:         muster.Device,
	{muster.Queued, muster.Rejected}:       muster.Device,
	{muster.Queued, muster.Canceled}:       muster.Operator,
	{muster.Queued, muster.Removed}:        muster.Registry,
	{muster.InProgress, muster.InProgress}: muster.Device,
	{muster.InProgress, muster.Succeeded}:  muster.Device,
	{muster.InProgress, muster.Failed}:     muster.Device,
	{muster.InProgress, muster.Rejected}:   muster.Device,
	{muster.InProgress, muster.TimedOut}:   muster.Clock,
	{muster.InProgress, muster.Canceled}:   muster.Forced,
	{muster.InProgress, muster.Removed}:    muster.Registry,
}

// moved checks the change of an execution's status.
func (b *book) moved(at muster.Instant, j *job, before, after muster.Execution) {
	same := after
	same.StepDeadline = before.StepDeadline
	if same.Equal(before) && b.wasAsked(after, muster.Device, muster.InProgress) {
		return // start-next again: only the step timer moves
	}
	actor, ok := lawful[[2]muster.Status{before.Status, after.Status}]
	switch {
	case !ok:
		b.broke("an execution went from %s to %s: %+v", before.Status, after.Status, after)
	case after.Version != before.Version+1:
		b.broke("a change took version %d to %d: %+v", before.Version, after.Version, after)
	case after.Retries != before.Retries || after.QueuedAt != before.QueuedAt || after.UpdatedAt != at:
		b.broke("a change of %+v made %+v", before, after)
	case after.Status.Terminal() && after.Deadline() != 0:
		b.broke("a timer runs on after the end: %+v", after)
	}
	switch actor {
	case muster.Device:
		if !b.wasAsked(after, muster.Device, after.Status) {
			b.broke("no device asked for %+v", after)
		}
		b.timed(at, j, before, after)
	case muster.Operator, muster.Forced:
		decided := slices.ContainsFunc(j.within, func(as *muster.Job) bool { return as != nil && j.ends(as, before.Status) })
		if !decided && !b.wasAsked(after, actor, muster.Canceled) && !b.wasAsked(after, muster.Forced, muster.Canceled) {
			b.broke("execution %+v was cancelled and nobody asked for it; the job is %+v", before, j.stored)
		}
		if after.ForceCanceled != (before.Status == muster.InProgress) {
			b.broke("forceCanceled is wrong: %+v", after)
		}
	case muster.Clock:
		b.timedOut(at, before)
	case muster.Registry:
		gone := b.things[after.Thing] == nil
		if !gone && (j.selection != muster.Continuous || b.covers(j, after.Thing) || before.Status == muster.InProgress && !b.removes) {
			b.broke("execution %+v was removed, and its thing is still a target", before)
		}
	}
}

// timed checks the timers that run after a device's report.
func (b *book) timed(at muster.Instant, j *job, before, after muster.Execution) {
	if after.Status != muster.InProgress {
		return
	}
	want := before.JobDeadline
	if before.Status == muster.Queued {
		if want = 0; j.config.TimeoutMinutes > 0 {
			want = at + muster.Instant(j.config.TimeoutMinutes)*minute
		}
		if after.StartedAt != at {
			b.broke("an execution that started at %d says %+v", at, after)
		}
	}
	if after.JobDeadline != want {
		b.broke("the in-progress timer of %+v should run until %d", after, want)
	}
}

// timedOut checks a timer that fired.
func (b *book) timedOut(at muster.Instant, x muster.Execution) {
	due := x.Deadline()
	switch {
	case due == 0 || due > at:
		b.broke("execution %+v timed out at %d, too early", x, at)
	case at > max(due, b.down)+slack:
		b.broke("execution %+v timed out at %d, too late", x, at)
	}
}

// overdue looks for timers that should have fired.
func (b *book) overdue() {
	for _, all := range b.live {
		for _, x := range all {
			if due := x.Deadline(); due != 0 && b.now > max(due, b.down)+slack {
				b.broke("execution %+v was due at %d and has not timed out at %d", x, due, b.now)
			}
		}
	}
}

func (b *book) wasAsked(x muster.Execution, by muster.Actor, status muster.Status) bool {
	return slices.ContainsFunc(b.asked, func(r request) bool {
		return r.thing == x.Thing && r.by == by && (r.job == "" || r.job == x.Job) && r.status == status
	})
}

// mayRetry records that a thing must get another execution, if it must.
func (b *book) mayRetry(at muster.Instant, j *job, x muster.Execution) {
	if !j.gives() || j.calendar.over(at) || j.selection == muster.Continuous && !b.covers(j, x.Thing) {
		return
	}
	for _, c := range j.config.Retry {
		used, meant := 0, false
		switch c.Failure {
		case muster.FailureFailed:
			used, meant = x.Retries.Failed, x.Status == muster.Failed
		case muster.FailureTimedOut:
			used, meant = x.Retries.TimedOut, x.Status == muster.TimedOut
		case muster.FailureAll:
			used, meant = x.Retries.Failed+x.Retries.TimedOut, true
		}
		if meant && used < c.Max {
			j.again[x.Thing] = true
		}
	}
}

// concluded checks a job after a transaction that ended executions of it.
func (b *book) concluded(j *job) {
	if b.jobs[j.id] != j || j.stored.Over {
		return
	}
	if j.stored.Status.Active() && met(j.config.Abort, j.counts) {
		b.broke("job %s goes on though an abort criterion is met: %v", j.id, j.counts)
	}
	if !j.gives() || j.hides() {
		return
	}
	for name := range j.again {
		if !j.left[name] {
			b.broke("%s was not given job %s again after %+v", name, j.id, *j.latest(name))
		}
		delete(j.again, name)
		j.lenient[name] = true
	}
}

// met is jobs-lifecycle.md section 11.
func met(criteria []muster.AbortCriterion, c muster.Counts) bool {
	executed := c.Of(muster.Succeeded) + c.Of(muster.Failed) + c.Of(muster.Rejected) + c.Of(muster.TimedOut)
	for _, a := range criteria {
		bad := int64(0)
		for _, status := range []muster.Status{muster.Failed, muster.Rejected, muster.TimedOut} {
			if a.Failure == muster.FailureAll || string(a.Failure) == status.String() {
				bad += c.Of(status)
			}
		}
		if executed >= int64(a.MinExecuted) && float64(bad)*100 >= a.ThresholdPercent*float64(executed)-1e-9 {
			return true
		}
	}
	return false
}
