package awsiot

import (
	"context"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rights"
)

// Certificates keeps the certificates of devices (identity-and-auth.md section A.3).
// The lists begin with the newest one unless ascending.
type Certificates interface {
	// AddCertificate registers a certificate. It fails with AlreadyExists if that is
	// registered, and with CertificateState if its CA is not active (AUTH-28).
	AddCertificate(ctx context.Context, c muster.Certificate) (muster.Certificate, error)
	// CAsOf returns the registered CAs with a subject (DER, in hex).
	CAsOf(ctx context.Context, subject string) ([]muster.CA, error)
	Certificate(ctx context.Context, id muster.CertificateID) (muster.Certificate, error)
	Certificates(ctx context.Context, p listing.Page, ascending bool) (rights.CertificateList, error)
	CertificatesOfCA(ctx context.Context, ca muster.CertificateID, p listing.Page, ascending bool) (rights.CertificateList, error)
	DeleteCertificate(ctx context.Context, id muster.CertificateID, force bool) error
	// NewCertificate fails with AlreadyExists if the certificate is registered. It
	// comes before checks that cost more; AddCertificate checks again.
	NewCertificate(ctx context.Context, id muster.CertificateID) error
	UpdateCertificate(ctx context.Context, id muster.CertificateID, status muster.CertificateStatus) error
}

// certificateOperations are the operations on the certificates of devices
// (identity-and-auth.md section A.3).
type certificateOperations struct {
	account      account
	certificates Certificates
	issuer       *ca.Authority // nil: the server issues none
	now          func() time.Time
	keys         chan struct{} // holds a token for each RSA key that is being made
}

func (o certificateOperations) describeCertificate(ctx context.Context, in *wire.DescribeCertificateRequest) (*wire.DescribeCertificateResponse, error) {
	c, err := o.certificates.Certificate(ctx, muster.CertificateID(*in.CertificateID))
	if err != nil {
		return nil, err
	}
	return &wire.DescribeCertificateResponse{CertificateDescription: &wire.CertificateDescription{
		CertificateARN:   o.account.certificateARN(c.ID),
		CertificateID:    text(c.ID),
		CACertificateID:  text(c.CA),
		Status:           new(c.Status.String()),
		CertificatePEM:   &c.PEM,
		OwnedBy:          &o.account.ID,
		CreationDate:     instant(c.CreatedAt),
		LastModifiedDate: instant(c.UpdatedAt),
		CustomerVersion:  new(int(c.Version)),
		GenerationID:     &c.GenerationID,
		Validity:         validity(c.NotBefore, c.NotAfter),
		CertificateMode:  mode(c.SNIOnly),
	}}, nil
}

func (o certificateOperations) updateCertificate(ctx context.Context, in *wire.UpdateCertificateRequest) error {
	status, _ := muster.ParseCertificateStatus(*in.NewStatus)
	return o.certificates.UpdateCertificate(ctx, muster.CertificateID(*in.CertificateID), status)
}

func (o certificateOperations) deleteCertificate(ctx context.Context, in *wire.DeleteCertificateRequest) error {
	return o.certificates.DeleteCertificate(ctx, muster.CertificateID(*in.CertificateID), wire.Or(in.ForceDelete, false))
}

func (o certificateOperations) listCertificates(ctx context.Context, in *wire.ListCertificatesRequest) (*wire.ListCertificatesResponse, error) {
	list, err := o.certificates.Certificates(ctx, page(in.PageSize, in.Marker), wire.Or(in.AscendingOrder, false))
	if err != nil {
		return nil, err
	}
	return &wire.ListCertificatesResponse{Certificates: o.account.certificates(list.Certificates), NextMarker: text(list.Next)}, nil
}

func (o certificateOperations) listCertificatesByCA(ctx context.Context, in *wire.ListCertificatesByCARequest) (*wire.ListCertificatesByCAResponse, error) {
	list, err := o.certificates.CertificatesOfCA(ctx, muster.CertificateID(*in.CACertificateID), page(in.PageSize, in.Marker), wire.Or(in.AscendingOrder, false))
	if err != nil {
		return nil, err
	}
	return &wire.ListCertificatesByCAResponse{Certificates: o.account.certificates(list.Certificates), NextMarker: text(list.Next)}, nil
}

func (a account) certificates(all []muster.Certificate) []wire.Certificate {
	return each(all, func(c muster.Certificate) wire.Certificate {
		return wire.Certificate{
			CertificateARN:  a.certificateARN(c.ID),
			CertificateID:   text(c.ID),
			Status:          new(c.Status.String()),
			CertificateMode: mode(c.SNIOnly),
			CreationDate:    instant(c.CreatedAt),
		}
	})
}

func (a account) certificateARN(id muster.CertificateID) *string {
	return new(a.ARN("cert", string(id)))
}

func validity(from, to muster.Instant) *wire.CertificateValidity {
	return &wire.CertificateValidity{NotBefore: instant(from), NotAfter: instant(to)}
}

// mode is the certificateMode of a certificate or CA.
func mode(sniOnly bool) *string {
	if sniOnly {
		return new("SNI_ONLY")
	}
	return new("DEFAULT")
}

// transfers are the operations that move certificates between accounts. They are
// always refused, because a deployment has one account, but they need permission
// like all others.
func transfers() []operation {
	refuse := func(_ context.Context, c *call) ([]byte, error) {
		if err := c.authorize(c.needs()); err != nil {
			return nil, err
		}
		return nil, muster.Errorf(muster.Invalid, "Certificates cannot be transferred: there is no other account here")
	}
	return []operation{
		{Operation: wire.AcceptCertificateTransfer, run: refuse},
		{Operation: wire.CancelCertificateTransfer, run: refuse},
		{Operation: wire.RejectCertificateTransfer, run: refuse},
		{Operation: wire.TransferCertificate, run: refuse},
	}
}
