package awsiot

import (
	"context"
	"runtime"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity/ca"
)

// keysAtOnce is how many RSA keys are made at the same time. Each occupies a
// processor for a good part of a second, and devices must be served meanwhile.
func keysAtOnce() int { return max(1, runtime.GOMAXPROCS(0)/2) }

var errNoIssuer = muster.Errorf(muster.Unavailable, "This server has no certificate authority of its own")

// createKeysAndCertificate answers with the private key, which is not stored
// (AUTH-25).
func (o certificateOperations) createKeysAndCertificate(ctx context.Context, in *wire.CreateKeysAndCertificateRequest) (*wire.CreateKeysAndCertificateResponse, error) {
	if o.issuer == nil {
		return nil, errNoIssuer
	}
	select {
	case o.keys <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	made, keys, err := o.issuer.NewDevice(o.now())
	<-o.keys
	if err != nil {
		return nil, err
	}
	if err := o.addCertificate(ctx, made, muster.Certificate{Status: firstStatus(in.SetAsActive)}); err != nil {
		return nil, err
	}
	return &wire.CreateKeysAndCertificateResponse{
		CertificateARN: o.account.certificateARN(made.ID), CertificateID: text(made.ID), CertificatePEM: &made.PEM,
		KeyPair: &wire.KeyPair{PublicKey: &keys.PublicKey, PrivateKey: new(string(keys.PrivateKey))},
	}, nil
}

func (o certificateOperations) createCertificateFromCSR(ctx context.Context, in *wire.CreateCertificateFromCsrRequest) (*wire.CreateCertificateFromCsrResponse, error) {
	if o.issuer == nil {
		return nil, errNoIssuer
	}
	made, err := o.issuer.IssueDevice(*in.CertificateSigningRequest, o.now())
	if err != nil {
		return nil, err
	}
	if err := o.addCertificate(ctx, made, muster.Certificate{Status: firstStatus(in.SetAsActive)}); err != nil {
		return nil, err
	}
	return &wire.CreateCertificateFromCsrResponse{
		CertificateARN: o.account.certificateARN(made.ID), CertificateID: text(made.ID), CertificatePEM: &made.PEM,
	}, nil
}

func (o certificateOperations) registerCertificateNeeds(in *wire.RegisterCertificateRequest) needs {
	return arns("*").and(o.account.pemNeeds("cert", in.CertificatePEM), o.account.pemNeeds("cacert", in.CACertificatePEM))
}

func (o certificateOperations) registerCertificateWithoutCANeeds(in *wire.RegisterCertificateWithoutCARequest) needs {
	return arns("*").and(o.account.pemNeeds("cert", in.CertificatePEM))
}

// registerCertificate registers a certificate that a registered CA signed
// (AUTH-28).
func (o certificateOperations) registerCertificate(ctx context.Context, in *wire.RegisterCertificateRequest) (*wire.RegisterCertificateResponse, error) {
	status, err := registrationStatus(in.Status, in.SetAsActive)
	if err != nil {
		return nil, err
	}
	c, err := ca.Parse(*in.CertificatePEM)
	if err != nil {
		return nil, err
	}
	if err := o.certificates.NewCertificate(ctx, c.ID); err != nil {
		return nil, err
	}
	issuer, err := o.issuerOf(ctx, c, in.CACertificatePEM)
	if err != nil {
		return nil, err
	}
	if err := o.addCertificate(ctx, c, muster.Certificate{Status: status, CA: issuer.ID, SNIOnly: issuer.SNIOnly}); err != nil {
		return nil, err
	}
	return &wire.RegisterCertificateResponse{CertificateARN: o.account.certificateARN(c.ID), CertificateID: text(c.ID)}, nil
}

func (o certificateOperations) registerCertificateWithoutCA(ctx context.Context, in *wire.RegisterCertificateWithoutCARequest) (*wire.RegisterCertificateWithoutCAResponse, error) {
	status, err := registrationStatus(in.Status, nil)
	if err != nil {
		return nil, err
	}
	c, err := ca.Parse(*in.CertificatePEM)
	if err != nil {
		return nil, err
	}
	if err := o.addCertificate(ctx, c, muster.Certificate{Status: status, SNIOnly: true}); err != nil {
		return nil, err
	}
	return &wire.RegisterCertificateWithoutCAResponse{CertificateARN: o.account.certificateARN(c.ID), CertificateID: text(c.ID)}, nil
}

// issuerOf finds the registered CA that signed a certificate: the given one, or
// else the only one with the issuer's name (AUTH-28). It does not check whether the
// CA is active; Certificates does.
func (o certificateOperations) issuerOf(ctx context.Context, c ca.Certificate, given *string) (muster.CA, error) {
	candidates, err := o.certificates.CAsOf(ctx, c.Issuer())
	if err != nil {
		return muster.CA{}, err
	}
	if given != nil {
		named, err := ca.Parse(*given)
		if err != nil {
			return muster.CA{}, err
		}
		candidates = only(named.ID, candidates)
	}
	switch len(candidates) {
	case 0:
		return muster.CA{}, muster.Errorf(muster.CertificateInvalid, "The CA certificate of the certificate is not registered")
	case 1:
	default:
		return muster.CA{}, muster.Errorf(muster.CertificateClash, "There are %d CA certificates with this subject: say which by caCertificatePem", len(candidates))
	}
	issuer, err := ca.Parse(candidates[0].PEM)
	if err != nil {
		return muster.CA{}, &muster.Error{Kind: muster.Internal, Msg: "A registered CA certificate cannot be read", Err: err}
	}
	if !c.SignedBy(issuer) {
		return muster.CA{}, muster.Errorf(muster.CertificateInvalid, "The certificate is not signed by the CA certificate %s", issuer.ID)
	}
	return candidates[0], nil
}

func only(id muster.CertificateID, all []muster.CA) []muster.CA {
	for _, one := range all {
		if one.ID == id {
			return []muster.CA{one}
		}
	}
	return nil
}

// addCertificate registers a certificate.
func (o certificateOperations) addCertificate(ctx context.Context, c ca.Certificate, as muster.Certificate) error {
	as.ID, as.PEM = c.ID, c.PEM
	as.NotBefore, as.NotAfter = muster.At(c.X509.NotBefore), muster.At(c.X509.NotAfter)
	_, err := o.certificates.AddCertificate(ctx, as)
	return err
}

func firstStatus(active *bool) muster.CertificateStatus {
	if wire.Or(active, false) {
		return muster.CertificateActive
	}
	return muster.CertificateInactive
}

// registrationStatus reads the status that a certificate gets when it is registered:
// INACTIVE unless the call asks for another (AUTH-29).
func registrationStatus(word *string, active *bool) (muster.CertificateStatus, error) {
	if word == nil {
		return firstStatus(active), nil
	}
	status, _ := muster.ParseCertificateStatus(*word)
	return status, muster.CheckFirstStatus(status)
}
