package device

import (
	"context"
	"errors"
	"fmt"
)

// Code is the reason of a refusal (jobs-data-plane.md section 8).
// A Code is itself an error, for errors.Is:
//
//	if errors.Is(err, device.ResourceNotFound) { … }
type Code string

// The codes of the contract. InternalError and RequestThrottled are temporary,
// and a Client tries again by itself; the others are final.
const (
	InvalidTopic           Code = "InvalidTopic"
	InvalidJSON            Code = "InvalidJson"
	InvalidRequest         Code = "InvalidRequest"
	InvalidStateTransition Code = "InvalidStateTransition"
	ResourceNotFound       Code = "ResourceNotFound"
	VersionMismatch        Code = "VersionMismatch"
	InternalError          Code = "InternalError"
	RequestThrottled       Code = "RequestThrottled"
	TerminalStateReached   Code = "TerminalStateReached"
	// Unauthorized is not a code of the contract: it means that an HTTPS request
	// was answered with 401 or 403, or that a publish was not permitted.
	Unauthorized Code = "Unauthorized"
)

func (c Code) Error() string { return string(c) }

// Error is a refusal by the service.
type Error struct {
	Code    Code
	Message string // for people
	State   *State // the execution as it is; only with VersionMismatch and InvalidStateTransition
}

func (e *Error) Error() string { return fmt.Sprintf("device: %s: %s", string(e.Code), e.Message) }

// Is reports whether target is e's Code.
func (e *Error) Is(target error) bool { return target == error(e.Code) }

// confirms reports whether the refusal of a retried update shows that the first
// attempt succeeded.
func (e *Error) confirms(u Update) bool {
	if e.State == nil || e.State.Status != u.Status {
		return false
	}
	return e.Code == InvalidStateTransition || e.Code == VersionMismatch && e.State.Version == u.ExpectedVersion+1
}

// temporary reports whether the same request may succeed later.
func temporary(err error) bool {
	if refusal := (*Error)(nil); errors.As(err, &refusal) {
		return refusal.Code == InternalError || refusal.Code == RequestThrottled
	}
	return !errors.Is(err, errClosed) && !errors.Is(err, context.Canceled)
}

// Ended is the cause (context.Cause) of a handler's context when the service
// ended the execution the handler was working on.
type Ended struct {
	// Deleted is set when the execution, or its job, was deleted; otherwise it
	// was cancelled, timed out, or removed.
	Deleted bool
	// Status says which, if it is known: Canceled, TimedOut or Removed.
	Status Status
}

func (e *Ended) Error() string {
	switch {
	case e.Deleted:
		return "device: the execution was deleted"
	case e.Status != "":
		return "device: the execution is " + string(e.Status)
	}
	return "device: the service ended the execution"
}
