package explain

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
)

// row is one row of the table of codes: when the code is the explanation, and what there is to say then.
type row struct {
	code  Code
	holds func(*matter) bool
	say   func(*matter, *Explanation)
}

// table has the codes in the order in which they are checked. Where nothing pends, one of the rows to RETRY_WAITS holds; for a
// QUEUED execution one to TOLD, for one that is IN_PROGRESS one to WORKING. What is more particular comes first:
// BEYOND_THE_LIST before BEHIND, LINK_EXPIRED and SILENT before WORKING.
//
// Codes of delivery plans have their place after JOB_IN_LINE.
var table = []row{
	{NoThing, (*matter).noThing, sayNoThing},
	{NoJob, (*matter).noJob, sayNoJob},
	{Ended, (*matter).ended, sayEnded},
	{JobOver, (*matter).jobOver, sayJobOver},
	{NotInTargets, (*matter).notInTargets, sayNotInTargets},
	{JobScheduled, (*matter).jobScheduled, sayJobScheduled},
	{GroupBuilding, (*matter).groupBuilding, sayGroupBuilding},
	{JobInLine, (*matter).jobInLine, sayJobInLine},
	{WaitingForRate, (*matter).waitingForRate, sayWaitingForRate},
	{WaitingToJoin, (*matter).waitingToJoin, sayWaitingToJoin},
	{WindowClosed, (*matter).windowClosed, sayWindowClosed},
	{RetryWaits, (*matter).retryWaits, sayRetryWaits},
	{BeyondTheList, (*matter).beyondTheList, sayBeyondTheList},
	{Behind, (*matter).behind, sayBehind},
	{OtherNamespace, (*matter).otherNamespace, sayOtherNamespace},
	{Refused, (*matter).refused, sayRefused},
	{NeverConnected, (*matter).neverConnected, sayNeverConnected},
	{Offline, (*matter).offline, sayOffline},
	{NotListening, (*matter).notListening, sayNotListening},
	{AsksWrongly, (*matter).asksWrongly, sayAsksWrongly},
	{Throttled, (*matter).throttled, sayThrottled},
	{Told, (*matter).queued, sayTold},
	{LinkExpired, (*matter).linkExpired, sayLinkExpired},
	{Silent, (*matter).silent, saySilent},
	{Working, (*matter).working, sayWorking},
}

// Codes returns all codes, in the order in which they are checked.
func Codes() []Code {
	all := make([]Code, len(table))
	for i, r := range table {
		all[i] = r.code
	}
	return all
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
