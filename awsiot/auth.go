package awsiot

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

// authenticate returns the signature of a request, as far as its head tells, and
// whom it stands for. Beside an error the head says what the request claims.
func (s *Server) authenticate(r *http.Request) (*sigv4.Head, identity.Caller, error) {
	head, err := s.verifier.Head(r, s.o.Now())
	if s.o.AuthNone {
		err = local(r)
	}
	if err != nil {
		return head, identity.Caller{}, err
	}
	caller, err := s.o.Keys.Caller(head.AccessKeyID)
	return head, caller, err
}

// local returns an error unless the request comes from something else than a
// page in a browser: such a page can reach the loopback interface too, by a
// cross-site request or by a host name that points there.
func local(r *http.Request) error {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(host)
	if r.Header.Get("Origin") != "" || (host != "localhost" && (err != nil || !addr.IsLoopback())) {
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
