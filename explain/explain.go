package explain

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
)

// row is one row of the table of codes: when the code is the explanation, and what there is to say then.
type row struct {
	code  Code
	means string // in at most eight words, for many things at once
	holds func(*matter) bool
	say   func(*matter, *Explanation)
}

// table has the codes in the order in which they are checked. Where nothing pends, one of the rows to RETRY_WAITS holds; for a
// QUEUED execution one to TOLD, for one that is IN_PROGRESS one to WORKING. What is more particular comes first:
// BEYOND_THE_LIST before BEHIND, LINK_EXPIRED and SILENT before WORKING.
//
// Codes of delivery plans have their place after JOB_IN_LINE.
var table = []row{
	{NoThing, "there is no such thing", (*matter).noThing, sayNoThing},
	{NoJob, "there is no such job", (*matter).noJob, sayNoJob},
	{Ended, "the execution is over", (*matter).ended, sayEnded},
	{JobOver, "the job is over", (*matter).jobOver, sayJobOver},
	{NotInTargets, "no target of the job has the thing", (*matter).notInTargets, sayNotInTargets},
	{JobScheduled, "the job starts later", (*matter).jobScheduled, sayJobScheduled},
	{GroupBuilding, "a dynamic group is being built", (*matter).groupBuilding, sayGroupBuilding},
	{JobInLine, "the job waits for its turn", (*matter).jobInLine, sayJobInLine},
	{WaitingForRate, "the rollout has not reached it", (*matter).waitingForRate, sayWaitingForRate},
	{WaitingToJoin, "it joined late and waits for the rate", (*matter).waitingToJoin, sayWaitingToJoin},
	{WindowClosed, "the job is outside its windows", (*matter).windowClosed, sayWindowClosed},
	{RetryWaits, "its retry waits for a window", (*matter).retryWaits, sayRetryWaits},
	{BeyondTheList, "more is pending than devices are shown", (*matter).beyondTheList, sayBeyondTheList},
	{Behind, "another job is first in its queue", (*matter).behind, sayBehind},
	{OtherNamespace, "the device looks in other namespaces", (*matter).otherNamespace, sayOtherNamespace},
	{Refused, "the device was refused", (*matter).refused, sayRefused},
	{NeverConnected, "the device was never seen", (*matter).neverConnected, sayNeverConnected},
	{Offline, "the device is offline", (*matter).offline, sayOffline},
	{NotListening, "the device is connected and does not listen", (*matter).notListening, sayNotListening},
	{AsksWrongly, "requests of the device fail", (*matter).asksWrongly, sayAsksWrongly},
	{Throttled, "the device was throttled", (*matter).throttled, sayThrottled},
	{Told, "the device has not started it", (*matter).queued, sayTold},
	{LinkExpired, "its URLs have expired", (*matter).linkExpired, sayLinkExpired},
	{Silent, "the device has gone silent", (*matter).silent, saySilent},
	{Working, "the device works on it", (*matter).working, sayWorking},
}

// Codes returns all codes, in the order in which they are checked.
func Codes() []Code {
	all := make([]Code, len(table))
	for i, r := range table {
		all[i] = r.code
	}
	return all
}

// Means says what a code says of things, in at most eight words.
func (c Code) Means() string {
	i := slices.IndexFunc(table, func(r row) bool { return r.code == c })
	if i < 0 {
		return ""
	}
	return table[i].means
}

// CodeOf returns the code of the explanation of f. It costs much less than Explain.
func CodeOf(f Facts) Code {
	m := matterOf(f)
	return table[m.find()].code
}

// Explain says why a job does not move on a thing, by the first code that holds.
func Explain(f Facts) Explanation {
	m := matterOf(f)
	i := m.find()
	e := Explanation{Thing: f.Thing, Job: f.JobID, Execution: f.Execution, Code: table[i].code, Passed: Codes()[:i]}
	table[i].say(&m, &e)
	if m.inProgress() && e.Code != JobOver && e.Next.At == 0 {
		sayDeadline(&m, &e)
	}
	if e.Since > f.Now {
		e.Since = 0 // the clock was set back
	}
	return e
}

// matter is what Facts amount to.
type matter struct {
	Facts
	job      muster.Job // in step with its schedule; zero if there is none
	times    rollout.Timetable
	schedule rollout.State
	pending  *muster.Execution // Execution, if it has not ended; else nil
	again    bool              // Execution has ended, and the thing is given the job once more
	head     muster.Entry      // what devices are given first; zero if there is none
}

func matterOf(f Facts) matter {
	m := matter{Facts: f}
	if f.Job != nil {
		// A stored schedule can be read: it was checked. If it cannot, the job has none.
		m.job, m.schedule, _ = rollout.OnSchedule(f.Job.Job, f.Now)
		m.times, _ = rollout.Compile(m.job.Config.Schedule)
		if e := f.Execution; e != nil && !e.Status.Terminal() {
			m.pending = e
		} else if e != nil {
			m.again = m.job.Gives() && (f.End.Retry || f.Target.State == JoinWaits)
		}
	}
	m.head, _ = muster.Queue{Entries: f.Queue.Entries}.Head()
	return m
}

// find returns the index of the first row that holds. There is one, whatever the facts.
func (m *matter) find() int {
	return slices.IndexFunc(table, func(r row) bool { return r.holds(m) })
}

// waits reports whether nothing pends: the thing has no execution yet, or is to get another one.
func (m *matter) waits() bool { return m.pending == nil }

func (m *matter) queued() bool { return m.pending != nil && m.pending.Status == muster.Queued }

func (m *matter) inProgress() bool { return m.pending != nil && m.pending.Status == muster.InProgress }
