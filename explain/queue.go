package explain

import (
	"fmt"
	"slices"

	"github.com/muster-iot/muster"
)

// This file is about what stands in the queue of the thing before a QUEUED execution.

// beyondTheList reports whether more is pending than a device is shown, so that it cannot know of the job.
func (m *matter) beyondTheList() bool {
	if !m.queued() {
		return false
	}
	q := muster.Queue{Entries: m.Queue.Entries}
	inProgress, queued := q.Shown()
	shown := func(e muster.Entry) bool { return e.Job == m.JobID }
	_, there := q.Find(m.JobID)
	return there && !slices.ContainsFunc(inProgress, shown) && !slices.ContainsFunc(queued, shown)
}

func sayBeyondTheList(m *matter, e *Explanation) {
	limit, kind := muster.PlainCap, ""
	if m.pending.Windowed {
		limit, kind = muster.WindowedCap, " with maintenance windows"
	}
	pending := muster.Queue{Entries: m.Queue.Entries}.Pending()
	e.Say = fmt.Sprintf("%s has %d jobs pending, and %s comes after the %d%s that a device is shown.", m.Thing, len(pending), m.JobID, limit, kind)
	e.Since = m.pending.QueuedAt
	e.Next.Say = "when those before it end"
	factsOfQueue(m, e)
	e.help("see all of them", "aws", "iot", "list-job-executions-for-thing", "--thing-name", string(m.Thing))
	helpWithFirst(m, e)
}

func (m *matter) behind() bool { return m.queued() && m.head.Job != "" && m.head.Job != m.JobID }

func sayBehind(m *matter, e *Explanation) {
	first := m.head
	since := first.QueuedAt
	if first.Status == muster.InProgress {
		since = first.StartedAt
	}
	e.Say = fmt.Sprintf("%s is given %s only after %s, which has been %s since %s.", m.Thing, m.JobID, first.Job, first.Status, m.when(since))
	e.Since = m.pending.QueuedAt
	e.Next.Say = fmt.Sprintf("when %s ends", first.Job)
	switch at := m.deadlineOfFirst(); {
	case at != 0:
		e.Next = Next{At: at, Say: fmt.Sprintf("%s is TIMED_OUT unless it reports before", first.Job)}
	case first.Status == muster.InProgress && m.Queue.First != nil:
		e.Next.Say += "; no time-out is set"
	case first.Status == muster.Queued:
		e.Next.Say += "; while it is QUEUED no time-out runs"
	}
	factsOfQueue(m, e)
	helpWithFirst(m, e)
}

// deadlineOfFirst returns when the first execution times out; zero if it does not, or it is not known.
func (m *matter) deadlineOfFirst() muster.Instant {
	if first := m.Queue.First; first != nil && first.Job == m.head.Job && first.Deadline() > m.Now {
		return first.Deadline()
	}
	return 0
}

func factsOfQueue(m *matter, e *Explanation) {
	pending := muster.Queue{Entries: m.Queue.Entries}.Pending()
	if place := slices.IndexFunc(pending, func(p muster.Entry) bool { return p.Job == m.JobID }); place >= 0 {
		e.fact("place in its queue", fmt.Sprintf("%d of %d", place+1, len(pending)))
	}
	e.fact("first in its queue", fmt.Sprintf("%s, %s", m.head.Job, m.head.Status))
}

func helpWithFirst(m *matter, e *Explanation) {
	first := string(m.head.Job)
	e.help("see why the first one does not end", "muster", "explain", string(m.Thing), first)
	take := []string{"aws", "iot", "cancel-job-execution", "--job-id", first, "--thing-name", string(m.Thing)}
	if m.head.Status == muster.InProgress {
		take = append(take, "--force")
	}
	e.help("cancel that one", take...)
}

// otherNamespace reports whether the device, as far as is known, looks for jobs in other namespaces only.
func (m *matter) otherNamespace() bool {
	return m.queued() && m.Device.Listens == No && len(m.Device.Elsewhere) > 0 && !m.asked()
}

func sayOtherNamespace(m *matter, e *Explanation) {
	e.Say = fmt.Sprintf("%s is in %s, and %s looks for jobs in %s only.", m.JobID, namespace(m.job.Namespace), m.Thing, namespace(m.Device.Elsewhere[0]))
	e.Since = m.pending.QueuedAt
	e.Next.Say = "when the device looks in the namespace of the job"
	for _, elsewhere := range m.Device.Elsewhere {
		e.fact("looks in", namespace(elsewhere))
	}
	factsOfDevice(m, e)
	e.help("see the namespace of the job", "aws", "iot", "describe-job", "--job-id", string(m.JobID))
	helpTakeBack(m, e)
}

func namespace(n muster.Namespace) string {
	if n == "" {
		return "the default namespace"
	}
	return "namespace " + string(n)
}
