package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

func (s *Server) describeCertificate(ctx context.Context, in *wire.DescribeCertificateRequest) (*wire.DescribeCertificateResponse, error) {
	c, err := s.o.Engine.Certificate(ctx, muster.CertificateID(*in.CertificateID))
	if err != nil {
		return nil, err
	}
	return &wire.DescribeCertificateResponse{CertificateDescription: &wire.CertificateDescription{
		CertificateARN:   s.certificateARN(c.ID),
		CertificateID:    text(c.ID),
		CACertificateID:  text(c.CA),
		Status:           new(c.Status.String()),
		CertificatePEM:   &c.PEM,
		OwnedBy:          &s.o.Account.ID,
		CreationDate:     instant(c.CreatedAt),
		LastModifiedDate: instant(c.UpdatedAt),
		CustomerVersion:  new(int(c.Version)),
		GenerationID:     &c.GenerationID,
		Validity:         validity(c.NotBefore, c.NotAfter),
		CertificateMode:  mode(c.SNIOnly),
	}}, nil
}

func (s *Server) updateCertificate(ctx context.Context, in *wire.UpdateCertificateRequest) error {
	status, _ := muster.ParseCertificateStatus(*in.NewStatus)
	return s.o.Engine.UpdateCertificate(ctx, muster.CertificateID(*in.CertificateID), status)
}

func (s *Server) deleteCertificate(ctx context.Context, in *wire.DeleteCertificateRequest) error {
	return s.o.Engine.DeleteCertificate(ctx, muster.CertificateID(*in.CertificateID), wire.Or(in.ForceDelete, false))
}

func (s *Server) listCertificates(ctx context.Context, in *wire.ListCertificatesRequest) (*wire.ListCertificatesResponse, error) {
	list, err := s.o.Engine.Certificates(ctx, page(in.PageSize, in.Marker), wire.Or(in.AscendingOrder, false))
	if err != nil {
		return nil, err
	}
	return &wire.ListCertificatesResponse{Certificates: s.certificates(list.Certificates), NextMarker: text(list.Next)}, nil
}

func (s *Server) listCertificatesByCA(ctx context.Context, in *wire.ListCertificatesByCARequest) (*wire.ListCertificatesByCAResponse, error) {
	list, err := s.o.Engine.CertificatesOfCA(ctx, muster.CertificateID(*in.CACertificateID), page(in.PageSize, in.Marker), wire.Or(in.AscendingOrder, false))
	if err != nil {
		return nil, err
	}
	return &wire.ListCertificatesByCAResponse{Certificates: s.certificates(list.Certificates), NextMarker: text(list.Next)}, nil
}

func (s *Server) certificates(all []muster.Certificate) []wire.Certificate {
	shown := make([]wire.Certificate, 0, len(all))
	for _, c := range all {
		shown = append(shown, wire.Certificate{
			CertificateARN:  s.certificateARN(c.ID),
			CertificateID:   text(c.ID),
			Status:          new(c.Status.String()),
			CertificateMode: mode(c.SNIOnly),
			CreationDate:    instant(c.CreatedAt),
		})
	}
	return shown
}

func (s *Server) certificateARN(id muster.CertificateID) *string {
	return new(s.o.Account.ARN("cert", string(id)))
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

// transfers are the operations that give certificates to other accounts. They
// are refused, not served: a deployment is one account. They ask for permission
// all the same.
func transfers() []operation {
	refuse := func(_ context.Context, c *call) ([]byte, error) {
		if err := needsOf(c).authorize(c.caller); err != nil {
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
