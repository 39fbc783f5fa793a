package ca

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/muster-iot/muster"
)

// NewRegistrationCode returns a random code of 64 hex digits, which must be the
// common name of a verification certificate.
func NewRegistrationCode() string {
	var code [32]byte
	_, _ = rand.Read(code[:]) // crypto/rand never fails
	return hex.EncodeToString(code[:])
}

// CheckRegistration returns nil when verification, a certificate in PEM, proves
// possession of the key of ca: it must be signed by ca and have the registration
// code as its common name. Otherwise the error is of the kind
// muster.RegistrationCode, or muster.CertificateInvalid when verification cannot
// be read (AUTH-33).
func CheckRegistration(ca Certificate, verification, code string) error {
	c, err := Parse(verification)
	if err != nil {
		return err
	}
	if !c.SignedBy(ca) {
		return muster.Errorf(muster.RegistrationCode, "The verification certificate is not signed by the CA certificate")
	}
	if code == "" || c.X509.Subject.CommonName != code {
		return muster.Errorf(muster.RegistrationCode, "The common name of the verification certificate is not the registration code")
	}
	return nil
}
