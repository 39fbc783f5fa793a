// Package explain says why a job does not move on a thing, and when it will: in one sentence that rests on facts. It is
// pure: package watch gathers the facts.
package explain

import "github.com/muster-iot/muster"

// Facts are what is known of a thing and a job at one instant. What is not known leads to another explanation, never to a
// wrong one.
type Facts struct {
	Now   muster.Instant
	Zone  string // IANA name of the zone in which sentences show instants; empty is UTC
	Thing muster.ThingName
	JobID muster.JobID

	HasThing bool
	Job      *Job // nil if it does not exist
	Target   Target
	// Execution is the latest one of the job on the thing; nil if there is none.
	Execution *muster.Execution
	End       End   // how Execution ended, if it has
	Queue     Queue // of the thing, in the namespace of the job
	Device    Device
	Others    Others
}

// Job is what is known of the job by itself.
type Job struct {
	muster.Job
	Phase       string         // what its schedule says now: see rollout.State
	Next        muster.Instant // when that changes; zero for never
	End         muster.Instant // its end time; zero without one
	Place       int            // among the jobs that wait for their turn, from 1; zero if it does not wait
	InLine      int            // how many wait
	Before      []muster.JobID // some that roll out before it, at most three
	Building    string         // the dynamic group that its rollout waits for; empty for none
	BuildingOf  int            // things that are to be looked at
	Built       int            // of these
	CanceledBy  string         // the user or key that cancelled it, as the audit records say; empty if not known
	Aborted     *Abort         // the criterion that aborted it
	Counts      muster.Counts
	PerMinute   int // the rate of its rollout now; zero is without bound
	RateChanges bool
}

// Abort is an abort criterion with its numbers at the instant it was met.
type Abort struct {
	muster.AbortCriterion
	Executed, Matching int64
}

// Target is how the thing stands to the targets and the rollout of the job.
type Target struct {
	State TargetState
	Group string // the target through which it is, or was, or would be
	// Query and Fails are the query of the dynamic group Group and its first term that the thing does not match, with
	// the value that the thing has.
	Query, Fails, Has string
	JoinedAt          muster.Instant
	Ahead             int            // things that get the job before it; zero is none
	AheadAtLeast      bool           // Ahead was not counted to the end
	At                muster.Instant // when it is given the job at the present rate; zero if not known
}

// TargetState says where the rollout is for the thing.
type TargetState int

// The states of a target. NotReached is the one of a thing that the rollout has still to reach.
const (
	NotTargeted TargetState = iota // in no target
	JoinedLate                     // it joined a target of a snapshot job after the snapshot
	LeftTargets                    // it has left the last target
	Spared                         // it succeeded in the job before, and succeeded things are spared
	NotReached                     // the rollout has not reached it
	JoinWaits                      // it joined a target of a continuous job, and is given the job at the rollout's rate
	Reached                        // it has, or had, an execution
)

// End is what ended an execution.
type End struct {
	By      muster.Actor   // the device, an operator, a timer …
	Who     string         // the operator's user or key, as the audit records say; empty if not known
	RetryAt muster.Instant // when a retry is due; zero if none is
	Left    int            // retries left
}

// Queue is what pends for the thing in the namespace of the job.
type Queue struct {
	Entries   []muster.Entry     // in the order that devices see, hidden ones too
	First     *muster.Execution  // the execution that devices are given next; nil if there is none
	Namespace muster.Namespace   // that the device has asked for or listens in last
	Asks      []muster.Namespace // the namespaces that it listens in or has asked for; empty if none is known
	Opens     muster.Instant     // the next opening of the job's windows
	Shown     int                // how many a pending list shows at most
}

// Device is what is known of the device.
type Device struct {
	Certificates []Certificate // attached to the thing, at most ten
	Connectivity muster.Connectivity
	Diary        muster.Diary
	DiaryAsOf    muster.Instant
	Listens      Known // whether anybody is subscribed to notify or notify-next of the thing in the job's namespace
	ListensElse  []muster.Namespace
}

// Certificate is one that is attached to the thing.
type Certificate struct {
	ID       muster.CertificateID
	Status   muster.CertificateStatus
	NotAfter muster.Instant
	Policies []string // attached to it or to groups of the thing, at most ten
}

// Known is an answer that may not be known.
type Known int

// The three answers.
const (
	NotKnown Known = iota
	No
	Yes
)

// Others are what other things took for the job.
type Others struct {
	Sample    int            // executions that the figures rest on; zero if there are none
	ToStart   muster.Instant // the median from QUEUED to IN_PROGRESS
	Work90    muster.Instant // nine of ten ended after so long from IN_PROGRESS
	Silence99 muster.Instant // 99 of 100 reported again after so long
	LinkLife  muster.Instant // how long presigned URLs of the job are good for; zero if it has none
}
