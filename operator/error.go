package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

// words is the table of errors: the contract's name for each kind of failure, and its status.
var words = [muster.KindCount]word{
	muster.Internal:           {"InternalFailureException", http.StatusInternalServerError},
	muster.Unavailable:        {"ServiceUnavailableException", http.StatusServiceUnavailable},
	muster.Invalid:            {"InvalidRequestException", http.StatusBadRequest},
	muster.NotFound:           {"ResourceNotFoundException", http.StatusNotFound},
	muster.AlreadyExists:      {"ResourceAlreadyExistsException", http.StatusConflict},
	muster.VersionConflict:    {"VersionConflictException", http.StatusConflict},
	muster.InvalidTransition:  {"InvalidStateTransitionException", http.StatusConflict},
	muster.TerminalState:      {"InvalidStateTransitionException", http.StatusConflict},
	muster.LimitExceeded:      {"LimitExceededException", http.StatusConflict},
	muster.Throttled:          {"ThrottlingException", http.StatusTooManyRequests},
	muster.Conflict:           {"ConflictException", http.StatusConflict},
	muster.DeleteConflict:     {"DeleteConflictException", http.StatusConflict},
	muster.VersionsLimit:      {"VersionsLimitExceededException", http.StatusConflict},
	muster.MalformedPolicy:    {"MalformedPolicyException", http.StatusBadRequest},
	muster.CertificateState:   {"CertificateStateException", http.StatusConflict},
	muster.CertificateInvalid: {"CertificateValidationException", http.StatusBadRequest},
	muster.CertificateClash:   {"CertificateConflictException", http.StatusConflict},
	muster.RegistrationCode:   {"RegistrationCodeValidationException", http.StatusBadRequest},
	muster.InvalidQuery:       {"InvalidQueryException", http.StatusBadRequest},
	muster.IndexNotReady:      {"IndexNotReadyException", http.StatusConflict},
	muster.Forbidden:          {"AccessDeniedException", http.StatusForbidden},
	muster.NoRoom:             {"ServiceUnavailableException", http.StatusInsufficientStorage},
}

// word is the name of an error and its HTTP status.
type word struct {
	name   string
	status int
}

// internalText is the message of every internal failure.
const internalText = "An internal failure occurred. The log of the server has it under the id of this request."

// unknownPathError is the error for a path without a route.
type unknownPathError struct{ path string }

func (e *unknownPathError) Error() string { return "no operation has the path " + e.path }

// methodError is the error for a path with routes for other methods only.
type methodError struct {
	method, path string
	allow        []string
}

func (e *methodError) Error() string {
	return fmt.Sprintf("the path %s has no method %s, only %s", e.path, e.method, strings.Join(e.allow, ", "))
}

// tooLargeError is the error for a body that is longer than its route takes.
type tooLargeError struct{ most int }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("The request body is larger than %d bytes", e.most)
}

// shown returns the name, the status and the message of an error.
func shown(err error) (word, string) {
	if e, ok := errors.AsType[*muster.Error](err); ok && e.Kind < muster.KindCount && e.Kind != muster.Internal {
		return words[e.Kind], e.Msg
	}
	if e, ok := errors.AsType[*identity.DeniedError](err); ok {
		return words[muster.Forbidden], e.Error()
	}
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		return word{string(e.Code), http.StatusForbidden}, e.Message
	}
	if errors.Is(err, identity.ErrUnknownKey) { // it was removed after its signature was verified
		return word{string(sigv4.UnrecognizedClient), http.StatusForbidden}, "The security token included in the request is invalid."
	}
	if e, ok := errors.AsType[*unknownPathError](err); ok {
		return word{"UnknownOperationException", http.StatusNotFound}, e.Error()
	}
	if e, ok := errors.AsType[*methodError](err); ok {
		return word{"MethodNotAllowedException", http.StatusMethodNotAllowed}, e.Error()
	}
	if e, ok := errors.AsType[*tooLargeError](err); ok {
		return word{"RequestEntityTooLargeException", http.StatusRequestEntityTooLarge}, e.Error()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return words[muster.Unavailable], "The request took too long, or its client went away."
	}
	return words[muster.Internal], internalText
}

// fail answers with an error.
func (q *request) fail(err error) {
	w, text := shown(err)
	q.code, q.err = w.name, err
	if q.w.Status != 0 { // the route has begun to answer
		panic(http.ErrAbortHandler)
	}
	if e, ok := errors.AsType[*methodError](err); ok {
		q.w.Header()["Allow"] = e.allow
	}
	q.w.Header().Set("X-Amzn-Errortype", w.name)
	answer(q.w, w.status, map[string]string{"message": text})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails only when the client is gone
}
