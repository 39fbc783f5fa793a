package datafolder

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"os"
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

// Certificates are the certificates that the TLS listeners of a server present, the preferred
// one first.
type Certificates struct {
	folder Folder
	issuer *ca.Authority
	hosts  []string
	now    func() time.Time
	log    *slog.Logger
	all    atomic.Pointer[[]tls.Certificate]
	rsa    bool // the server's own certificate with an RSA key is among them
}

// All returns the certificates. It may be called during Complete.
func (c *Certificates) All() []tls.Certificate {
	if now := c.all.Load(); now != nil {
		return *now
	}
	return nil
}

// add presents one more, after the others. It may be called during handshakes.
func (c *Certificates) add(one tls.Certificate) {
	now := append(slices.Clip(c.All()), one)
	c.all.Store(&now)
}

// OpenCertificates returns the certificates that are given, such as the operator's, and after
// them the server's own for hosts, below issuer. An RSA key takes long to generate: when that
// certificate is missing, Complete makes it later.
func (f Folder) OpenCertificates(given []tls.Certificate, issuer *ca.Authority, hosts []string, now func() time.Time, log *slog.Logger) (*Certificates, error) {
	c := &Certificates{folder: f, issuer: issuer, hosts: hosts, now: now, log: log}
	for _, one := range given {
		c.add(one)
	}
	own, err := identity.LoadServer(issuer, f.Server(), hosts, now())
	if errors.Is(err, fs.ErrNotExist) {
		own, err = identity.MakeServer(context.Background(), issuer, keptIn(f, f.Server()), hosts, now())
	}
	if err != nil {
		return nil, err
	}
	c.add(own)
	return c, c.openRSA()
}

// openRSA presents the certificate with an RSA key, if it is there.
func (c *Certificates) openRSA() error {
	authority, err := c.openRSAAuthority()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	own, err := identity.LoadServer(authority, c.folder.RSAServer(), c.hosts, c.now())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c.add(own)
	c.rsa = true
	return nil
}

// openRSAAuthority returns the RSA authority, if it is there, and adds it to ca.pem, so that
// clients which trust ca.pem trust it too. A ca.pem that cannot be replaced, such as one that
// is a mount of its own, is left to the operator.
func (c *Certificates) openRSAAuthority() (*ca.Authority, error) {
	authority, err := identity.LoadRSAAuthority(c.folder.RSACA())
	if err != nil {
		return nil, err
	}
	if err := identity.KeepRoots(c.folder.CA().Certificate, c.issuer, authority); err != nil {
		c.log.Warn("the second root cannot be written to ca.pem: give it to devices that can check RSA signatures only",
			"root", c.folder.RSACA().Certificate, "error", err)
	}
	return authority, nil
}

// Complete makes what is missing of the RSA authority and of the certificate below it, and
// presents that certificate. It writes one file after the other, so that the next start can
// continue wherever this one stops. It calls keepParts when it has made the authority.
func (c *Certificates) Complete(ctx context.Context, keepParts func() error) error {
	if c.rsa {
		return nil
	}
	began := c.now()
	authority, err := c.openRSAAuthority()
	if errors.Is(err, fs.ErrNotExist) {
		authority, err = c.makeRSAAuthority(ctx, keepParts)
	}
	if err != nil {
		return err
	}
	own, err := identity.MakeServer(ctx, authority, keptIn(c.folder, c.folder.RSAServer()), c.hosts, c.now())
	if err != nil {
		return err
	}
	c.add(own)
	c.log.Info("a second certificate, for devices that can check RSA signatures only, was made", "root", c.folder.RSACA().Certificate, "took", c.now().Sub(began))
	return nil
}

func (c *Certificates) makeRSAAuthority(ctx context.Context, keepParts func() error) (*ca.Authority, error) {
	if _, err := identity.MakeRSAAuthority(ctx, c.folder.RSACA(), c.now()); err != nil {
		return nil, err
	}
	authority, err := c.openRSAAuthority()
	if err != nil {
		return nil, err
	}
	return authority, keepParts()
}

// OpenAuthority returns the certificate authority of the folder, and makes it on the first
// start. When a first start was killed between the key and the certificate of the authority,
// the key is renamed and another authority is made. Nothing was issued with that key, because
// the files of the server's certificate, which are written next, are missing.
func (f Folder) OpenAuthority(now time.Time, log *slog.Logger) (*ca.Authority, error) {
	a, err := identity.OpenAuthority(f.CA(), now)
	if !errors.Is(err, identity.ErrKeyAlone) {
		return a, err
	}
	for _, later := range []string{f.Server().Certificate, f.Server().Key} {
		if _, served := os.Stat(later); !errors.Is(served, fs.ErrNotExist) {
			return nil, err
		}
	}
	away := f.CA().Key + ".unused" // it may be an operator's own, too
	if err := os.Rename(f.CA().Key, away); err != nil {
		return nil, err
	}
	log.Warn("there was a key without a certificate: another authority is made", "missing", f.CA().Certificate, "key", away)
	return identity.OpenAuthority(f.CA(), now)
}
