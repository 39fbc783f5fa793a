package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/sigv4"
)

const (
	// serverLifetime is long because a certificate is renewed at a start only, and a
	// server may run for years without one.
	serverLifetime = 10 * 365 * 24 * time.Hour
	// serverRenewal is how long a server certificate must still be valid at a start.
	serverRenewal = 2 * 365 * 24 * time.Hour
)

// OpenServer returns the TLS certificate of this server for hosts, the names and IP
// addresses by which clients reach it. It returns the one in the files as LoadServer
// does, and makes another one when there is none that serves.
func OpenServer(a *ca.Authority, f PEMFiles, hosts []string, now time.Time) (tls.Certificate, error) {
	pair, err := LoadServer(a, f, hosts, now)
	if !errors.Is(err, fs.ErrNotExist) {
		return pair, err
	}
	made, err := newServer(a, hosts, now)
	if err != nil {
		return tls.Certificate{}, err
	}
	return made.keep(f)
}

// LoadServer returns the server certificate in the files. Its error wraps
// fs.ErrNotExist when there is none that serves: when the certificate or its key is
// missing or broken, or when it is signed by another authority, lacks a host or
// expires within two years.
func LoadServer(a *ca.Authority, f PEMFiles, hosts []string, now time.Time) (tls.Certificate, error) {
	certificate, key, err := f.read()
	if errors.Is(err, ErrKeyAlone) || errors.Is(err, errKeyMissing) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("open server certificate: %w", err)
	}
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil || !serves(a, pair.Leaf, hosts, now) {
		return tls.Certificate{}, fmt.Errorf("the server certificate in %s does not serve: %w", f.Certificate, fs.ErrNotExist)
	}
	return pair, nil
}

// MakeServer makes a server certificate and replaces its files, of which the zero
// PEMFiles has none. When ctx ends before the key is found, it returns the context's
// error and writes nothing.
func MakeServer(ctx context.Context, a *ca.Authority, f PEMFiles, hosts []string, now time.Time) (tls.Certificate, error) {
	made, err := unlessDone(ctx, func() (serverPair, error) { return newServer(a, hosts, now) })
	if err != nil {
		return tls.Certificate{}, err
	}
	return made.keep(f)
}

// serverPair is the certificate of a server and its key, both PEM.
type serverPair struct {
	certificate string
	key         sigv4.Secret
}

func newServer(a *ca.Authority, hosts []string, now time.Time) (serverPair, error) {
	made, key, err := a.NewServer(hosts, serverLifetime, now)
	if err != nil {
		return serverPair{}, fmt.Errorf("make server certificate: %w", err)
	}
	return serverPair{made.PEM, key}, nil
}

func (p serverPair) keep(f PEMFiles) (tls.Certificate, error) {
	if f != (PEMFiles{}) {
		if err := f.write(p.certificate, p.key); err != nil {
			return tls.Certificate{}, fmt.Errorf("write server certificate: %w", err)
		}
	}
	return tls.X509KeyPair([]byte(p.certificate), []byte(p.key))
}

// serves reports whether a server certificate is signed by a, covers hosts and is
// valid for long enough.
func serves(a *ca.Authority, c *x509.Certificate, hosts []string, now time.Time) bool {
	if !(ca.Certificate{X509: c}).SignedBy(a.Certificate) || now.Add(serverRenewal).After(c.NotAfter) {
		return false
	}
	for _, host := range hosts {
		if c.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}
