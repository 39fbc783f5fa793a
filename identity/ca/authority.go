// Package ca is the X.509 part of identity: the deployment's own certificate
// authority, the certificates that it issues, and the checks on certificates from
// elsewhere (identity-and-auth.md part A). It works on bytes and instants only: it
// opens no file, keeps no list of certificates and never stores a device's key.
package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// clockSlack is how long before it was made a certificate becomes valid, for
// devices whose clocks are slow.
const clockSlack = 5 * time.Minute

// forever is when certificates that AWS IoT issues expire, and those issued here
// (AUTH-26).
func forever() time.Time { return time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC) }

// Authority is a certificate authority with its private key.
type Authority struct {
	Certificate Certificate
	key         crypto.Signer
}

// New makes an authority with a new ECDSA P-256 key. It is valid until the end of
// 2049 and issues leaf certificates only, so that chains stay short.
func New(now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return newAuthority("Muster CA", key, now)
}

// NewRSA is New with an RSA key of 2048 bits, for servers whose clients can verify
// no other signature. It computes for up to some seconds.
func NewRSA(now time.Time) (*Authority, error) {
	key, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		return nil, err
	}
	return newAuthority("Muster RSA CA", key, now)
}

func newAuthority(name string, key crypto.Signer, now time.Time) (*Authority, error) {
	serial := newSerial()
	template := &x509.Certificate{
		SerialNumber: serial,
		// The name is unique, so that two deployments cannot be confused.
		Subject:               pkix.Name{CommonName: fmt.Sprintf("%s %x", name, serial.Bytes()[:4]), Organization: []string{"Muster"}},
		NotBefore:             now.Add(-clockSlack),
		NotAfter:              forever(),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	c, err := parseDER(der)
	return &Authority{Certificate: c, key: key}, err
}

// Load returns the authority with this certificate and the key that KeyPEM
// returned.
func Load(certificatePEM string, keyPEM sigv4.Secret) (*Authority, error) {
	c, err := ParseCA(certificatePEM)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(keyPEM))
	if block == nil {
		return nil, errors.New("the private key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the private key is not PKCS #8")
	}
	key, ok := parsed.(crypto.Signer)
	if !ok || !samePublicKey(key.Public(), c.X509.PublicKey) {
		return nil, errors.New("the private key does not belong to the certificate")
	}
	return &Authority{Certificate: c, key: key}, nil
}

func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// KeyPEM returns the authority's private key, for a private file.
func (a *Authority) KeyPEM() (sigv4.Secret, error) { return marshalKey(a.key) }

func marshalKey(key crypto.Signer) (sigv4.Secret, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return sigv4.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// Format writes the authority's name only, for every verb, so that no log can show
// its key.
func (a *Authority) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "authority %s", a.Certificate.X509.Subject)
}

// issue signs template as a leaf certificate with a new serial number. It expires no
// later than the authority.
func (a *Authority) issue(template *x509.Certificate, key crypto.PublicKey) (Certificate, error) {
	template.SerialNumber = newSerial()
	template.BasicConstraintsValid = true
	if end := a.Certificate.X509.NotAfter; template.NotAfter.After(end) {
		template.NotAfter = end
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate.X509, key, a.key)
	if err != nil {
		return Certificate{}, err
	}
	return parseDER(der)
}

// newSerial returns a random number of 127 bits.
func newSerial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:])  // crypto/rand never fails
	b[0] = b[0]&0x7f | 0x40 // positive, and always of the same length
	return new(big.Int).SetBytes(b[:])
}

// Pool returns the authority as the only root that a client trusts.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate.X509)
	return pool
}
