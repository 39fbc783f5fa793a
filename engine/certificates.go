package engine

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// AddCertificate takes a certificate into the registry, issued here or
// registered (identity-and-auth.md section A.3). The caller has read and
// checked its text; CreatedAt, UpdatedAt, Version and GenerationID are filled
// in. One that is known fails with AlreadyExists, and one of a CA that is not
// active with CertificateState (AUTH-28).
func (e *Engine) AddCertificate(ctx context.Context, c muster.Certificate) (muster.Certificate, error) {
	return do(ctx, e, func(b *batch) (muster.Certificate, error) {
		c := c // the next run begins with what was asked for
		if err := e.mustBeNew(b, c.ID); err != nil {
			return c, err
		}
		if c.CA != "" {
			ca, err := authority(b, c.CA)
			if err != nil {
				return c, err
			}
			if !ca.Active {
				return c, muster.Errorf(muster.CertificateState, "CA certificate %s is not active", c.CA)
			}
		}
		c.CreatedAt, c.UpdatedAt, c.Version, c.GenerationID = b.Now, b.Now, 1, e.o.NewID()
		certificates.Put(b, string(c.ID), c)
		b.dated(certificatesByDate, c.CreatedAt, string(c.ID))
		if c.CA != "" {
			b.dated(certificatesOfCA, c.CreatedAt, string(c.ID), string(c.CA))
		}
		b.recheckCertificate(c.ID)
		return c, nil
	})
}

// NewCertificate fails with AlreadyExists when a certificate is known. It is
// asked before the questions that cost more; AddCertificate asks again.
func (e *Engine) NewCertificate(ctx context.Context, id muster.CertificateID) error {
	return e.view(ctx, func(r store.Reader) error { return e.mustBeNew(r, id) })
}

func (e *Engine) mustBeNew(r store.Reader, id muster.CertificateID) error {
	known, err := certificates.Has(r, string(id))
	if err == nil && known {
		err = e.certificateExists("cert", id)
	}
	return err
}

// Certificate returns one certificate.
func (e *Engine) Certificate(ctx context.Context, id muster.CertificateID) (muster.Certificate, error) {
	var c muster.Certificate
	err := e.view(ctx, func(r store.Reader) (err error) {
		c, err = certificate(r, id)
		return err
	})
	return c, err
}

// UpdateCertificate sets the status of a certificate. When it leaves ACTIVE,
// Options.Access is told, so that its connections end (AUTH-31).
func (e *Engine) UpdateCertificate(ctx context.Context, id muster.CertificateID, status muster.CertificateStatus) error {
	return e.do(ctx, func(b *batch) error {
		c, err := certificate(b, id)
		if err != nil {
			return err
		}
		if c, err = c.WithStatus(status, b.Now); err != nil {
			return err
		}
		certificates.Put(b, string(id), c)
		b.recheckCertificate(id)
		return nil
	})
}

// DeleteCertificate removes a certificate that is not ACTIVE and not attached
// to a thing; with policies attached only by force (AUTH-32).
func (e *Engine) DeleteCertificate(ctx context.Context, id muster.CertificateID, force bool) error {
	return e.do(ctx, func(b *batch) error {
		c, err := certificate(b, id)
		if err != nil {
			return err
		}
		if c.Status == muster.CertificateActive {
			return muster.Errorf(muster.CertificateState, "Certificate must be deactivated (not ACTIVE) before deletion. Id: %s", id)
		}
		arn := e.o.Account.ARN("cert", string(id))
		if bound, err := anyUnder(b, thingsOfPrincipal, string(id)); err != nil {
			return err
		} else if bound {
			return muster.Errorf(muster.DeleteConflict, "Things must be detached before deletion (arn: %s)", arn)
		}
		target := certificateTarget(id)
		attached, err := policiesOf(b, target)
		if err != nil {
			return err
		}
		if len(attached) > 0 && !force {
			return muster.Errorf(muster.DeleteConflict, "Certificate policies must be detached before deletion (arn: %s)", arn)
		}
		for _, name := range attached {
			b.detachPolicy(name, target)
		}
		certificates.Delete(b, string(id))
		b.undated(certificatesByDate, c.CreatedAt, string(id))
		if c.CA != "" {
			b.undated(certificatesOfCA, c.CreatedAt, string(id), string(c.CA))
		}
		b.recheckCertificate(id)
		return nil
	})
}

// CertificateList is a page of certificates.
type CertificateList struct {
	Certificates []muster.Certificate
	Next         string // marker of the next page; empty on the last
}

// Certificates lists all certificates by creation, newest first unless
// ascending.
func (e *Engine) Certificates(ctx context.Context, p Page, ascending bool) (list CertificateList, err error) {
	d := datedList[muster.Certificate]{table: certificatesByDate, read: readCertificate}
	list.Certificates, list.Next, err = d.page(ctx, e, p, ascending)
	return list, err
}

// CertificatesOfCA lists the certificates that one registered CA vouches for,
// by creation, newest first unless ascending. An unknown CA has none.
func (e *Engine) CertificatesOfCA(ctx context.Context, ca muster.CertificateID, p Page, ascending bool) (list CertificateList, err error) {
	d := datedList[muster.Certificate]{table: certificatesOfCA, owner: []string{string(ca)}, read: readCertificate}
	list.Certificates, list.Next, err = d.page(ctx, e, p, ascending)
	return list, err
}

func readCertificate(r store.Reader, id string) (muster.Certificate, error) {
	return certificate(r, muster.CertificateID(id))
}

func certificate(r store.Reader, id muster.CertificateID) (muster.Certificate, error) {
	c, err := certificates.Get(r, string(id))
	if err != nil {
		return muster.Certificate{}, err
	}
	if c == nil {
		return muster.Certificate{}, muster.Errorf(muster.NotFound, "Certificate %s does not exist", id)
	}
	return *c, nil
}

func (e *Engine) certificateExists(kind string, id muster.CertificateID) error {
	err := muster.Errorf(muster.AlreadyExists, "The certificate is already provisioned or registered")
	err.ResourceID, err.ResourceARN = string(id), e.o.Account.ARN(kind, string(id))
	return err
}
