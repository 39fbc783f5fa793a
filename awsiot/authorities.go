package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rights"
)

// CAs keeps the certificate authorities of devices (identity-and-auth.md section
// A.3).
type CAs interface {
	AddCA(ctx context.Context, ca muster.CA, tags []muster.Tag) (muster.CA, error)
	CA(ctx context.Context, id muster.CertificateID) (muster.CA, error)
	// CAs lists those that name a provisioning template, or all for "". The newest one
	// is the first unless ascending.
	CAs(ctx context.Context, template string, p listing.Page, ascending bool) (rights.CAList, error)
	DeleteCA(ctx context.Context, id muster.CertificateID) error
	DeleteRegistrationCode(ctx context.Context) error
	// RegistrationCode returns the code of the account. If there is none yet, it
	// stores fresh.
	RegistrationCode(ctx context.Context, fresh string) (string, error)
	// UpdateCA stores what change returns for a CA; change may be called more than
	// once.
	UpdateCA(ctx context.Context, id muster.CertificateID, change func(muster.CA) muster.CA) error
}

// caOperations are the operations on certificate authorities
// (identity-and-auth.md section A.3).
type caOperations struct {
	account account
	cas     CAs
}

func (o caOperations) getRegistrationCode(ctx context.Context, _ *wire.GetRegistrationCodeRequest) (*wire.GetRegistrationCodeResponse, error) {
	code, err := o.cas.RegistrationCode(ctx, ca.NewRegistrationCode())
	if err != nil {
		return nil, err
	}
	return &wire.GetRegistrationCodeResponse{RegistrationCode: &code}, nil
}

func (o caOperations) deleteRegistrationCode(ctx context.Context, _ *wire.DeleteRegistrationCodeRequest) error {
	return o.cas.DeleteRegistrationCode(ctx)
}

func (o caOperations) registerCACertificateNeeds(in *wire.RegisterCACertificateRequest) needs {
	n := arns("*").and(o.account.pemNeeds("cacert", in.CACertificate), o.account.provisioningNeeds(in.RegistrationConfig))
	if c, err := ca.Parse(*in.CACertificate); err == nil {
		n = n.and(tagged(in.Tags, o.account.ARN("cacert", string(c.ID))))
	}
	return n
}

// pemNeeds asks for a certificate that the call holds as PEM, by the id that it has
// or will have. Text that is not a certificate has no id; the operation refuses it.
func (a account) pemNeeds(kind string, text *string) needs {
	if text == nil {
		return needs{}
	}
	c, err := ca.Parse(*text)
	if err != nil {
		return needs{}
	}
	return arns(a.ARN(kind, string(c.ID)))
}

// provisioningNeeds asks for the template that a registrationConfig names.
func (a account) provisioningNeeds(config *wire.RegistrationConfig) needs {
	if config == nil {
		return needs{}
	}
	return a.named("provisioningtemplate", config.TemplateName)
}

func (o caOperations) updateCACertificateNeeds(in *wire.UpdateCACertificateRequest) needs {
	return o.account.provisioningNeeds(in.RegistrationConfig)
}

func (o caOperations) listCACertificatesNeeds(in *wire.ListCACertificatesRequest) needs {
	return o.account.narrowed("provisioningtemplate", in.TemplateName)
}

func (o caOperations) registerCACertificate(ctx context.Context, in *wire.RegisterCACertificateRequest) (*wire.RegisterCACertificateResponse, error) {
	c, err := ca.ParseCA(*in.CACertificate)
	if err != nil {
		return nil, err
	}
	sniOnly := wire.Or(in.CertificateMode, "DEFAULT") == "SNI_ONLY"
	if err := o.checkPossession(ctx, c, sniOnly, in.VerificationCertificate); err != nil {
		return nil, err
	}
	made := muster.CA{
		ID: c.ID, PEM: c.PEM, Subject: c.Subject(), SNIOnly: sniOnly,
		Active: wire.Or(in.SetAsActive, false), AutoRegistration: wire.Or(in.AllowAutoRegistration, false),
		NotBefore: muster.At(c.X509.NotBefore), NotAfter: muster.At(c.X509.NotAfter),
	}
	made, err = o.cas.AddCA(ctx, configured(made, in.RegistrationConfig), tagsOf(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.RegisterCACertificateResponse{CertificateARN: o.account.caARN(made.ID), CertificateID: text(made.ID)}, nil
}

// checkPossession checks the proof that the caller holds the key of a CA. Only a CA
// in the mode SNI_ONLY needs none (AUTH-33).
func (o caOperations) checkPossession(ctx context.Context, c ca.Certificate, sniOnly bool, verification *string) error {
	switch {
	case sniOnly && verification != nil:
		return muster.Errorf(muster.Invalid, "A CA certificate in the mode SNI_ONLY takes no verificationCertificate")
	case sniOnly:
		return nil
	case verification == nil:
		return muster.Errorf(muster.Invalid, "A CA certificate in the mode DEFAULT needs a verificationCertificate")
	}
	code, err := o.cas.RegistrationCode(ctx, ca.NewRegistrationCode())
	if err != nil {
		return err
	}
	return ca.CheckRegistration(c, *verification, code)
}

func (o caOperations) describeCACertificate(ctx context.Context, in *wire.DescribeCACertificateRequest) (*wire.DescribeCACertificateResponse, error) {
	c, err := o.cas.CA(ctx, muster.CertificateID(*in.CertificateID))
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeCACertificateResponse{CertificateDescription: &wire.CACertificateDescription{
		CertificateARN:         o.account.caARN(c.ID),
		CertificateID:          text(c.ID),
		Status:                 caStatus(c),
		CertificatePEM:         &c.PEM,
		OwnedBy:                &o.account.ID,
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

func (o caOperations) updateCACertificate(ctx context.Context, in *wire.UpdateCACertificateRequest) error {
	return o.cas.UpdateCA(ctx, muster.CertificateID(*in.CertificateID), func(c muster.CA) muster.CA {
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

func (o caOperations) deleteCACertificate(ctx context.Context, in *wire.DeleteCACertificateRequest) error {
	return o.cas.DeleteCA(ctx, muster.CertificateID(*in.CertificateID))
}

func (o caOperations) listCACertificates(ctx context.Context, in *wire.ListCACertificatesRequest) (*wire.ListCACertificatesResponse, error) {
	list, err := o.cas.CAs(ctx, wire.Or(in.TemplateName, ""), page(in.PageSize, in.Marker), wire.Or(in.AscendingOrder, false))
	if err != nil {
		return nil, err
	}
	return &wire.ListCACertificatesResponse{
		Certificates: each(list.CAs, func(c muster.CA) wire.CACertificate {
			return wire.CACertificate{
				CertificateARN: o.account.caARN(c.ID), CertificateID: text(c.ID), Status: caStatus(c), CreationDate: instant(c.CreatedAt),
			}
		}),
		NextMarker: text(list.Next),
	}, nil
}

// configured returns c with its registrationConfig. The configuration is kept and
// shown and has no other effect: devices of the CA are registered, but nothing is
// provisioned for them.
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

func (a account) caARN(id muster.CertificateID) *string {
	return new(a.ARN("cacert", string(id)))
}
