package gateway

import (
	"errors"

	"github.com/muster-iot/muster/gateway/packet"
)

// Cause is why a connection ended, in the words of life-cycle events (mqtt-broker.md section 6).
type Cause string

// The causes that occur.
const (
	None                Cause = ""
	ClientInitiated     Cause = "CLIENT_INITIATED_DISCONNECT"
	ClientError         Cause = "CLIENT_ERROR"
	ConnectionLost      Cause = "CONNECTION_LOST"
	DuplicateClientID   Cause = "DUPLICATE_CLIENTID"
	KeepAliveTimeout    Cause = "MQTT_KEEP_ALIVE_TIMEOUT"
	AuthError           Cause = "AUTH_ERROR"
	ForbiddenAccess     Cause = "FORBIDDEN_ACCESS"
	ServerError         Cause = "SERVER_ERROR"
	ServerInitiated     Cause = "SERVER_INITIATED_DISCONNECT"
	APIInitiated        Cause = "API_INITIATED_DISCONNECT"
	Throttled           Cause = "THROTTLED"
	WebSocketTTLExpired Cause = "WEBSOCKET_TTL_EXPIRATION"
)

// ending is how a connection ends: the cause for events, the reason code for an MQTT 5 client (0: none is sent) and what
// happened, for the log.
type ending struct {
	cause  Cause
	reason packet.Reason
	err    error
}

// failure is an error of the transport. It is put into words only for the log: every connection has one in the end.
type failure struct {
	doing string
	err   error
}

func (f *failure) Error() string { return f.doing + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// clientError ends a connection for what its client sent.
func clientError(reason packet.Reason, text string) *ending {
	return &ending{ClientError, reason, errors.New(text)}
}

// refusal ends a connection for an error of the codec.
func refusal(err error) *ending {
	reason := packet.MalformedPacket
	if e, ok := errors.AsType[*packet.Error](err); ok {
		reason = e.Reason
	}
	return &ending{ClientError, reason, err}
}

func forbidden(err error) *ending { return &ending{ForbiddenAccess, packet.NotAuthorized, err} }

var errTakenOver = &ending{DuplicateClientID, packet.SessionTakenOver, errors.New("another connection uses the client id")}
