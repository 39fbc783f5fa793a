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
	Passed    []Code // what was checked before, in order
}

// Next is what happens next.
type Next struct {
	At       muster.Instant // zero if only an event can change the state
	Say      string
	Estimate bool // At is only likely
}

// Help is a command that may help, quoted for a POSIX shell.
type Help struct{ Say, Command string }

// Fact is one of the facts that the explanation rests on.
type Fact struct{ What, Is string }

// Code names a cause. Codes are stable.
type Code string
