package explain

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
)

// This file is about what the thing, the job and its rollout are the cause of.

func (m *matter) noThing() bool { return !m.HasThing }

func sayNoThing(m *matter, e *Explanation) {
	e.Say = fmt.Sprintf("There is no thing %s.", m.Thing)
	e.Next.Say = "when a thing of this name is made"
	e.help("see which things there are", "aws", "iot", "list-things")
}

func (m *matter) noJob() bool { return m.Job == nil }

func sayNoJob(m *matter, e *Explanation) {
	e.Say = fmt.Sprintf("There is no job %s for %s to run.", m.JobID, m.Thing)
	e.Next.Say = "when a job of this name is made"
	e.help("see which jobs there are", "aws", "iot", "list-jobs")
	e.help("see what the thing has", "aws", "iot", "list-job-executions-for-thing", "--thing-name", string(m.Thing))
}

// ended reports whether the execution is over, or was deleted after it was.
func (m *matter) ended() bool {
	if m.Execution == nil {
		return m.Target.State == Reached && m.job.Status.Active() && !m.job.Over
	}
	return m.waits() && !m.again
}

func sayEnded(m *matter, e *Explanation) {
	e.help("see the execution", "aws", "iot", "describe-job-execution", "--job-id", string(m.JobID), "--thing-name", string(m.Thing))
	e.help("see all that the thing had", "aws", "iot", "list-job-executions-for-thing", "--thing-name", string(m.Thing))
	e.Next.Say = "never"
	x := m.Execution
	if x == nil {
		e.Say = fmt.Sprintf("%s has no execution of %s any more: the rollout has passed it, and what it had was deleted.", m.Thing, m.JobID)
		e.Help = e.Help[1:]
		return
	}
	e.Since = x.UpdatedAt
	when := m.when(x.UpdatedAt)
	switch x.Status {
	case muster.TimedOut:
		e.Say = fmt.Sprintf("%s did not report in time, so its execution of %s TIMED_OUT at %s.", m.Thing, m.JobID, when)
	case muster.Canceled:
		e.Say = fmt.Sprintf("%s on %s was CANCELED at %s%s.", m.JobID, m.Thing, when, m.canceledBy(x))
	case muster.Removed:
		e.Say = fmt.Sprintf("%s on %s was REMOVED at %s, when the thing left the last target or was deleted.", m.JobID, m.Thing, when)
	default:
		e.Say = fmt.Sprintf("%s reported %s for %s at %s%s.", m.Thing, x.Status, m.JobID, when, said(x.Details))
	}
	factsOfExecution(m, e, x)
	if used, left := x.Retries.Attempt(), m.retriesLeft(x); used > 0 || left > 0 {
		e.fact("retries", fmt.Sprintf("%d used, %d left", used, left))
	}
	if x.Status == muster.Failed || x.Status == muster.TimedOut {
		e.Next.Say = "never: no retry is left"
		if m.retriesLeft(x) > 0 {
			e.Next.Say = "never: the job gives the thing nothing any more"
		}
	}
}

// canceledBy returns what cancelled an execution, as the end of a sentence; empty if it is not known.
func (m *matter) canceledBy(x *muster.Execution) string {
	switch {
	case m.End.Who != "":
		return ", by " + excerpt(m.End.Who, 3)
	case x.UpdatedAt < m.job.UpdatedAt: // the job may have been cancelled later than its execution
		return ""
	case m.job.Status == muster.JobCanceled && m.job.ReasonCode == rollout.AbortReasonCode:
		return ": the job was aborted" + m.aborted()
	case m.job.Status == muster.JobCanceled && m.Job.CanceledBy != "":
		return fmt.Sprintf(", as %s cancelled the job", excerpt(m.Job.CanceledBy, 3))
	case m.job.Status == muster.JobCanceled:
		return ", as the whole job was"
	case m.job.Over && m.job.Config.Schedule.EndBehavior != muster.StopRollout:
		return ", at the end time of the job"
	}
	return ""
}

// aborted returns the criterion that aborted the job, with its numbers, as the end of a sentence.
func (m *matter) aborted() string {
	if numbers, ok := strings.CutPrefix(m.job.Comment, "Job aborted: "); ok {
		return ", at " + excerpt(numbers, 11)
	}
	return "" // an operator has cancelled it again, and given a comment
}

// retriesLeft returns how many more retries the criteria of the job would allow an execution that ended as x has.
func (m *matter) retriesLeft(x *muster.Execution) (left int) {
	ending := rollout.Ending{Job: muster.JobInProgress, Criteria: m.job.Config.Retry, Status: x.Status, Used: x.Retries, QueuedAt: x.QueuedAt}
	for {
		next, ok := rollout.Retry(m.Now, ending)
		if !ok {
			return left
		}
		ending.Used = next.Retries
		left++
	}
}

