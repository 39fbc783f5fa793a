package dataplane

import (
	"errors"
	"net/http"

	"github.com/muster-iot/muster"
)

// word is how the data plane names a kind of failure: over MQTT by a code, over
// HTTPS by an exception and a status (jobs-data-plane.md section 8).
type word struct {
	code      string
	exception string
	status    int
	state     bool // the answer shows the execution as it is
	// hidden failures are shown as one neutral sentence; the log has the rest.
	hidden bool
}

// The words of the contract. Devices give up on all but the last two.
var (
	wordTopic      = word{code: "InvalidTopic", exception: "UnknownOperationException", status: http.StatusNotFound}
	wordJSON       = word{code: "InvalidJson", exception: "InvalidRequestException", status: http.StatusBadRequest}
	wordRequest    = word{code: "InvalidRequest", exception: "InvalidRequestException", status: http.StatusBadRequest}
	wordNotFound   = word{code: "ResourceNotFound", exception: "ResourceNotFoundException", status: http.StatusNotFound}
	wordVersion    = word{code: "VersionMismatch", exception: "InvalidStateTransitionException", status: http.StatusConflict, state: true}
	wordTransition = word{code: "InvalidStateTransition", exception: "InvalidStateTransitionException", status: http.StatusConflict, state: true}
	wordTerminal   = word{code: "TerminalStateReached", exception: "TerminalStateException", status: http.StatusGone}
	wordThrottled  = word{code: "RequestThrottled", exception: "ThrottlingException", status: http.StatusTooManyRequests}
	wordInternal   = word{code: "InternalError", exception: "ServiceUnavailableException", status: http.StatusServiceUnavailable, hidden: true}

	// What only HTTPS can say: over MQTT a connection without a fit certificate
	// does not come in, and a publish without permission is not answered.
	wordCertificate = word{code: "InvalidRequest", exception: "CertificateValidationException", status: http.StatusBadRequest}
	wordForbidden   = word{code: "InvalidRequest", exception: "ForbiddenException", status: http.StatusForbidden}
)

// words is the data plane's table of errors. What no device request can cause is
// a fault of ours when it shows up here.
var words = [muster.KindCount]word{
	muster.Invalid:            wordRequest,
	muster.NotFound:           wordNotFound,
	muster.VersionConflict:    wordVersion,
	muster.InvalidTransition:  wordTransition,
	muster.TerminalState:      wordTerminal,
	muster.Throttled:          wordThrottled,
	muster.Internal:           wordInternal,
	muster.Unavailable:        {code: "InternalError", exception: "ServiceUnavailableException", status: http.StatusServiceUnavailable},
	muster.NoRoom:             {code: "InternalError", exception: "ServiceUnavailableException", status: http.StatusServiceUnavailable},
	muster.CertificateState:   wordCertificate,
	muster.CertificateInvalid: wordCertificate,
	muster.Forbidden:          wordForbidden,

	muster.AlreadyExists:    wordInternal,
	muster.LimitExceeded:    wordInternal,
	muster.Conflict:         wordInternal,
	muster.DeleteConflict:   wordInternal,
	muster.VersionsLimit:    wordInternal,
	muster.MalformedPolicy:  wordInternal,
	muster.CertificateClash: wordInternal,
	muster.RegistrationCode: wordInternal,
	muster.InvalidQuery:     wordInternal,
	muster.IndexNotReady:    wordInternal,
}

// hiddenMessage is all that a device is told of a fault of ours.
const hiddenMessage = "An internal error occurred. Try again later."

// refusal is a failure as a device is shown it.
type refusal struct {
	word
	message string
	shown   *muster.Execution // nil unless word.state
	trace   string            // the request's id, for HTTPS to show; mostly empty
}

func refusalOf(err error) refusal {
	switch {
	case errors.Is(err, errNotJSON), errors.Is(err, errAmbiguous):
		return refusal{word: wordJSON, message: err.Error()}
	case errors.Is(err, errInvalidTopic):
		return refusal{word: wordTopic, message: err.Error()}
	}
	r := refusal{word: wordInternal, message: hiddenMessage}
	if e := (*muster.Error)(nil); errors.As(err, &e) && e.Kind < muster.KindCount {
		r.word = words[e.Kind]
		if !r.hidden {
			r.message = e.Msg
		}
		if r.state {
			r.shown = e.State
		}
	}
	return r
}
