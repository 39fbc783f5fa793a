package awsiot

import (
	"fmt"
	"net/http"

	"github.com/muster-iot/muster/awsiot/foreign"
	"github.com/muster-iot/muster/intake"
	"github.com/muster-iot/muster/internal/respond"
)

// foreignBodyMax is how many bytes of the body of a request for another service are
// read to verify it. A call of GetCallerIdentity has about fifty.
const foreignBodyMax = 64 << 10

// serveForeign answers a request for another service of AWS. GetCallerIdentity is
// served, because scripts call it before anything else, and LookupEvents, by which tools
// read audit records; everything else gets an error that names the service.
func (s *Server) serveForeign(c *call, w http.ResponseWriter, r *http.Request) error {
	body, err := s.admitForeign(c, w, r)
	if err != nil {
		return err
	}
	operation, version := c.foreign.Call(r.URL.Query(), body)
	service := c.foreign.Service
	if s.asksEvents(c, r, operation) {
		return s.lookupEvents(r.Context(), c, w, body)
	}
	if c.foreign.Protocol != foreign.Query || service != foreign.IdentityService && service != "" {
		return unservedService(service, operation)
	}
	switch {
	case operation == "":
		return refuse("MissingAction", http.StatusBadRequest, "The request has no parameter Action")
	case operation != foreign.CallerIdentity:
		return refuse(foreign.Unserved, http.StatusBadRequest, "Muster serves AWS IoT, and of "+foreign.IdentityService+" only "+
			foreign.CallerIdentity+"; this request is for "+respond.Clip(operation))
	case version != foreign.IdentityVersion:
		return refuse(foreign.Unserved, http.StatusBadRequest, fmt.Sprintf("%s has the version %s, and not %q", operation, foreign.IdentityVersion, respond.Clip(version)))
	}
	c.served = foreign.CallerIdentity
	foreign.WriteCallerIdentity(w, c.caller.ARN, c.id)
	return nil
}

// unservedService is the answer to an operation of a service that is not served. An
// operation that is not known is "".
func unservedService(service, operation string) error {
	what := "the service " + respond.Clip(service)
	if service == "" {
		what = "another service"
	}
	if operation != "" {
		what = "the operation " + respond.Clip(operation) + " of " + what
	}
	return refuse(foreign.Unserved, http.StatusBadRequest, "Muster serves AWS IoT, and this request is for "+what)
}

// admitForeign finds out who sent a request for another service. It returns the
// body if it had to read it.
func (s *Server) admitForeign(c *call, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := bounded(r); err != nil {
		intake.Unread(w, r)
		return nil, err
	}
	if c.foreign.Service == "s3" && !s.o.AuthNone { // bodies of S3 may be endless, and are signed in another way
		intake.Unread(w, r)
		return nil, s.admitObject(c, r)
	}
	head, err := s.authenticate(&s.foreigners, r)
	c.key = head.AccessKeyID
	if err != nil {
		intake.Unread(w, r)
		return nil, err
	}
	if head.Genuine || s.o.AuthNone {
		intake.Known(r.Context())
	}
	if r.ContentLength > foreignBodyMax { // no request that is served is this long
		intake.Unread(w, r)
		operation, _ := c.foreign.Call(nil, nil)
		return nil, unservedService(c.foreign.Service, operation)
	}
	body, err := readBody(r, foreignBodyMax)
	if err == nil {
		err = s.identify(c, r, head, body)
	}
	if err != nil {
		return nil, err
	}
	intake.Known(r.Context())
	return body, nil
}

// admitObject is admitForeign for a request of S3. It does not read the body.
func (s *Server) admitObject(c *call, r *http.Request) error {
	leave, err := s.o.Flood.Enter(r.Context(), r.RemoteAddr)
	if err != nil {
		return err
	}
	signature, _, err := s.foreigners.VerifyHead(r, s.o.Now())
	leave()
	c.key = signature.AccessKeyID
	if err == nil {
		c.caller, err = s.o.Keys.Caller(signature.AccessKeyID)
	}
	return err
}
