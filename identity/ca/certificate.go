package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/muster-iot/muster"
)

const (
	// minRSABits is the size of the RSA keys made here, and the minimum accepted (AUTH-13).
	minRSABits = 2048
	// maxPEM is the longest certificate read, in bytes: the model's limit.
	maxPEM = 65536
)

// Certificate is one X.509 certificate.
type Certificate struct {
	ID   muster.CertificateID
	PEM  string // of this certificate only, without the text around it
	X509 *x509.Certificate
}

// ID returns the id of a certificate in DER form, by which the certificate of a TLS
// client is looked up (AUTH-20).
func ID(der []byte) muster.CertificateID {
	digest := sha256.Sum256(der)
	return muster.CertificateID(hex.EncodeToString(digest[:]))
}

// Parse reads the first certificate in a PEM text. A text without one, or with
// one whose key is too weak, is a muster.CertificateInvalid error (AUTH-28). It
// checks neither signature nor dates.
func Parse(text string) (Certificate, error) {
	if len(text) > maxPEM {
		return Certificate{}, muster.Errorf(muster.CertificateInvalid, "The certificate is longer than %d bytes", maxPEM)
	}
	block, rest := pem.Decode([]byte(text))
	for block != nil && block.Type != "CERTIFICATE" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return Certificate{}, muster.Errorf(muster.CertificateInvalid, "The certificate is not PEM of type CERTIFICATE")
	}
	c, err := parseDER(block.Bytes)
	if err != nil {
		return Certificate{}, &muster.Error{Kind: muster.CertificateInvalid, Msg: "The certificate cannot be read", Err: err}
	}
	if err := checkKey(c.X509.PublicKey); err != nil {
		return Certificate{}, muster.Errorf(muster.CertificateInvalid, "The certificate is refused: %v", err)
	}
	return c, nil
}

// ParseCA reads a certificate as Parse does, and also fails with
// muster.CertificateInvalid when it is not that of a CA (AUTH-33).
func ParseCA(text string) (Certificate, error) {
	c, err := Parse(text)
	if err == nil && (!c.X509.BasicConstraintsValid || !c.X509.IsCA) {
		return Certificate{}, muster.Errorf(muster.CertificateInvalid, "The certificate is not that of a CA (basic constraints CA:TRUE)")
	}
	return c, err
}

func parseDER(der []byte) (Certificate, error) {
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, err
	}
	return Certificate{
		ID:   ID(der),
		PEM:  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		X509: parsed,
	}, nil
}

// Subject returns the certificate's subject in the form of muster.CA.
func (c Certificate) Subject() string { return hex.EncodeToString(c.X509.RawSubject) }

// Issuer returns the subject of the CA that the certificate says signed it, in
// the form of muster.CA.
func (c Certificate) Issuer() string { return hex.EncodeToString(c.X509.RawIssuer) }

// SignedBy reports whether issuer's key made c's signature under issuer's name.
// Nothing else of either is checked.
func (c Certificate) SignedBy(issuer Certificate) bool {
	return bytes.Equal(c.X509.RawIssuer, issuer.X509.RawSubject) &&
		issuer.X509.CheckSignature(c.X509.SignatureAlgorithm, c.X509.RawTBSCertificate, c.X509.Signature) == nil
}

// checkKey refuses keys other than RSA of at least 2048 bits and ECDSA on P-256,
// P-384 or P-521 (AUTH-13).
func checkKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits {
			return fmt.Errorf("its RSA key has %d bits, fewer than %d", bits, minRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
	}
	return errors.New("its key must be RSA of at least 2048 bits or ECDSA on P-256, P-384 or P-521")
}
