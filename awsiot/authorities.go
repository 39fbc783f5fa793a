package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity/ca"
)

func (s *Server) getRegistrationCode(ctx context.Context, _ *wire.GetRegistrationCodeRequest) (*wire.GetRegistrationCodeResponse, error) {
	code, err := s.o.Engine.RegistrationCode(ctx, ca.NewRegistrationCode())
	if err != nil {
		return nil, err
	}
	return &wire.GetRegistrationCodeResponse{RegistrationCode: &code}, nil
}

func (s *Server) deleteRegistrationCode(ctx context.Context, _ *wire.DeleteRegistrationCodeRequest) error {
	return s.o.Engine.DeleteRegistrationCode(ctx)
}

func (n *needs) registerCA(in *wire.RegisterCACertificateRequest) {
	n.arns("*")
	n.pem("cacert", in.CACertificate)
	n.provisioning(in.RegistrationConfig)
	if c, err := ca.Parse(*in.CACertificate); err == nil {
		n.tagged(in.Tags, n.account.ARN("cacert", string(c.ID)))
	}
}

// pem adds the certificate that is given itself, by the id that it has or will
// have. What cannot be read has none, and is for the operation to refuse.
func (n *needs) pem(kind string, text *string) {
	if text == nil {
		return
	}
	if c, err := ca.Parse(*text); err == nil {
		n.arns(n.account.ARN(kind, string(c.ID)))
	}
}

// provisioning adds the template that a registrationConfig names.
func (n *needs) provisioning(config *wire.RegistrationConfig) {
	if config != nil {
		n.named("provisioningtemplate", config.TemplateName)
	}
}

func (n *needs) updateCA(in *wire.UpdateCACertificateRequest) { n.provisioning(in.RegistrationConfig) }

func (n *needs) listCAs(in *wire.ListCACertificatesRequest) {
	n.narrowed("provisioningtemplate", in.TemplateName)
}

