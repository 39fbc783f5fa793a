package iotdata

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/route"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/internal/respond"
)

// failure is an error as the caller is shown it.
type failure struct {
	name    string
	status  int
	message string
}

// The errors of the API (mqtt-broker.md section 11).
var (
	invalid    = failure{name: "InvalidRequestException", status: http.StatusBadRequest}
	denied     = failure{name: "ForbiddenException", status: http.StatusForbidden}
	notFound   = failure{name: "ResourceNotFoundException", status: http.StatusNotFound}
	badMethod  = failure{name: "MethodNotAllowedException", status: http.StatusMethodNotAllowed}
	tooLarge   = failure{name: "RequestEntityTooLargeException", status: http.StatusRequestEntityTooLarge}
	unserved   = failure{name: "NotImplementedException", status: http.StatusNotImplemented}
	unexpected = failure{name: "InternalFailureException", status: http.StatusInternalServerError}
)

func (f failure) saying(message string) failure {
	f.message = message
	return f
}

// failureOf returns what a caller is shown of err.
func failureOf(err error) failure {
	if e, ok := errors.AsType[*muster.Error](err); ok {
		switch e.Kind {
		case muster.Invalid:
			return invalid.saying(e.Msg)
		case muster.NotFound:
			return notFound.saying(e.Msg)
		}
	}
	if e, ok := errors.AsType[*wire.InputError](err); ok {
		return invalid.saying(e.Error())
	}
	if e, ok := errors.AsType[*route.MethodError](err); ok {
		return badMethod.saying(e.Error())
	}
	if e, ok := errors.AsType[*route.UnknownPathError](err); ok {
		return notFound.saying(e.Error())
	}
	switch {
	case errors.Is(err, gateway.ErrRefused):
		return denied.saying("Forbidden")
	case errors.Is(err, gateway.ErrTopic):
		return invalid.saying(err.Error())
	case errors.Is(err, gateway.ErrTooLarge):
		return tooLarge.saying(err.Error())
	case errors.Is(err, gateway.ErrUnserved):
		return unserved.saying(err.Error())
	case errors.Is(err, gateway.ErrElsewhere):
		return unexpected.saying("The server that has this client does not answer. Try again.")
	}
	return unexpected.saying("An internal failure occurred. The log of the server has it.")
}

// forbidden wraps the reason why a caller may not do something.
func forbidden(err error) error { return fmt.Errorf("%w: %w", gateway.ErrRefused, err) }

func (f failure) write(w http.ResponseWriter) {
	w.Header().Set("X-Amzn-ErrorType", f.name)
	body, _ := json.Marshal(struct { // strings always marshal
		Message string `json:"message"`
		TraceID string `json:"traceId,omitempty"`
	}{f.message, w.Header().Get("X-Amzn-RequestId")})
	respond.JSON(w, f.status, body)
}

// bodyMax is more than any message may be; the gateway knows its own limit.
const bodyMax = wire.MaxBody

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, fmt.Errorf("a body of more than %d bytes: %w", bodyMax, gateway.ErrTooLarge)
	}
	if err != nil {
		return nil, &muster.Error{Kind: muster.Invalid, Msg: "The request body could not be read", Err: err}
	}
	return body, nil
}
