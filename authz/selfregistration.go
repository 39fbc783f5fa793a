package authz

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity/ca"
)

// registerItself registers an unknown certificate as PENDING_ACTIVATION when a
// registered CA with auto registration signed it (AUTH-34). The connection is
// refused all the same; the device connects again after an operator activated the
// certificate.
func (a *Authorizer) registerItself(ctx context.Context, id muster.CertificateID, leaf *x509.Certificate) {
	cas, err := a.o.Principals.CAsOf(ctx, hex.EncodeToString(leaf.RawIssuer))
	if err != nil {
		a.o.Log.Error("CA look-up failed", "error", err)
		return
	}
	for _, issuer := range cas {
		if !issuer.Active || !issuer.AutoRegistration || !signed(issuer, leaf) {
			continue
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
		c, err := a.o.Principals.AddCertificate(ctx, muster.Certificate{
			ID: id, PEM: string(text), Status: muster.CertificatePendingActivation, CA: issuer.ID,
			NotBefore: muster.At(leaf.NotBefore), NotAfter: muster.At(leaf.NotAfter),
		})
		if err != nil {
			a.o.Log.Error("certificate could not register itself", "certificate", id, "error", err)
			return
		}
		a.o.Registered(c)
		return
	}
}

func signed(by muster.CA, leaf *x509.Certificate) bool {
	issuer, err := ca.ParseCA(by.PEM)
	return err == nil && ca.Certificate{X509: leaf}.SignedBy(issuer)
}
