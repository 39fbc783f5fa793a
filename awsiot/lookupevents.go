package awsiot

import (
	"context"
	"errors"
	"net/http"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/awsiot/foreign"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/hostport"
)

// lookupAction is what a key must be allowed to read the audit records in the form of AWS CloudTrail, on "*".
const lookupAction = "cloudtrail:" + foreign.LookupEvents

// asksEvents reports whether a request for another service is a LookupEvents.
func (s *Server) asksEvents(c *call, r *http.Request, operation string) bool {
	return s.o.Audit != nil && c.foreign.Service == foreign.TrailService && c.foreign.Protocol == foreign.JSON && operation == foreign.LookupEvents &&
		r.Method == http.MethodPost && r.URL.Path == "/"
}

// lookupEvents answers a LookupEvents.
func (s *Server) lookupEvents(ctx context.Context, c *call, w http.ResponseWriter, body []byte) error {
	c.served = foreign.LookupEvents
	if err := c.caller.Authorize(lookupAction, nil, identity.From(c.remote)); err != nil {
		s.o.Audit.Refused(ctx, audit.Attempt{
			RequestID: c.id, AccessKeyID: c.key, User: c.caller.Name(), Address: hostport.Host(c.remote), Service: foreign.TrailService, Operation: foreign.LookupEvents,
		}, audit.Refused, "AccessDeniedException", err.Error())
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s.o.Turns.Asked()
	asked, err := foreign.ReadLookup(body)
	if e, bad := errors.AsType[*foreign.TrailError](err); bad {
		return refuse(e.Name, http.StatusBadRequest, e.Message)
	}
	page, err := s.o.Audit.Lookup(ctx, asked.Query)
	if muster.IsKind(err, muster.Invalid) { // nothing else of the query can be
		return refuse("InvalidNextTokenException", http.StatusBadRequest, "The NextToken is not one of an answer to the same request")
	}
	if err != nil {
		return err
	}
	if asked.None {
		page.Records, page.Next = nil, ""
	}
	foreign.WriteEvents(w, page, s.o.Account)
	return nil
}
