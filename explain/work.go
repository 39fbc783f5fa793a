package explain

import (
	"fmt"
	"strconv"

	"github.com/muster-iot/muster"
)

// This file is about executions that are IN_PROGRESS.

// linkEnds returns when the URLs that the device was given expire; zero if it was given none.
func (m *matter) linkEnds() muster.Instant {
	if !m.job.Links || m.pending.PresignedAt == 0 {
		return 0
	}
	return m.pending.PresignedAt.Add(m.job.Config.Presigned.Life())
}

// linkExpired reports whether the URLs have expired, and nothing was reported since: a device that goes on after that has what it
// needs.
func (m *matter) linkExpired() bool {
	if !m.inProgress() {
		return false
	}
	at := m.linkEnds()
	return at != 0 && at <= m.Now && m.pending.UpdatedAt < at
}

func sayLinkExpired(m *matter, e *Explanation) {
	at := m.linkEnds()
	e.Say = fmt.Sprintf("%s has worked on %s since %s, and the URLs that it was given expired at %s.", m.Thing, m.JobID, m.when(m.pending.StartedAt), m.when(at))
	e.Since = at
	e.Next.Say = "when it asks again, it is given new ones"
	e.fact("URLs were signed", instant(m.pending.PresignedAt))
	e.fact("URLs last", duration(at-m.pending.PresignedAt))
	factsOfExecution(m, e, m.pending)
	presigned := "expiresInSec=" + strconv.Itoa(muster.ExpiresInSecMax)
	if role := m.job.Config.Presigned.RoleARN; role != "" {
		presigned = "roleArn=" + role + "," + presigned
	}
	e.help("let URLs last longer", "aws", "iot", "update-job", "--job-id", string(m.JobID), "--presigned-url-config", presigned)
	helpTakeBack(m, e)
}

// silent reports whether the device, at work, has not been heard of for long.
func (m *matter) silent() bool { return m.inProgress() && (m.late() || m.wentAway()) }

// late reports whether 99 of 100 others reported again sooner.
func (m *matter) late() bool {
	return m.Others.Silence99 > 0 && m.Now-m.pending.UpdatedAt > m.Others.Silence99
}

// wentAway reports whether the device went offline and has not reported by other means since.
func (m *matter) wentAway() bool {
	return m.away() && m.goneAt() != 0 && m.pending.UpdatedAt <= m.goneAt()
}

func saySilent(m *matter, e *Explanation) {
	if m.wentAway() {
		e.Since, e.AsOf = m.goneAt(), m.Device.DiaryAsOf
		factsOfAbsence(m, e)
		e.Say = fmt.Sprintf("%s last reported on %s at %s, and has been offline since %s%s.", m.Thing, m.JobID, m.when(m.pending.UpdatedAt), m.when(m.goneAt()), m.whyGone())
	} else {
		e.Say = fmt.Sprintf("%s last reported on %s %s ago, at %s; 99 %% of the others report again sooner.", m.Thing, m.JobID, duration(m.Now-m.pending.UpdatedAt), m.when(m.pending.UpdatedAt))
		e.Since = m.pending.UpdatedAt
		e.fact("99 of 100 others reported again within", duration(m.Others.Silence99))
	}
	factsOfExecution(m, e, m.pending)
	if m.pending.Deadline() == 0 && m.job.Config.TimeoutMinutes == 0 {
		e.help("set a time-out for those that start from now on", "aws", "iot", "update-job", "--job-id", string(m.JobID), "--timeout-config", "inProgressTimeoutInMinutes=60")
	}
	helpConnection(m, e)
	helpTakeBack(m, e)
}

func (m *matter) working() bool { return m.inProgress() }

func sayWorking(m *matter, e *Explanation) {
	x := m.pending
	e.Since = x.StartedAt
	e.Say = fmt.Sprintf("%s has worked on %s since %s", m.Thing, m.JobID, m.when(x.StartedAt))
	if x.UpdatedAt != x.StartedAt || len(x.Details) > 0 {
		e.Say += fmt.Sprintf(", and last reported at %s%s", m.when(x.UpdatedAt), said(x.Details))
	}
	e.Say += "."
	if o := m.Others; o.Work90 > 0 {
		slow := "no"
		if m.Now-x.StartedAt > o.Work90 {
			slow = "yes"
		}
		e.fact("slower than nine of ten others", fmt.Sprintf("%s: they took %s at most", slow, duration(o.Work90)))
		e.fact("others looked at", strconv.Itoa(o.Sample))
	}
	factsOfExecution(m, e, x)
	e.help("see the execution", "aws", "iot", "describe-job-execution", "--job-id", string(m.JobID), "--thing-name", string(m.Thing))
	helpTakeBack(m, e)
}

// sayDeadline says what comes next for an execution that is IN_PROGRESS.
func sayDeadline(m *matter, e *Explanation) {
	say := "no time-out is set, so it may stay for ever"
	if at := m.pending.Deadline(); at != 0 {
		e.Next.At, e.Next.Estimate = at, false
		say = "TIMED_OUT unless it reports before " + m.when(at)
		if at == m.pending.JobDeadline {
			say = "TIMED_OUT unless it ends before " + m.when(at)
		}
		if at <= m.Now {
			e.Next.At, say = 0, "TIMED_OUT at once: its time is over"
		}
	}
	if e.Next.Say != "" {
		say = e.Next.Say + "; " + say
	}
	e.Next.Say = say
}

// factsOfExecution adds what the execution itself tells.
func factsOfExecution(m *matter, e *Explanation, x *muster.Execution) {
	e.fact("queued", instant(x.QueuedAt))
	if x.StartedAt != 0 {
		e.fact("started", instant(x.StartedAt))
	}
	e.fact("last change", instant(x.UpdatedAt))
	for _, name := range detailsFirst(x.Details) {
		e.fact("status detail "+name, excerpt(x.Details[name], 20))
	}
}
