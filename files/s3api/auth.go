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

// lookup returns the deployment's own key or one of Keys.
func (s *Server) lookup(accessKeyID string) (sigv4.Credential, error) {
	if accessKeyID == s.o.Own.AccessKeyID {
		return s.o.Own, nil
	}
	return s.o.Keys.Lookup(accessKeyID)
}

// authenticate verifies the signature of a request and sets its caller. It prepares
// c.body, which verifies the body while it is read.
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
		if err := c.unhoist(); err != nil {
			return err
		}
	}
	// Decide by the key that was verified, since the query may name any key.
	own := signature.Presigned && signature.AccessKeyID == s.o.Own.AccessKeyID
	if own != claimsOwn {
		return refuse("AccessDenied", "Only one authentication mechanism is allowed in a request.")
	}
	if c.own = own; own {
		c.caller = identity.Unrestricted("arn:aws:iam::" + s.o.Account + ":role/muster")
		return c.checkOwn()
	}
	c.caller, err = s.o.Keys.Caller(signature.AccessKeyID)
	return err
}

// checkOwn returns nil when the call is one that the deployment signs URLs for: to get
// one object, or to put one whose content is the body.
func (c *call) checkOwn() error {
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

// local refuses requests of pages in a browser, which can reach the loopback interface
// too: those have an Origin, or a host whose name resolves to a loopback address.
func local(r *http.Request) error {
	host := hostport.Host(r.Host)
	if r.Header.Get("Origin") != "" || !loopback.Names(host) && !strings.HasSuffix(host, ".localhost") { // below it are buckets
		return refuse("AccessDenied", "Without authentication, only programs that address this server as localhost are served")
	}
	return nil
}

// authorize returns nil when the caller may perform an action on a resource. An empty
// action is permitted: its operation calls authorize itself.
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

// signing reports whether a parameter is part of the signature of a presigned request,
// or a hoisted header.
func signing(name string) bool {
	return hoisted(name) || slices.Contains([]string{"AWSAccessKeyId", "Signature", "Expires"}, name)
}

// hoisted reports whether a parameter of a presigned request is a header that its signer
// moved (hoisted) into the query.
func hoisted(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "x-amz-") || name == "content-type" || name == "content-md5"
}

// unhoist copies hoisted headers from the query to the head. A header that is in both
// must have the same value.
func (c *call) unhoist() error {
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

// Claims reports whether a request is for this API: whether it says that it is signed for
// the service s3. That is not verified.
func Claims(r *http.Request) bool {
	if sigv4.ClaimedService(r) == "s3" {
		return true
	}
	return r.Header.Get("Authorization") == "" && r.URL.RawQuery != "" && isLegacy(r.URL.Query())
}
