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

// authenticate reads the signature of a request and verifies it as far as the
// request's head allows. The head is never nil: with an error it holds what the
// request claims.
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

// prove finds out who sent a request, and then finds its operation once more, when
// the path that the signature covers is spelled differently.
func (s *Server) prove(c *call, r *http.Request, head *sigv4.Head, body []byte) error {
	found := r.URL.EscapedPath()
	if err := s.identify(c, r, head, body); err != nil || head.Path == "" { // no signature was asked for
		return err
	}
	if covered := r.URL.EscapedPath(); covered != found {
		if err := s.find(c, head.Scope.Service, r.Method, covered); err != nil {
			return err
		}
	}
	return s.coverMembers(r.Header, head.Signature)
}

// identify verifies the body of a request against its signature, looks up whose
// key it is, and replaces the request's target by the one that the signature
// covers, so that what is done is what was signed.
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

// memberHeaders are the beginnings of the names of headers that carry members of an
// input.
var memberHeaders = []string{"X-Amz-Mqtt5-", "X-Amz-Tagging", "X-Amzn-Iot-", "X-Amzn-Principal"}

// coverMembers replaces the values of headers that carry members by those that the
// signature covers, and refuses such a header if it is not signed.
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

// local returns an error for a request that a page in a browser may have sent. Such
// a page can reach the loopback interface too, by a cross-site request or by a host
// name that points there.
func local(r *http.Request) error {
	if r.Header.Get("Origin") != "" || !loopback.Names(hostport.Host(r.Host)) {
		return muster.Errorf(muster.Forbidden, "Without authentication, only programs that address this server as localhost are served")
	}
	return nil
}

// openKeys are the keys of a deployment without authentication: every request has
// the same caller, who may do everything.
type openKeys struct{ caller identity.Caller }

func (openKeys) Lookup(string) (sigv4.Credential, error) {
	return sigv4.Credential{}, sigv4.ErrUnknownKey
}

func (k openKeys) Caller(string) (identity.Caller, error) { return k.caller, nil }
