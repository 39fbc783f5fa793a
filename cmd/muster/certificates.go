package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
)

// A server has two certificates of its own. The first is below the folder's authority;
// both have ECDSA keys. The second is for clients that can check RSA signatures only: its
// key is RSA, and so is that of the authority above it. That authority certifies nothing
// else: devices get their certificates from the first.

// shown is what the TLS listeners show, the preferred first.
type shown struct {
	now atomic.Pointer[[]tls.Certificate]
	rsa bool // ours with an RSA key is among them
}

func (s *shown) all() []tls.Certificate {
	if now := s.now.Load(); now != nil {
		return *now
	}
	return nil
}

// add shows one more, after the others. Handshakes may be under way.
func (s *shown) add(c tls.Certificate) {
	now := append(slices.Clip(s.all()), c)
	s.now.Store(&now)
}

// openCertificates shows the operator's certificate, if there is one, and after it our
// own. The one with an RSA key takes long to make: when it is missing,
// completeCertificates makes it later.
func (s *server) openCertificates() error {
	if s.c.TLSCertificate != "" {
		given, err := tls.LoadX509KeyPair(s.c.TLSCertificate, s.c.TLSKey)
		if err != nil {
			return fmt.Errorf("--tls-certificate: %w", err)
		}
		s.shown.add(given)
	}
	own, err := identity.OpenServer(s.issuer, s.data.Server(), s.c.hosts(), time.Now())
	if err != nil {
		return err
	}
	s.shown.add(own)
	authority, err := s.openRSAAuthority()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	own, err = identity.LoadServer(authority, s.data.RSAServer(), s.c.hosts(), time.Now())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.shown.add(own)
	s.shown.rsa = true
	return nil
}

// openRSAAuthority returns the RSA authority, if it is there, and sees to it that
// clients which are given ca.pem trust it. Where ca.pem cannot be replaced, such as one
// that is mounted by itself, that is left to the operator.
func (s *server) openRSAAuthority() (*ca.Authority, error) {
	authority, err := identity.LoadRSAAuthority(s.data.RSACA())
	if err != nil {
		return nil, err
	}
	if err := identity.KeepRoots(s.data.CA().Certificate, s.issuer, authority); err != nil {
		s.log.Warn("the second root cannot be written to ca.pem: give it to devices that can check RSA signatures only",
			"root", s.data.RSACA().Certificate, "error", err)
	}
	return authority, nil
}

// completeCertificates makes the certificate with an RSA key, unless it is there, once
// the server is announced, so that no start waits for it. It returns when ctx ends.
func (s *server) completeCertificates(ctx context.Context, announced <-chan struct{}) {
	select {
	case <-announced:
	case <-ctx.Done():
	}
	if !s.shown.rsa {
		if err := s.makeRSA(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the certificate for devices that can check RSA signatures only cannot be made; the next start tries again", "error", err)
		}
	}
	<-ctx.Done()
}

// makeRSA makes what is missing of the RSA authority and of the certificate below it,
// and shows that. It writes one file after the other, so that the next start can go on
// wherever this one ends.
func (s *server) makeRSA(ctx context.Context) error {
	began := time.Now()
	authority, err := s.openRSAAuthority()
	if errors.Is(err, fs.ErrNotExist) {
		authority, err = s.makeRSAAuthority(ctx)
	}
	if err != nil {
		return err
	}
	own, err := identity.MakeServer(ctx, authority, s.data.RSAServer(), s.c.hosts(), time.Now())
	if err != nil {
		return err
	}
	s.shown.add(own)
	s.log.Info("a second certificate, for devices that can check RSA signatures only, was made", "root", s.data.RSACA().Certificate, "took", time.Since(began))
	return nil
}

func (s *server) makeRSAAuthority(ctx context.Context) (*ca.Authority, error) {
	if _, err := identity.MakeRSAAuthority(ctx, s.data.RSACA(), time.Now()); err != nil {
		return nil, err
	}
	authority, err := s.openRSAAuthority()
	if err != nil {
		return nil, err
	}
	return authority, s.keepParts()
}
