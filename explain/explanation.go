package explain

import "github.com/muster-iot/muster"

// Explanation says why a job does not move on a thing.
type Explanation struct {
	Thing     muster.ThingName
	Job       muster.JobID
	Execution *muster.Execution
	Say       string // one sentence of at most 25 words
	Code      Code
	Since     muster.Instant // zero if not known
	Next      Next
	Help      []Help // at most three
	Facts     []Fact
	Passed    []Code         // what was checked before, in order
	AsOf      muster.Instant // of the device diary that it rests on; zero if it rests on none
}

// Next is what happens next.
type Next struct {
	At       muster.Instant // zero if only an event can change the state
	Say      string
	Estimate bool // At is only likely
}

// Help is a command that may help, quoted for a POSIX shell.
type Help struct {
	Say     string `json:"say"`
	Command string `json:"command"`
}

// Fact is one of the facts that an explanation rests on.
type Fact struct {
	What string `json:"what"`
	Is   string `json:"is"`
}

// Code names a cause. Codes are stable.
type Code string

// The codes, in the order in which they are checked: the first that holds is the explanation.
const (
	NoThing        Code = "NO_THING"
	NoJob          Code = "NO_JOB"
	Ended          Code = "ENDED"
	JobOver        Code = "JOB_OVER"
	NotInTargets   Code = "NOT_TARGETED"
	JobScheduled   Code = "JOB_SCHEDULED"
	GroupBuilding  Code = "GROUP_BUILDING"
	JobInLine      Code = "JOB_IN_LINE"
	WaitingForRate Code = "WAITING_FOR_RATE"
	WaitingToJoin  Code = "WAITING_TO_JOIN"
	WindowClosed   Code = "WINDOW_CLOSED"
	RetryWaits     Code = "RETRY_WAITS"
	BeyondTheList  Code = "BEYOND_THE_LIST"
	Behind         Code = "BEHIND"
	OtherNamespace Code = "OTHER_NAMESPACE"
	Refused        Code = "REFUSED"
	NeverConnected Code = "NEVER_CONNECTED"
	Offline        Code = "OFFLINE"
	NotListening   Code = "NOT_LISTENING"
	AsksWrongly    Code = "ASKS_WRONGLY"
	Throttled      Code = "THROTTLED"
	Told           Code = "TOLD"
	LinkExpired    Code = "LINK_EXPIRED"
	Silent         Code = "SILENT"
	Working        Code = "WORKING"
)
