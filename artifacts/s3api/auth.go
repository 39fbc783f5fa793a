package s3api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/hostport"
	"github.com/muster-iot/muster/internal/loopback"
	"github.com/muster-iot/muster/internal/respond"
	"github.com/muster-iot/muster/sigv4"
)

// lookup knows the deployment's own key beside those of people.
func (s *Server) lookup(accessKeyID string) (sigv4.Credential, error) {
	if accessKeyID == s.o.Own.AccessKeyID {
		return s.o.Own, nil
	}
	return s.o.Keys.Lookup(accessKeyID)
}

// authenticate finds out who sent a request, and leaves a body that is checked
// while it is read.
func (s *Server) authenticate(c *call) error {
	if s.o.AuthNone {
		c.caller = identity.Unrestricted("arn:aws:iam::" + s.o.Account + ":user/anonymous")
		c.receive(sigv4.UnverifiedBody(c.r))
		return local(c.r)
	}
	claimsOwn := strings.HasPrefix(c.query.Get("X-Amz-Credential"), s.o.Own.AccessKeyID+"/")
	now := s.o.Now
	if claimsOwn {
		now = s.o.OwnNow
	}
	verify := s.verifier.VerifyHead
	if isLegacy(c.query) {
		verify = func(_ *http.Request, now time.Time) (sigv4.Signature, *sigv4.Body, error) {
			return s.verifyLegacy(c, now)
		}
	}
	leave, err := s.o.Flood.Enter(c.r.Context(), c.r.RemoteAddr)
	if err != nil {
		return err
	}
	signature, body, err := verify(c.r, now())
	leave()
	c.signature = signature
	if err != nil {
		return err
	}
	c.receive(body)
	if signature.Presigned {
		if err := c.lower(); err != nil {
			return err
		}
	}
	// Who signed is what was verified; the query may name anybody.
	own := signature.Presigned && signature.AccessKeyID == s.o.Own.AccessKeyID
	if own != claimsOwn {
		return refuse("AccessDenied", "Only one authentication mechanism is allowed in a request.")
	}
	if c.own = own; own {
		c.caller = identity.Unrestricted("arn:aws:iam::" + s.o.Account + ":role/muster")
		return c.ownMay()
	}
	c.caller, err = s.o.Keys.Caller(signature.AccessKeyID)
	return err
}

// ownMay returns nil when the call is one that the deployment signs URLs for: one
// object to get, or one to put whose content the request brings.
func (c *call) ownMay() error {
	if (c.operation == "GetObject" || c.operation == "PutObject") && c.r.Header.Get("X-Amz-Copy-Source") == "" {
		return nil
	}
	return refuse("AccessDenied", "A URL for a device gets one object or puts one")
}

// receive prepares the body of a request.
func (c *call) receive(body *sigv4.Body) {
	c.chunked = body.Chunked
	c.body = body.Reader(&patientReader{c: c, control: http.NewResponseController(c.w), from: c.r.Body})
}

// local returns an error unless the request comes from something else than a
// page in a browser, which can reach the loopback interface too.
func local(r *http.Request) error {
	host := hostport.Host(r.Host)
	if r.Header.Get("Origin") != "" || !loopback.Names(host) && !strings.HasSuffix(host, ".localhost") { // below it are buckets
		return refuse("AccessDenied", "Without authentication, only programs that address this server as localhost are served")
	}
	return nil
}

// authorize returns nil when the caller may perform an action on a resource;
// an empty action is asked for later.
func (c *call) authorize(action, resource string) error {
	if action == "" {
		return nil
	}
	if c.query.Has("versionId") {
		switch action {
		case "s3:GetObject", "s3:DeleteObject":
			action += "Version"
		}
	}
	return c.caller.Authorize(action, []string{resource}, c.vars)
}

// vars returns the condition keys of the call.
func (c *call) vars(key string) ([]string, bool) {
	switch key {
	case "s3:prefix":
		return c.query["prefix"], c.query.Has("prefix")
	case "s3:delimiter":
		return c.query["delimiter"], c.query.Has("delimiter")
	}
	return identity.From(c.r.RemoteAddr)(key)
}

// signing reports whether a parameter belongs to a presigned request, or is a
// header that was signed as one.
func signing(name string) bool {
	return hoisted(name) || slices.Contains([]string{"AWSAccessKeyId", "Signature", "Expires"}, name)
}

// hoisted reports whether a parameter of a presigned request may be a header.
func hoisted(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "x-amz-") || name == "content-type" || name == "content-md5"
}

// lower puts the headers that signers have hoisted into the query where the
// others are. One that came as both must say the same.
func (c *call) lower() error {
	for name, values := range c.query {
		if !hoisted(name) {
			continue
		}
		if came := c.r.Header.Get(name); came != "" && came != values[0] {
			return refuse("InvalidRequest", "The header %s has another value than the one that was signed", respond.Clip(name))
		}
		c.r.Header.Set(name, values[0])
	}
	return nil
}

// Claims reports whether a request says that it is of this API: that it is signed
// for the service s3. What it says is yet to be proven.
func Claims(r *http.Request) bool {
	if sigv4.ClaimedService(r) == "s3" {
		return true
	}
	return r.Header.Get("Authorization") == "" && r.URL.RawQuery != "" && isLegacy(r.URL.Query())
}