// jobOver reports whether the job is over for the thing: it has no execution, or one that ends with the job.
func (m *matter) jobOver() bool {
	switch {
	case m.job.Status.Active() && !m.job.Over:
		return false
	case m.waits() || m.job.Status == muster.JobDeleting:
		return true
	}
	ends := m.job.Config.Schedule.EndBehavior
	forced := m.job.Status == muster.JobCanceled && m.job.ForceCanceled || m.job.Over && ends == muster.ForceAtEnd
	return forced || m.queued() && (m.job.Status == muster.JobCanceled || m.job.Over && ends == muster.CancelAtEnd)
}

func sayJobOver(m *matter, e *Explanation) {
	has := fmt.Sprintf("%s has no execution of %s", m.Thing, m.JobID)
	if m.pending != nil {
		has = fmt.Sprintf("%s loses its execution of %s", m.Thing, m.JobID)
	}
	j := m.job
	e.Since, e.Next.Say = j.UpdatedAt, "never"
	switch {
	case j.Status == muster.JobDeleting:
		e.Say = has + ", which is being deleted."
	case j.Status == muster.JobCompleted:
		e.Since = j.CompletedAt
		e.Say = fmt.Sprintf("%s, which COMPLETED at %s.", has, m.when(j.CompletedAt))
	case j.Status == muster.JobCanceled && j.ReasonCode == rollout.AbortReasonCode:
		e.Say = fmt.Sprintf("%s, which was aborted at %s%s.", has, m.when(j.UpdatedAt), m.aborted())
	case j.Status == muster.JobCanceled && m.Job.CanceledBy != "":
		e.Say = fmt.Sprintf("%s, which %s cancelled at %s.", has, excerpt(m.Job.CanceledBy, 3), m.when(j.UpdatedAt))
	case j.Status == muster.JobCanceled:
		e.Say = fmt.Sprintf("%s, which was cancelled at %s.", has, m.when(j.UpdatedAt))
	default:
		e.Say = has + ", whose end time has come."
		if end := m.times.End(); end != 0 && end <= m.Now {
			e.Since = end
			e.Say = fmt.Sprintf("%s, whose end time was %s.", has, m.when(end))
		}
	}
	if j.Comment != "" {
		e.fact("comment", j.Comment)
	}
	if j.ReasonCode != "" {
		e.fact("reason code", j.ReasonCode)
	}
	e.help("see the job", "aws", "iot", "describe-job", "--job-id", string(m.JobID))
}

func (m *matter) notInTargets() bool {
	if m.Execution != nil {
		return false
	}
	switch m.Target.State {
	case NotTargeted:
		return !m.isBuilding()
	case JoinedLate:
		return !m.job.Rollout.Held || m.job.Rollout.Target > 0 // else the rollout begins anew when the group is built
	}
	return m.Target.State == LeftTargets
}

// isBuilding reports whether it is not known yet which things some target has.
func (m *matter) isBuilding() bool { return m.job.Rollout.Held || m.Job.Building.Group != "" }

func sayNotInTargets(m *matter, e *Explanation) {
	t := m.Target
	e.Since, e.Next.Say = t.JoinedAt, "never, unless it comes under a target"
	switch {
	case t.State == JoinedLate:
		joined := fmt.Sprintf("%s joined %s", m.Thing, t.Group)
		if t.JoinedAt != 0 {
			joined += " at " + m.when(t.JoinedAt)
		}
		e.Say = fmt.Sprintf("%s, after the rollout of %s began, and a SNAPSHOT job leaves out things that join later.", joined, m.JobID)
		e.Next.Say = "never; a new job would reach it, or a CONTINUOUS one"
	case t.State == LeftTargets:
		e.Say = fmt.Sprintf("%s has left the last target of %s.", m.Thing, m.JobID)
	case t.Fails != "":
		has := "nothing there"
		if t.Has != "" {
			has = excerpt(t.Has, 3)
		}
		e.Say = fmt.Sprintf("%s is not in %s, a target of %s: its query asks %s, and it has %s.", m.Thing, t.Group, m.JobID, excerpt(t.Fails, 4), has)
		e.Next.Say = fmt.Sprintf("never, unless it comes to match %s", t.Fails)
		e.fact("query of "+string(t.Group), t.Query)
		e.help("see what the query matches", "aws", "iot", "search-index", "--query-string", t.Query)
	default:
		e.Say = fmt.Sprintf("%s is in no target of %s.", m.Thing, m.JobID)
	}
	e.fact("target selection", m.job.Selection.String())
	var targets []string
	for _, target := range m.job.Targets[:min(3, len(m.job.Targets))] {
		targets = append(targets, target.Name)
	}
	if more := len(m.job.Targets) - len(targets); more > 0 {
		targets = append(targets, fmt.Sprintf("and %d more", more))
	}
	e.fact("targets", strings.Join(targets, ", "))
	e.help("see the targets", "aws", "iot", "describe-job", "--job-id", string(m.JobID))
	if m.job.Selection == muster.Continuous {
		e.help("make the thing a target", "aws", "iot", "associate-targets-with-job", "--job-id", string(m.JobID), "--targets", m.Account.ARN("thing", string(m.Thing)))
	}
}

