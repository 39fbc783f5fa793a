package operator

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/hostport"
	"github.com/muster-iot/muster/listing"
)

// serve has the route of a request serve it, and what that changes recorded.
func (s *Server) serve(ctx context.Context, q *request, c *Call) (any, error) {
	a := q.attempt()
	if q.route.Change != Outside {
		ctx = s.o.Audit.Witnessed(ctx, &a)
		said, err := q.route.Serve(ctx, c)
		s.refused(ctx, q, err)
		return said, err
	}
	intent, err := s.o.Audit.Begin(ctx, a)
	if err != nil {
		return nil, err
	}
	said, err := q.route.Serve(ctx, c)
	outcome, reason, message := audit.Done, "", ""
	if err != nil {
		w, text := shown(err)
		outcome, reason, message = audit.Failed, w.name, text
	}
	if ended := intent.End(context.WithoutCancel(ctx), outcome, reason, message, c.Changes...); err == nil && ended != nil { // it is done, and shown as unknown
		s.o.Log.Error("the outcome of a change is not recorded", "operation", q.route.Action, "request_id", q.id, "error", ended)
	}
	return said, err
}

// attempt returns what audit records have of a request whose sender is known.
func (q *request) attempt() audit.Attempt {
	return audit.Attempt{
		RequestID: q.id, AccessKeyID: q.key, User: q.caller.Name(), Address: hostport.Host(q.r.RemoteAddr), Service: "muster",
		Operation: strings.TrimPrefix(q.route.Action, "muster:"), Resources: q.resources,
	}
}

// refused records that a request was refused, if it was: by policy, whatever it is, or by the rules of the service if it would have
// changed something.
func (s *Server) refused(ctx context.Context, q *request, err error) {
	if err == nil || q.caller.ARN == "" || q.route == nil {
		return
	}
	w, text := shown(err)
	_, byPolicy := errors.AsType[*identity.DeniedError](err)
	switch {
	case byPolicy:
		s.o.Audit.Refused(ctx, q.attempt(), audit.Refused, w.name, text)
	case q.route.Change != NoChange && w.status < http.StatusInternalServerError && !muster.IsKind(err, muster.Throttled):
		s.o.Audit.Refused(ctx, q.attempt(), audit.Failed, w.name, text)
	}
}

// Audits finds audit records.
type Audits interface {
	// Lookup fails with Invalid for a token of another query.
	Lookup(ctx context.Context, q audit.Query) (audit.Page, error)
}

// AuditPage is a page of audit records, the newest first.
type AuditPage struct {
	Records []audit.Entry `json:"records"`
	Next    string        `json:"nextToken,omitempty"` // absent on the last page
}

// lookupAudit finds records. A resource may be named by the end of its ARN, such as job/fw.
func (p Parts) lookupAudit(ctx context.Context, c *Call, _ none) (AuditPage, error) {
	in := c.Query()
	q := audit.Query{Resource: in.Text("resource"), Principal: in.Text("principal"), Operation: in.Text("operation"), From: in.Instant("from"), To: in.Instant("to")}
	q.Page = listing.Page{Limit: in.Number("maxResults", 1, listing.Max, 0), Token: in.Text("nextToken")}
	if err := in.Err(); err != nil {
		return AuditPage{}, err
	}
	if q.Resource != "" && !strings.HasPrefix(q.Resource, "arn:") {
		kind, name, _ := strings.Cut(q.Resource, "/")
		q.Resource = p.Account.ARN(kind, name)
	}
	found, err := p.Audit.Lookup(ctx, q)
	page := AuditPage{Records: []audit.Entry{}, Next: found.Next}
	for _, r := range found.Records {
		page.Records = append(page.Records, audit.EntryOf(r))
	}
	return page, err
}
