package awsiot

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/awsiot/foreign"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/respond"
	"github.com/muster-iot/muster/reserve"
)

// call is one request, filled step by step while it is handled: what the operations
// work on, and what the log shows at the end.
type call struct {
	id        string
	began     time.Time
	account   muster.Account
	remote    string           // address and port
	operation *wire.Operation  // nil until the path is known
	foreign   *foreign.Request // nil for a request for AWS IoT
	served    string           // the operation of another service that was answered
	request   wire.Request
	key       string // access key id, as claimed
	caller    identity.Caller
	attempt   audit.Attempt // of an operation of the control plane; its request id is empty before that is run
	hasRoom   reserve.Room  // nil: there always is room

	handedOver bool // to a data plane, which counts its requests itself

	code string // how it ended: "ok" or the type of the error
	err  error
}

// plane returns the plane that the call belongs to, for the metrics.
func (c *call) plane() string {
	if c.operation != nil && c.operation.Service != wire.ControlPlane {
		return "data"
	}
	return "control"
}

// name returns the name of the operation, "unknown" if there is none.
func (c *call) name() string {
	switch {
	case c.served != "":
		return c.served
	case c.operation == nil:
		return "unknown"
	}
	return c.operation.Name
}

// end logs a call as one wide event without secrets, and counts it.
func (s *Server) end(c *call, r *http.Request, status int) {
	took := s.o.Now().Sub(c.began)
	if !c.handedOver {
		s.o.Observe(c.plane(), c.name(), c.code, took)
	}
	attrs := []slog.Attr{
		slog.String("operation", c.name()),
		slog.String("plane", c.plane()),
		slog.String("code", c.code),
		slog.Int("status", status),
		slog.Duration("took", took),
		slog.String("request_id", c.id),
		slog.String("remote", c.remote),
	}
	if c.key != "" {
		attrs = append(attrs, slog.String("access_key", c.key))
	}
	if c.foreign != nil {
		attrs = append(attrs, slog.String("service", respond.Clip(c.foreign.Service)))
	}
	for _, label := range c.request.Labels {
		attrs = append(attrs, slog.String(label.Name, respond.Clip(label.Value)))
	}
	level := slog.LevelInfo
	if c.err != nil {
		text := respond.Clip(c.err.Error())
		fault := status >= http.StatusInternalServerError && status != http.StatusNotImplemented
		if fault && !expected(c.err) {
			level, text = slog.LevelError, c.err.Error()
		}
		attrs = append(attrs, slog.String("error", text))
	}
	s.o.Flood.Log(r.Context(), s.o.Log, level, "request", c.remote, c.caller.ARN != "", attrs...)
}

// expected reports whether err needs no error line of its own: the client went away, or
// the disk is nearly full, which is logged once and not for every request.
func expected(err error) bool {
	return errors.Is(err, context.Canceled) || muster.IsKind(err, muster.NoRoom)
}
