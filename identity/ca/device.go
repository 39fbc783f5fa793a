package ca

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/sigv4"
)

const (
	// deviceName is the common name of a device that did not choose a subject.
	deviceName = "Muster IoT Certificate"
	// maxRequest is the longest certificate signing request, in bytes: the model's limit.
	maxRequest = 4096
)

// KeyPair are the keys of a device that sent no certificate signing request. The
// private key is returned once and stored nowhere (AUTH-25).
type KeyPair struct {
	PublicKey  string       // PEM of a PKIX public key
	PrivateKey sigv4.Secret // PEM of a PKCS #1 private key
}

// NewDevice makes an RSA key and a certificate for it (CreateKeysAndCertificate).
// It computes for a good part of a second.
func (a *Authority) NewDevice(now time.Time) (Certificate, KeyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		return Certificate{}, KeyPair{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return Certificate{}, KeyPair{}, err
	}
	pair := KeyPair{
		PublicKey:  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		PrivateKey: sigv4.Secret(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	}
	c, err := a.issueDevice(nil, key.Public(), now)
	return c, pair, err
}

// IssueDevice makes a certificate for the key of a certificate signing request
// in PEM (CreateCertificateFromCsr). It takes over the request's subject, which
// policy variables show, and nothing else: no extension. The same request twice
// gives two certificates. A request that cannot be read, is not signed by its own
// key or has a key that is too weak is a muster.Invalid error (AUTH-26, AUTH-27).
func (a *Authority) IssueDevice(request string, now time.Time) (Certificate, error) {
	if len(request) > maxRequest {
		return Certificate{}, muster.Errorf(muster.Invalid, "The certificate signing request is longer than %d bytes", maxRequest)
	}
	block, _ := pem.Decode([]byte(request))
	if block == nil || block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
		return Certificate{}, muster.Errorf(muster.Invalid, "The certificate signing request is not PEM of type CERTIFICATE REQUEST")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return Certificate{}, &muster.Error{Kind: muster.Invalid, Msg: "The certificate signing request cannot be read", Err: err}
	}
	if err := checkKey(csr.PublicKey); err != nil {
		return Certificate{}, muster.Errorf(muster.Invalid, "The certificate signing request is refused: %v", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return Certificate{}, &muster.Error{Kind: muster.Invalid, Msg: "The signature of the certificate signing request is not valid", Err: err}
	}
	return a.issueDevice(csr.RawSubject, csr.PublicKey, now)
}

// emptySubject is the DER encoding of an empty name.
const emptySubject = "\x30\x00"

func (a *Authority) issueDevice(rawSubject []byte, key crypto.PublicKey, now time.Time) (Certificate, error) {
	template := &x509.Certificate{
		RawSubject: rawSubject,
		NotBefore:  now.Add(-clockSlack),
		NotAfter:   forever(),
		KeyUsage:   x509.KeyUsageDigitalSignature,
	}
	if len(rawSubject) == 0 || string(rawSubject) == emptySubject {
		template.RawSubject, template.Subject = nil, pkix.Name{CommonName: deviceName}
	}
	return a.issue(template, key)
}
