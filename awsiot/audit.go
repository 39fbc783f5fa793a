package awsiot

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/hostport"
)

// witnessed returns a context with which what the operation of a call changes is recorded.
func (s *Server) witnessed(ctx context.Context, c *call) context.Context {
	c.attempt = audit.Attempt{
		RequestID: c.id, AccessKeyID: c.key, User: c.caller.Name(), Address: hostport.Host(c.remote), Service: "iot", Operation: c.operation.Name,
	}
	if s.o.AuthNone {
		c.attempt.AccessKeyID = "" // nobody has proven it
	}
	return s.o.Audit.Witnessed(ctx, &c.attempt)
}

// refused records that a call was refused: by policy, whatever it is, or by the rules of the service if it would have changed
// something.
func (s *Server) refused(ctx context.Context, c *call, err error) {
	a, f := c.attempt, failureOf(c.operation, err)
	_, writes := useOf(c.operation.Name)
	denied, byPolicy := errors.AsType[*identity.DeniedError](err)
	switch {
	case byPolicy:
		if !slices.Contains(a.Resources, denied.Resource) { // of what a document names
			a.Resources = append(slices.Clip(a.Resources), denied.Resource)
		}
		s.o.Audit.Refused(ctx, a, audit.Refused, f.name, f.body.Message)
	case writes && f.status < http.StatusInternalServerError && !muster.IsKind(err, muster.Throttled):
		s.o.Audit.Refused(ctx, a, audit.Failed, f.name, f.body.Message)
	}
}
