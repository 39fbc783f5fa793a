package muster

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an Error is. Each edge has a table that gives
// every Kind its own word and status; no edge looks at the message.
type Kind uint8

// The kinds of failure. Internal is the zero value, the kind of every error that
// was not classified.
const (
	Internal           Kind = iota // a fault of the server; the cause is logged, never shown
	Invalid                        // the request is wrong, whatever the state of the server
	NotFound                       // a resource named by the request does not exist
	AlreadyExists                  // the name is taken by a different resource
	VersionConflict                // an optimistic lock failed
	InvalidTransition              // the state machine forbids it
	TerminalState                  // the execution has ended, and devices are not shown it
	LimitExceeded                  // a quota is used up
	Throttled                      // too many requests just now
	Conflict                       // the resource is in use or changing
	DeleteConflict                 // something still refers to the resource
	VersionsLimit                  // a policy has all the versions it may have
	MalformedPolicy                // a policy document cannot be read
	CertificateState               // the certificate's status forbids it
	CertificateInvalid             // a certificate cannot be read or verified
	CertificateClash               // several registered CAs could have signed it
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

	// State is the current execution, for the two kinds of failure that show it to
	// a device: VersionConflict and InvalidTransition. Otherwise it is nil.
	State *Execution
	// ResourceID and ResourceARN name the existing resource, for AlreadyExists and
	// Conflict. They are empty when unknown.
	ResourceID, ResourceARN string
}

// Errorf returns an *Error of the given kind with a formatted message.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// Existsf returns an *Error of the kind AlreadyExists with a formatted message. id
// and arn name the resource that has the name already; either may be empty.
func Existsf(id, arn, format string, args ...any) *Error {
	return &Error{Kind: AlreadyExists, Msg: fmt.Sprintf(format, args...), ResourceID: id, ResourceARN: arn}
}

// IsKind reports whether err is an *Error of the given kind, or wraps one. A nil err
// is of no kind, nor is an error that is no *Error: not even Internal.
func IsKind(err error, kind Kind) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == kind
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

func (e *Error) Unwrap() error { return e.Err }
