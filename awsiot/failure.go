package awsiot

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/route"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/respond"
	"github.com/muster-iot/muster/sigv4"
)

// words is the control plane's table of errors: for each kind of failure, the names
// that it may have, best first. An operation answers with the first one that the
// model lists for it, or with the first of all if the model lists none
// (jobs-control-plane.md section 1, registry.md section 1.1).
var words = [muster.KindCount][]string{
	muster.Internal:           {"InternalFailureException", "InternalServerException", "ServiceUnavailableException"},
	muster.Unavailable:        {"ServiceUnavailableException", "InternalFailureException", "InternalServerException"},
	muster.NoRoom:             {"ServiceUnavailableException", "InternalFailureException", "InternalServerException"},
	muster.Invalid:            {"InvalidRequestException", "ValidationException"},
	muster.NotFound:           {"ResourceNotFoundException"},
	muster.AlreadyExists:      {"ResourceAlreadyExistsException", "ConflictException", "InvalidRequestException"},
	muster.VersionConflict:    {"VersionConflictException", "InvalidRequestException"},
	muster.InvalidTransition:  {"InvalidStateTransitionException", "InvalidRequestException"},
	muster.TerminalState:      {"InvalidStateTransitionException", "InvalidRequestException"},
	muster.LimitExceeded:      {"LimitExceededException", "ServiceQuotaExceededException", "InvalidRequestException"},
	muster.Throttled:          {"ThrottlingException"},
	muster.Conflict:           {"ConflictException", "ConflictingResourceUpdateException", "InvalidRequestException"},
	muster.DeleteConflict:     {"DeleteConflictException", "InvalidRequestException"},
	muster.VersionsLimit:      {"VersionsLimitExceededException", "LimitExceededException", "InvalidRequestException"},
	muster.MalformedPolicy:    {"MalformedPolicyException", "InvalidRequestException"},
	muster.CertificateState:   {"CertificateStateException", "InvalidRequestException"},
	muster.CertificateInvalid: {"CertificateValidationException", "InvalidRequestException"},
	muster.CertificateClash:   {"CertificateConflictException", "InvalidRequestException"},
	muster.RegistrationCode:   {"RegistrationCodeValidationException", "InvalidRequestException"},
	muster.InvalidQuery:       {"InvalidQueryException", "InvalidRequestException"},
	muster.IndexNotReady:      {"IndexNotReadyException", "InvalidRequestException"},
	muster.Forbidden:          {"AccessDeniedException"},
}

// statuses are those of names that an operation uses although it does not model them.
var statuses = map[string]int{
	"AccessDeniedException":       http.StatusForbidden,
	"InternalFailureException":    http.StatusInternalServerError,
	"InvalidRequestException":     http.StatusBadRequest,
	"ResourceNotFoundException":   http.StatusNotFound,
	"ServiceUnavailableException": http.StatusServiceUnavailable,
	"ThrottlingException":         http.StatusBadRequest,
}

// named returns the name and status of a kind of failure in op, which is nil if no
// operation was found.
func named(op *wire.Operation, kind muster.Kind) (name string, status int) {
	names := words[kind]
	if op != nil {
		for _, name := range names {
			if e, ok := op.Error(name); ok {
				return name, e.Status
			}
			if e := op.BadInput(); name == "InvalidRequestException" && e != nil { // the newer operations have another name for it
				return e.Name, e.Status
			}
		}
	}
	for _, name := range names {
		if status, ok := statuses[name]; ok {
			return name, status
		}
	}
	return names[0], http.StatusInternalServerError
}

// failure is an error as it is shown to the caller.
type failure struct {
	name   string
	status int
	allow  []string // for a wrong method: the methods that the path has
	body   struct {
		Message     string `json:"message"`
		ResourceID  string `json:"resourceId,omitempty"`
		ResourceARN string `json:"resourceArn,omitempty"`
	}
}

func (f *failure) Error() string { return f.name + ": " + f.body.Message }

func refuse(name string, status int, message string) *failure {
	f := &failure{name: name, status: status}
	f.body.Message = message
	return f
}

// notImplemented is the answer to an operation that is not implemented.
func notImplemented(op *wire.Operation) *failure {
	return refuse("NotImplementedException", http.StatusNotImplemented,
		op.Name+" is an operation of the API that this server does not implement")
}

// internalText is all that a caller sees of an internal failure.
const internalText = "An internal failure occurred. The log of the server has it under the id of this request."

// failureOf returns the failure that a caller of op sees for err.
func failureOf(op *wire.Operation, err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*muster.Error](err); ok && e.Kind < muster.KindCount {
		name, status := named(op, e.Kind)
		f := refuse(name, status, e.Msg)
		if e.Kind == muster.Internal {
			f.body.Message = internalText
		}
		switch name { // the two errors with more members
		case "ResourceAlreadyExistsException":
			f.body.ResourceID, f.body.ResourceARN = e.ResourceID, e.ResourceARN
		case "ConflictException":
			f.body.ResourceID = e.ResourceID
		}
		return f
	}
	if e, ok := errors.AsType[*identity.DeniedError](err); ok {
		name, status := named(op, muster.Forbidden)
		return refuse(name, status, e.Error())
	}
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		return refuse(string(e.Code), http.StatusForbidden, e.Message)
	}
	if e, ok := errors.AsType[*wire.InputError](err); ok {
		name, status := named(op, muster.Invalid)
		return refuse(name, status, e.Message)
	}
	if e, ok := errors.AsType[*route.UnknownPathError](err); ok {
		return refuse("UnknownOperationException", http.StatusNotFound, e.Error())
	}
	if e, ok := errors.AsType[*route.MethodError](err); ok {
		f := refuse("MethodNotAllowedException", http.StatusMethodNotAllowed, e.Error())
		f.allow = e.Allow
		return f
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		name, status := named(op, muster.Unavailable)
		return refuse(name, status, "The request took too long, or its client went away.")
	}
	name, status := named(op, muster.Internal)
	return refuse(name, status, internalText)
}

// write sends f (jobs-control-plane.md section 1, REG-8).
func (f *failure) write(w http.ResponseWriter) {
	body, err := json.Marshal(f.body)
	if err != nil {
		body = []byte("{}")
	}
	for _, method := range f.allow {
		w.Header().Add("Allow", method)
	}
	w.Header().Set("X-Amzn-Errortype", f.name)
	respond.JSON(w, f.status, body)
}
