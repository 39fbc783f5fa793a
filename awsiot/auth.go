package awsiot

import (
	"net/http"
	"slices"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/hostport"
	"github.com/muster-iot/muster/internal/loopback"
	"github.com/muster-iot/muster/internal/respond"
	"github.com/muster-iot/muster/sigv4"
)

// authenticate returns the signature of a request by a verifier, as far as its head
// tells. Beside an error the head says what the request claims.
func (s *Server) authenticate(by *sigv4.Verifier, r *http.Request) (*sigv4.Head, error) {
	leave, err := s.o.Flood.Enter(r.Context(), r.RemoteAddr)
	if err != nil {
		return &sigv4.Head{}, err
	}
	head, err := by.Head(r, s.o.Now())
	leave()
	if s.o.AuthNone {
		err = local(r)
	}
	return head, err
}

// prove identifies who sent a request, and finds its operation in what the
// signature covers.
func (s *Server) prove(c *call, r *http.Request, head *sigv4.Head, body []byte) error {
	if err := s.identify(c, r, head, body); err != nil || head.Path == "" { // no signature was asked for
		return err
	}
	if err := s.find(c, head.Scope.Service, r.Method, r.URL.EscapedPath()); err != nil {
		return err
	}
	return s.coverMembers(r.Header, head.Signature)
}

// identify holds the body of a request against its signature, finds out whom that
// stands for, and makes the request say what the signature covers: what was
// signed is what is done.
func (s *Server) identify(c *call, r *http.Request, head *sigv4.Head, body []byte) error {
	if !s.o.AuthNone {
		leave, err := s.o.Flood.Enter(r.Context(), r.RemoteAddr)
		if err != nil {
			return err
		}
		err = head.Verify(body)
		leave()
		if err != nil {
			return err
		}
	}
	caller, err := s.o.Keys.Caller(head.AccessKeyID)
	if err != nil {
		return err
	}
	c.caller = caller
	if head.Path != "" {
		head.SetTarget(r.URL)
	}
	return nil
}

// memberHeaders begin the names of the headers that carry members of an input.
var memberHeaders = []string{"X-Amz-Mqtt5-", "X-Amz-Tagging", "X-Amzn-Iot-", "X-Amzn-Principal"}

// coverMembers makes headers that carry members say what the signature covers,
// and refuses one that it does not cover.
func (s *Server) coverMembers(header http.Header, signature sigv4.Signature) error {
	if s.o.AuthNone {
		return nil
	}
	for name, values := range header {
		if !slices.ContainsFunc(memberHeaders, func(begin string) bool { return strings.HasPrefix(name, begin) }) {
			continue
		}
		if !slices.Contains(signature.SignedHeaders, strings.ToLower(name)) {
			return &sigv4.Error{Code: sigv4.IncompleteSignature, Message: "'" + respond.Clip(name) + "' must be one of the signed headers."}
		}
		header[name] = []string{sigv4.HeaderValue(values)}
	}
	return nil
}

// local returns an error unless the request comes from something else than a
// page in a browser: such a page can reach the loopback interface too, by a
// cross-site request or by a host name that points there.
func local(r *http.Request) error {
	if r.Header.Get("Origin") != "" || !loopback.Names(hostport.Host(r.Host)) {
		return muster.Errorf(muster.Forbidden, "Without authentication, only programs that address this server as localhost are served")
	}
	return nil
}

// openKeys are the keys of a deployment without authentication: whoever calls
// is the same caller, who may do everything.
type openKeys struct{ caller identity.Caller }

func (openKeys) Lookup(string) (sigv4.Credential, error) {
	return sigv4.Credential{}, sigv4.ErrUnknownKey
}

func (k openKeys) Caller(string) (identity.Caller, error) { return k.caller, nil }
