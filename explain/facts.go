// Package explain says why a job does not move on a thing, and when it will: in one sentence that rests on facts. It is
// pure: package watch gathers the facts.
package explain

import (
	"time"

	"github.com/muster-iot/muster"
)

// Facts are what is known of a thing and a job at one instant. What is not known leads to another explanation, never to a
// wrong one.
type Facts struct {
	Now     muster.Instant
	Zone    *time.Location // in which sentences show instants; nil is UTC
	Account muster.Account // for the ARNs in commands
	Thing   muster.ThingName
	JobID   muster.JobID

	HasThing bool
	Job      *Job // nil if it does not exist
	Target   Target
	// Execution is the latest one of the job on the thing, as devices are shown it: nil if there is none, or if its job is being
	// deleted; CANCELED if its job was and the execution ends with it.
	Execution *muster.Execution
	End       End   // how Execution ended, if it has
	Queue     Queue // of the thing, in the namespace of the job
	Device    Device
	Others    Others
}

// Job is what is known of the job by itself.
type Job struct {
	muster.Job               // as it is stored: Explain brings it in step with its schedule
	Maximum    int           // the server's maximumPerMinute for jobs that set none; zero is without bound
	Counts     muster.Counts // of its executions
	Line       Line          // if it waits for its turn
	Building   Building      // if a dynamic group among its targets is being built
	CanceledBy string        // the user or key that cancelled it, as the audit records say; empty if not known
	NoRoom     bool          // nothing is rolled out, since the disk has no room for more executions
}

// Line is where a job waits for its turn to roll out. It is zero if the job does not wait.
type Line struct {
	Place  int // from 1, which is next
	Of     int
	Before []muster.JobID // some of those that it waits for, the first ones first; at most three
}

// Building is how far a dynamic group is built. It is zero if all are.
type Building struct {
	Group  muster.GroupName
	Looked int            // things that were looked at
	Of     int            // things that there are to be looked at; zero if not known
	Since  muster.Instant // when it began; zero if not known
}

// Target is how the thing stands to the targets and the rollout of the job.
type Target struct {
	State TargetState
	Group muster.GroupName // the target through which it is, or was, or would be; empty if the thing is a target by itself, or none is
	// Query is the query of the dynamic group Group, Fails its first term that the thing does not match, and Has the value of
	// the thing in that field. They are empty unless the thing would be a target if it matched.
	Query, Fails, Has string
	JoinedAt          muster.Instant // when it joined Group; zero if not known
	// Ahead is how many things are given the job before this one. It is of interest for NotReached and JoinWaits.
	Ahead   int
	AtLeast bool // Ahead was not counted to the end
	About   bool // some that were counted may not be given the job
}

// TargetState says where the rollout is for the thing.
type TargetState int

// The states of a target. A thing that has the latest execution is Reached, unless it waits for another one.
const (
	NotTargeted TargetState = iota // in no target
	JoinedLate                     // it joined a target of a snapshot job after the snapshot
	LeftTargets                    // it has left the last target
	NotReached                     // the rollout has not reached it
	JoinWaits                      // it joined a target of a continuous job, and is given the job when its rate or its next window allows it
	Reached                        // the rollout has passed it: it has, or had, an execution
)

// End is what else is known of an execution that ended.
type End struct {
	Who   string // the user or key that cancelled this execution by itself, as the audit records say; empty if not known
	Retry bool   // a retry waits for the next window
}

// Queue is what pends for the thing in the namespace of the job.
type Queue struct {
	Entries []muster.Entry // as of muster.Queue: hidden ones too, and without those that end with their jobs
	// First is the execution that devices are given first; nil if there is none, or if it is Execution itself.
	First *muster.Execution
}

// Device is what is known of the device.
type Device struct {
	Certificates []Certificate // attached to the thing, at most ten
	Connectivity muster.Connectivity
	// Diary is of the thing, but for requests in other namespaces than the job's, and with a connection of a server that is gone
	// as one that ended.
	Diary     muster.Diary
	DiaryAsOf muster.Instant // when Diary was true
	// Listens is whether anybody is subscribed to notify or notify-next of the thing in the job's namespace, be it a session that is
	// kept; Elsewhere is in which other namespaces somebody is, or the device has asked last.
	Listens   Known
	Elsewhere []muster.Namespace
}

// Certificate is one that is attached to the thing.
type Certificate struct {
	ID       muster.CertificateID
	Status   muster.CertificateStatus
	NotAfter muster.Instant // zero if not known
	Policies []string       // attached to it or to groups of the thing, at most ten
}

// Known is an answer that may not be known.
type Known int

// The three answers.
const (
	NotKnown Known = iota
	No
	Yes
)

func (k Known) String() string { return [...]string{"not known", "no", "yes"}[k] }

// Others are what other things took for the job. All but Sample are durations in milliseconds, and zero if too few are known.
type Others struct {
	Sample    int            // executions that the figures rest on; zero if there are none
	ToStart   muster.Instant // the median from QUEUED to IN_PROGRESS
	Work90    muster.Instant // nine of ten ended after so long from IN_PROGRESS
	Silence99 muster.Instant // 99 of 100 reported again after so long
}
