package s3api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/hostport"
)

// unrecorded are the operations that only prepare what CompleteMultipartUpload does, so that an upload in parts has one record.
var unrecorded = []string{"CreateMultipartUpload", "UploadPart", "UploadPartCopy"}

// changes reports whether the operation of a call changes something that is recorded.
func (c *call) changes() bool {
	return c.r.Method != http.MethodGet && c.r.Method != http.MethodHead && !slices.Contains(unrecorded, c.operation)
}

// audited runs the operation of a call whose caller is known, and has recorded what it changes, or that it was refused. What the
// deployment signs for devices is not recorded.
func (s *Server) audited(ctx context.Context, c *call, run func(context.Context) error) error {
	log := s.o.Audit()
	if c.own {
		return run(ctx)
	}
	c.attempt = audit.Attempt{
		RequestID: c.id, AccessKeyID: c.signature.AccessKeyID, User: c.caller.Name(), Address: hostport.Host(c.r.RemoteAddr), Service: "s3",
		Operation: c.operation, Resources: []string{c.resource()},
	}
	if s.o.AuthNone {
		c.attempt.AccessKeyID = "" // nobody has proven it
	}
	if c.changes() {
		ctx = log.Witnessed(ctx, &c.attempt)
		defer log.Ended()
	}
	err := run(ctx)
	s.refused(ctx, c, err)
	return err
}

// refused records that a call was refused, if it was: by policy, whatever it is, or by the rules of S3 if it would have changed
// something.
func (s *Server) refused(ctx context.Context, c *call, err error) {
	if err == nil || c.attempt.RequestID == "" {
		return
	}
	f := failureOf(c, err)
	if _, byPolicy := errors.AsType[*identity.DeniedError](err); byPolicy {
		s.o.Audit().Refused(ctx, c.attempt, audit.Refused, f.code, f.message)
	} else if status := statuses[f.code]; c.changes() && status != 0 && status < http.StatusInternalServerError {
		s.o.Audit().Refused(ctx, c.attempt, audit.Failed, f.code, f.message)
	}
}

// called gives the call the name of another operation, which its headers ask for.
func (c *call) called(operation string) { c.operation, c.attempt.Operation = operation, operation }
