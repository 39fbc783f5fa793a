package muster

import "slices"

//go:generate go run ./internal/statesdoc -out docs/states.md

// Status is the state of an execution (jobs-lifecycle.md section 3).
type Status uint8

// The eight states, in the order of Counts. The zero Status is not a state: filters
// use it for "any".
const (
	Queued Status = iota + 1
	InProgress
	Succeeded
	Failed
	TimedOut
	Rejected
	Removed
	Canceled
)

var statusNames = [...]string{
	"", "QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED",
}

// Statuses lists all states in order.
func Statuses() []Status {
	return []Status{Queued, InProgress, Succeeded, Failed, TimedOut, Rejected, Removed, Canceled}
}

// String returns the contract's word for s, or "" for the zero Status.
func (s Status) String() string { return statusNames[s] }

// ParseStatus returns the Status that word names.
func ParseStatus(word string) (Status, bool) { return byName[Status](statusNames[:], word) }

// byName returns the value with that name; names lists them by value, with "" for
// a value that has none.
func byName[T ~uint8](names []string, word string) (T, bool) {
	i := slices.Index(names, word)
	if i < 0 || word == "" {
		return 0, false
	}
	return T(i), true
}

// Terminal reports whether s is final.
func (s Status) Terminal() bool { return s > InProgress }

// Actor is what asks for a change of state.
type Actor uint8

// The actors. A start is not an actor of its own: it is a Device asking for
// InProgress.
const (
	Device   Actor = iota + 1 // the thing itself, over MQTT or HTTPS
	Operator                  // a caller of the control plane, or an abort criterion
	Forced                    // an operator who asked for force
	Clock                     // a timer that expired
	Registry                  // the thing was deleted, or is in no target of the job any more
)

var actorNames = [...]string{"", "device", "operator", "operator with force", "clock", "registry"}

func (a Actor) String() string { return actorNames[a] }

// moves is the whole state machine of an execution: from, to, and which actors may
// ask for it. A status without a row is final. docs/states.md is drawn from it.
var moves = map[Status]map[Status][]Actor{
	Queued: {
		InProgress: {Device},
		Succeeded:  {Device},
		Failed:     {Device},
		Rejected:   {Device},
		Canceled:   {Operator, Forced},
		Removed:    {Registry},
	},
	InProgress: {
		InProgress: {Device},
		Succeeded:  {Device},
		Failed:     {Device},
		Rejected:   {Device},
		TimedOut:   {Clock},
		Canceled:   {Forced},
		Removed:    {Registry},
	},
}

// Moves yields every permitted change of state, in a fixed order.
func Moves(yield func(from, to Status, by Actor) bool) {
	for _, from := range Statuses() {
		for _, to := range Statuses() {
			for _, by := range moves[from][to] {
				if !yield(from, to, by) {
					return
				}
			}
		}
	}
}

// DeviceMay reports whether a device may ever report s.
func DeviceMay(s Status) bool {
	return s == InProgress || s == Succeeded || s == Failed || s == Rejected
}