func (m *matter) jobScheduled() bool {
	return m.waits() && !m.again && m.job.Status == muster.JobScheduled && !m.windowClosed()
}

func sayJobScheduled(m *matter, e *Explanation) {
	e.Say = fmt.Sprintf("%s is not given %s yet: the job starts at %s.", m.Thing, m.JobID, m.when(m.schedule.Next))
	if m.schedule.Next == 0 {
		e.Say = fmt.Sprintf("%s is not given %s yet: the job has not started.", m.Thing, m.JobID)
	}
	e.Since = m.job.CreatedAt
	e.Next = Next{At: m.schedule.Next, Say: "the job starts"}
	e.help("see the schedule", "aws", "iot", "describe-job", "--job-id", string(m.JobID))
}

func (m *matter) groupBuilding() bool {
	return m.waits() && !m.job.Hides() && (m.job.Rollout.Held || m.Target.State == NotTargeted && m.isBuilding())
}

func sayGroupBuilding(m *matter, e *Explanation) {
	b := m.Job.Building
	group := "a dynamic group"
	if b.Group != "" {
		group = "the dynamic group " + string(b.Group)
		e.help("see the group", "aws", "iot", "describe-thing-group", "--thing-group-name", string(b.Group))
	}
	e.Say = fmt.Sprintf("%s waits for %s: %s among its targets is still being built.", m.Thing, m.JobID, group)
	if m.Target.State == NotTargeted {
		e.Say = fmt.Sprintf("It is not known yet whether %s gets %s: %s among its targets is still being built.", m.Thing, m.JobID, group)
	}
	e.Since = b.Since
	e.Next.Say = "when it is known who is in the group"
	if b.Of > 0 {
		e.fact("things looked at", fmt.Sprintf("%d of %d", b.Looked, b.Of))
		if b.Since != 0 && b.Since < m.Now && 0 < b.Looked && b.Looked < b.Of {
			e.Next.At, e.Next.Estimate = m.Now+(m.Now-b.Since)*muster.Instant(b.Of-b.Looked)/muster.Instant(b.Looked), true
		}
	}
	e.help("see the index", "aws", "iot", "describe-index", "--index-name", "AWS_Things")
}

func (m *matter) jobInLine() bool { return m.waits() && m.job.Waiting && !m.job.Hides() }

func sayJobInLine(m *matter, e *Explanation) {
	e.Say = fmt.Sprintf("%s waits for %s, which is in line itself, since the limit of concurrent rollouts is reached.", m.Thing, m.JobID)
	line := m.Job.Line
	if line.Place > 0 {
		e.Say = fmt.Sprintf("%s waits for %s, which is number %d of %d in line, since the limit of concurrent rollouts is reached.", m.Thing, m.JobID, line.Place, line.Of)
	}
	e.Next.Say = "when a job before it has rolled out or ended"
	for i, before := range line.Before[:min(3, len(line.Before))] {
		e.fact(fmt.Sprintf("before it, %d", i+1), string(before))
	}
	if len(line.Before) > 0 {
		e.help("see why the job before it does not end", "muster", "explain", "--job", string(line.Before[0]))
	}
}

// waitingForRate holds for whatever is to be given the job and is stopped by nothing else.
func (m *matter) waitingForRate() bool {
	return m.waits() && m.Target.State != JoinWaits && !m.again && !m.job.Hides()
}

func sayWaitingForRate(m *matter, e *Explanation) {
	e.Say = fmt.Sprintf("%s waits for %s: %s.", m.Thing, m.JobID, m.aheadWords())
	e.Since = m.job.Rollout.Started
	sayRate(m, e)
}

func (m *matter) waitingToJoin() bool {
	return m.waits() && m.Target.State == JoinWaits && !m.job.Hides()
}

