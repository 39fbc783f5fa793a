package muster

import "fmt"

// Kind says what sort of failure an Error is. Each edge has a table that gives
// every Kind its own word and status; no edge looks at the message.
type Kind uint8

// The kinds of failure. Internal is the zero value: whatever nobody classified.
const (
	Internal           Kind = iota // a fault of ours; the cause is logged, never shown
	Invalid                        // the request makes no sense, whatever the state
	NotFound                       // a resource named by the request does not exist
	AlreadyExists                  // the name is taken by something different
	VersionConflict                // an optimistic lock failed
	InvalidTransition              // the state machine forbids it
	TerminalState                  // a finished execution is not shown to devices
	LimitExceeded                  // a quota is used up
	Throttled                      // too many requests just now
	Conflict                       // the resource is in use or changing
	DeleteConflict                 // something still refers to the resource
	VersionsLimit                  // a policy has all the versions it may have
	MalformedPolicy                // a policy document cannot be read
	CertificateState               // the certificate's status forbids it
	CertificateInvalid             // a certificate cannot be read or verified
	CertificateClash               // several CAs could be meant
	RegistrationCode               // a verification certificate does not prove possession
	InvalidQuery                   // a fleet index query cannot be read
	IndexNotReady                  // the index is being built
	Forbidden                      // the caller may not do this
	Unavailable                    // shutting down or overloaded; try again
	NoRoom                         // the disk is nearly full; try again when there is room
	KindCount                      // the number of kinds, for completeness tests
)

// Error is the one error type that crosses package borders.
type Error struct {
	Kind Kind
	Msg  string // safe to show the caller
	Err  error  // the cause: for the log, never for the wire

	// State is the execution as it is, for the two kinds of failure that show
	// it to a device: VersionConflict and InvalidTransition.
	State *Execution
	// ResourceID and ResourceARN name what exists already, for AlreadyExists
	// and Conflict. Empty when unknown.
	ResourceID, ResourceARN string
}

// Errorf returns an *Error of the given kind with a formatted message.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

func (e *Error) Unwrap() error { return e.Err }