func (s *Server) registerCACertificate(ctx context.Context, in *wire.RegisterCACertificateRequest) (*wire.RegisterCACertificateResponse, error) {
	c, err := ca.ParseCA(*in.CACertificate)
	if err != nil {
		return nil, err
	}
	sniOnly := wire.Or(in.CertificateMode, "DEFAULT") == "SNI_ONLY"
	if err := s.checkPossession(ctx, c, sniOnly, in.VerificationCertificate); err != nil {
		return nil, err
	}
	made := muster.CA{
		ID: c.ID, PEM: c.PEM, Subject: c.Subject(), SNIOnly: sniOnly,
		Active: wire.Or(in.SetAsActive, false), AutoRegistration: wire.Or(in.AllowAutoRegistration, false),
		NotBefore: muster.At(c.X509.NotBefore), NotAfter: muster.At(c.X509.NotAfter),
	}
	made, err = s.o.Engine.AddCA(ctx, configured(made, in.RegistrationConfig), tagsOf(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.RegisterCACertificateResponse{CertificateARN: s.caARN(made.ID), CertificateID: text(made.ID)}, nil
}

// checkPossession has who registers a CA prove that they hold its key, which
// only a CA in the mode SNI_ONLY need not (AUTH-33).
func (s *Server) checkPossession(ctx context.Context, c ca.Certificate, sniOnly bool, verification *string) error {
	switch {
	case sniOnly && verification != nil:
		return muster.Errorf(muster.Invalid, "A CA certificate in the mode SNI_ONLY takes no verificationCertificate")
	case sniOnly:
		return nil
	case verification == nil:
		return muster.Errorf(muster.Invalid, "A CA certificate in the mode DEFAULT needs a verificationCertificate")
	}
	code, err := s.o.Engine.RegistrationCode(ctx, ca.NewRegistrationCode())
	if err != nil {
		return err
	}
	return ca.CheckRegistration(c, *verification, code)
}

func (s *Server) describeCACertificate(ctx context.Context, in *wire.DescribeCACertificateRequest) (*wire.DescribeCACertificateResponse, error) {
	c, err := s.o.Engine.CA(ctx, muster.CertificateID(*in.CertificateID))
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeCACertificateResponse{CertificateDescription: &wire.CACertificateDescription{
		CertificateARN:         s.caARN(c.ID),
		CertificateID:          text(c.ID),
		Status:                 caStatus(c),
		CertificatePEM:         &c.PEM,
		OwnedBy:                &s.o.Account.ID,
		CreationDate:           instant(c.CreatedAt),
		AutoRegistrationStatus: new("DISABLE"),
		LastModifiedDate:       instant(c.UpdatedAt),
		CustomerVersion:        new(int(c.Version)),
		GenerationID:           &c.GenerationID,
		Validity:               validity(c.NotBefore, c.NotAfter),
		CertificateMode:        mode(c.SNIOnly),
	}}
	if c.AutoRegistration {
		out.CertificateDescription.AutoRegistrationStatus = new("ENABLE")
	}
	config := wire.RegistrationConfig{TemplateBody: text(c.Template), RoleARN: text(c.RoleARN), TemplateName: text(c.TemplateName)}
	if config != (wire.RegistrationConfig{}) {
		out.RegistrationConfig = &config
	}
	return out, nil
}

func (s *Server) updateCACertificate(ctx context.Context, in *wire.UpdateCACertificateRequest) error {
	return s.o.Engine.UpdateCA(ctx, muster.CertificateID(*in.CertificateID), func(c muster.CA) muster.CA {
		if in.NewStatus != nil {
			c.Active = *in.NewStatus == "ACTIVE"
		}
		if in.NewAutoRegistrationStatus != nil {
			c.AutoRegistration = *in.NewAutoRegistrationStatus == "ENABLE"
		}
		if wire.Or(in.RemoveAutoRegistration, false) {
			c.AutoRegistration, c.Template, c.RoleARN, c.TemplateName = false, "", "", ""
		}
		return configured(c, in.RegistrationConfig)
	})
}

func (s *Server) deleteCACertificate(ctx context.Context, in *wire.DeleteCACertificateRequest) error {
	return s.o.Engine.DeleteCA(ctx, muster.CertificateID(*in.CertificateID))
}

func (s *Server) listCACertificates(ctx context.Context, in *wire.ListCACertificatesRequest) (*wire.ListCACertificatesResponse, error) {
	list, err := s.o.Engine.CAs(ctx, wire.Or(in.TemplateName, ""), page(in.PageSize, in.Marker), wire.Or(in.AscendingOrder, false))
	if err != nil {
		return nil, err
	}
	out := &wire.ListCACertificatesResponse{Certificates: make([]wire.CACertificate, 0, len(list.CAs)), NextMarker: text(list.Next)}
	for _, c := range list.CAs {
		out.Certificates = append(out.Certificates, wire.CACertificate{
			CertificateARN: s.caARN(c.ID), CertificateID: text(c.ID), Status: caStatus(c), CreationDate: instant(c.CreatedAt),
		})
	}
	return out, nil
}

// configured returns c with what a registrationConfig says about it. It is kept
// and shown; devices of the CA are registered, but nothing is provisioned for
// them.
func configured(c muster.CA, config *wire.RegistrationConfig) muster.CA {
	if config != nil {
		c.Template, c.RoleARN, c.TemplateName = wire.Or(config.TemplateBody, ""), wire.Or(config.RoleARN, ""), wire.Or(config.TemplateName, "")
	}
	return c
}

func caStatus(c muster.CA) *string {
	if c.Active {
		return new(muster.CertificateActive.String())
	}
	return new(muster.CertificateInactive.String())
}

func (s *Server) caARN(id muster.CertificateID) *string {
	return new(s.o.Account.ARN("cacert", string(id)))
}