func sayWaitingToJoin(m *matter, e *Explanation) {
	e.Say = fmt.Sprintf("%s joined late and waits for the rate of %s: %s.", m.Thing, m.JobID, m.aheadWords())
	e.Since = m.Target.JoinedAt
	sayRate(m, e)
}

// aheadWords says what the thing waits for.
func (m *matter) aheadWords() string {
	rate := m.rate()
	switch t := m.Target; {
	case m.Job.NoRoom:
		return "the disk is nearly full, so nothing is rolled out"
	case rate == rollout.Unlimited && t.Ahead == 0:
		return "it is next"
	case rate == rollout.Unlimited:
		return before(t) + " before it"
	case t.Ahead == 0:
		return fmt.Sprintf("it is next, at %d a minute", rate)
	default:
		return fmt.Sprintf("%s before it, at %d a minute", before(t), rate)
	}
}

// before says how many things are ahead.
func before(t Target) string {
	how := ""
	switch {
	case t.AtLeast:
		how = "at least "
	case t.About:
		how = "about "
	}
	if t.Ahead == 1 {
		return how + "one thing is"
	}
	return fmt.Sprintf("%s%d things are", how, t.Ahead)
}

// rate returns the present rate of the rollout, in executions a minute.
func (m *matter) rate() int {
	return rollout.Rate(m.job.Config.Rollout, m.Job.Maximum, m.job.Rollout.Pace.Step)
}

func sayRate(m *matter, e *Explanation) {
	e.fact("things before it", strconv.Itoa(m.Target.Ahead))
	e.fact("given the job so far", strconv.FormatInt(m.job.Rollout.Pace.Notified, 10))
	e.help("see the rate", "aws", "iot", "describe-job", "--job-id", string(m.JobID))
	if m.Job.NoRoom {
		e.Next.Say = "when the disk has room for more"
		return
	}
	e.Next.Say = "it is given the job"
	e.Next.At, e.Next.Estimate = m.given()
	if rate := m.rate(); rate < rollout.Unlimited/2 {
		e.help("roll out twice as fast", "aws", "iot", "update-job", "--job-id", string(m.JobID),
			"--job-executions-rollout-config", fmt.Sprintf("maximumPerMinute=%d", 2*rate))
	}
}

// windowClosed reports whether the job is outside its maintenance windows, and gives or shows the thing nothing for that.
func (m *matter) windowClosed() bool {
	return m.job.Hides() && (m.queued() || m.waits() && !m.retries() && (m.again || m.schedule.Phase != rollout.Early))
}

// retries reports whether a retry of what has ended waits for a window.
func (m *matter) retries() bool { return m.again && m.Target.State != JoinWaits }

func sayWindowClosed(m *matter, e *Explanation) {
	e.Say = fmt.Sprintf("%s waits for %s, which is outside its maintenance windows; %s.", m.Thing, m.JobID, m.opening())
	e.Since = m.job.UpdatedAt
	sayOpening(m, e)
}

func (m *matter) retryWaits() bool { return m.retries() }

func sayRetryWaits(m *matter, e *Explanation) {
	e.Say = fmt.Sprintf("%s ended %s as %s, and its retry waits for a maintenance window; %s.", m.Thing, m.JobID, m.Execution.Status, m.opening())
	if sayOpening(m, e); !m.job.Hides() {
		e.Say = fmt.Sprintf("%s ended %s as %s, and its retry is about to be queued, as a maintenance window is open.", m.Thing, m.JobID, m.Execution.Status)
		e.Next = Next{Say: "the retry is queued"}
	}
	e.Since = m.Execution.UpdatedAt
	e.fact("retries", fmt.Sprintf("%d used, %d left", m.Execution.Retries.Attempt(), m.retriesLeft(m.Execution)))
}

// opening says when the next window opens.
func (m *matter) opening() string {
	if at := m.opens(); at != 0 {
		return "the next one opens at " + m.when(at)
	}
	return "none opens any more"
}

// opens returns when the next window opens; zero for never.
func (m *matter) opens() muster.Instant {
	if next := m.times.Upcoming(m.Now, 1); len(next) > 0 {
		return next[0]
	}
	if m.schedule.Phase == rollout.Closed && m.schedule.Next != m.times.End() {
		return m.schedule.Next // years from now
	}
	return 0
}

func sayOpening(m *matter, e *Explanation) {
	switch opens, end := m.opens(), m.times.End(); {
	case opens != 0:
		e.Next = Next{At: opens, Say: "a window opens"}
	case end > m.Now:
		e.Next = Next{At: end, Say: "the job comes to its end time"}
	default:
		e.Next.Say = "never, unless the job is cancelled and made anew"
	}
	e.help("see the windows", "aws", "iot", "describe-job", "--job-id", string(m.JobID))
}
