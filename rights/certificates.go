package rights

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// AddCertificate adds a certificate that was issued here or is being registered
// (identity-and-auth.md section A.3). The caller has read and checked its text. It returns
// the certificate with CreatedAt, UpdatedAt, Version and GenerationID filled in. It fails
// with AlreadyExists, with NotFound if its CA is not registered, and with CertificateState
// if its CA is not active (AUTH-28).
func (s *Rights) AddCertificate(ctx context.Context, c muster.Certificate) (muster.Certificate, error) {
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (muster.Certificate, error) {
		c := c // the next run begins with what was asked for
		if err := s.mustBeNew(tx, c.ID); err != nil {
			return c, err
		}
		if c.CA != "" {
			ca, err := findCA(tx, c.CA)
			if err != nil {
				return c, err
			}
			if !ca.Active {
				return c, muster.Errorf(muster.CertificateState, "CA certificate %s is not active", c.CA)
			}
		}
		c.CreatedAt, c.UpdatedAt, c.Version, c.GenerationID = tx.Now, tx.Now, 1, s.newID()
		tables.certificates.Put(tx, string(c.ID), c)
		listing.PutDated(tx, tables.certificatesByDate, c.CreatedAt, string(c.ID))
		if c.CA != "" {
			listing.PutDated(tx, tables.certificatesOfCA, c.CreatedAt, string(c.ID), string(c.CA))
		}
		s.recheckCertificate(tx, c.ID)
		return c, nil
	}, wantCertificate(c.ID), func(w *commit.Wants) {
		if c.CA != "" {
			w.Record(tables.cas.Table, string(c.CA))
		}
	})
}

// NewCertificate fails with AlreadyExists if the certificate exists. It is a cheap check
// before expensive ones; AddCertificate checks again.
func (s *Rights) NewCertificate(ctx context.Context, id muster.CertificateID) error {
	return s.commits.View(ctx, func(r store.Reader) error { return s.mustBeNew(r, id) })
}

func (s *Rights) mustBeNew(r store.Reader, id muster.CertificateID) error {
	known, err := tables.certificates.Has(r, string(id))
	if err == nil && known {
		err = s.certificateExists("cert", id)
	}
	return err
}

// Certificate returns a certificate, or fails with NotFound.
func (s *Rights) Certificate(ctx context.Context, id muster.CertificateID) (muster.Certificate, error) {
	var c muster.Certificate
	err := s.commits.View(ctx, func(r store.Reader) (err error) {
		c, err = certificate(r, id)
		return err
	})
	return c, err
}

// UpdateCertificate sets the status of a certificate. The Watcher is told, so that the
// connections of a certificate that is no longer ACTIVE end (AUTH-31). It fails with
// NotFound, or as muster.Certificate.WithStatus.
func (s *Rights) UpdateCertificate(ctx context.Context, id muster.CertificateID, status muster.CertificateStatus) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		c, err := certificate(tx, id)
		if err != nil {
			return err
		}
		if c, err = c.WithStatus(status, tx.Now); err != nil {
			return err
		}
		tables.certificates.Put(tx, string(id), c)
		s.recheckCertificate(tx, id)
		return nil
	}, wantCertificate(id))
}

// DeleteCertificate removes a certificate (AUTH-32). It fails with NotFound, with
// CertificateState if it is ACTIVE, and with DeleteConflict if it is attached to a thing
// or, unless force is set, has policies.
func (s *Rights) DeleteCertificate(ctx context.Context, id muster.CertificateID, force bool) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		c, err := certificate(tx, id)
		if err != nil {
			return err
		}
		if c.Status == muster.CertificateActive {
			return muster.Errorf(muster.CertificateState, "Certificate must be deactivated (not ACTIVE) before deletion. Id: %s", id)
		}
		arn := s.account.ARN("cert", string(id))
		if bound, err := tables.thingsOfPrincipal.AnyUnder(tx, string(id)); err != nil {
			return err
		} else if bound {
			return muster.Errorf(muster.DeleteConflict, "Things must be detached before deletion (arn: %s)", arn)
		}
		target := certificateTarget(id)
		attached, err := policiesOf(tx, target)
		if err != nil {
			return err
		}
		if len(attached) > 0 && !force {
			return muster.Errorf(muster.DeleteConflict, "Certificate policies must be detached before deletion (arn: %s)", arn)
		}
		for _, name := range attached {
			detachPolicy(tx, name, target)
		}
		tables.certificates.Delete(tx, string(id))
		listing.DeleteDated(tx, tables.certificatesByDate, c.CreatedAt, string(id))
		if c.CA != "" {
			listing.DeleteDated(tx, tables.certificatesOfCA, c.CreatedAt, string(id), string(c.CA))
		}
		s.recheckCertificate(tx, id)
		return nil
	}, wantCertificate(id), func(w *commit.Wants) {
		w.Under(tables.thingsOfPrincipal.Table, string(id))
		w.Under(tables.policiesOfTarget.Table, certificateTarget(id))
	})
}

// CertificateList is a page of certificates.
type CertificateList struct {
	Certificates []muster.Certificate
	Next         string // marker of the next page; empty on the last
}

// Certificates lists all certificates by creation, newest first unless ascending. It fails
// with Invalid.
func (s *Rights) Certificates(ctx context.Context, p listing.Page, ascending bool) (list CertificateList, err error) {
	d := listing.Dated[muster.Certificate]{Table: tables.certificatesByDate, Of: tables.certificates.Table, Read: readCertificate}
	list.Certificates, list.Next, err = d.Page(ctx, s.commits, s.pages, p, ascending)
	return list, err
}

// CertificatesOfCA lists the certificates that a registered CA has signed, by creation,
// newest first unless ascending. A CA that does not exist has none. It fails with Invalid.
func (s *Rights) CertificatesOfCA(ctx context.Context, ca muster.CertificateID, p listing.Page, ascending bool) (list CertificateList, err error) {
	d := listing.Dated[muster.Certificate]{Table: tables.certificatesOfCA, Owner: []string{string(ca)}, Of: tables.certificates.Table, Read: readCertificate}
	list.Certificates, list.Next, err = d.Page(ctx, s.commits, s.pages, p, ascending)
	return list, err
}

func readCertificate(r store.Reader, id string) (muster.Certificate, error) {
	return certificate(r, muster.CertificateID(id))
}

func certificate(r store.Reader, id muster.CertificateID) (muster.Certificate, error) {
	return tables.certificates.Require(r, string(id), func() error {
		return muster.Errorf(muster.NotFound, "Certificate %s does not exist", id)
	})
}

func (s *Rights) certificateExists(kind string, id muster.CertificateID) error {
	return muster.Existsf(string(id), s.account.ARN(kind, string(id)), "The certificate is already provisioned or registered")
}
