// Package codesign signs the files that jobs deliver to devices. A profile is a
// private key and the certificate by which devices recognise it. Signatures have
// the forms in which job documents carry them (jobs-control-plane.md section 6.5
// and device-clients.md section 6). The package does not decide who may sign.
//
// The package is API: docs/api-stability.md says what that promises.
package codesign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// KeyType is the kind of key that a profile signs with.
type KeyType string

// The key types. Both sign the SHA-256 digest of a file; an ECDSA signature is an
// ASN.1 sequence, an RSA signature PKCS #1 v1.5.
const (
	ECDSA KeyType = "ecdsa" // on the curve P-256
	RSA   KeyType = "rsa"   // of at least RSABitsMin bits
)

// RSABitsMin is the shortest RSA key that signs.
const RSABitsMin = 2048

// Algorithm returns the name of the signature algorithm, for the member
// signatureAlgorithm of a codesign element.
func (k KeyType) Algorithm() string {
	if k == RSA {
		return "SHA256withRSA"
	}
	return "SHA256withECDSA"
}

// Member returns the name of the member that carries the signature in the afr_ota
// document of FreeRTOS.
func (k KeyType) Member() string { return "sig-sha256-" + string(k) }

// Profile is a private key that signs, and its certificate. It never shows the key.
// It may be used by many goroutines.
type Profile struct {
	Name  string
	Type  KeyType
	Chain []*x509.Certificate // the certificate of the key, then those of its issuers; never empty

	key crypto.Signer
}

// Signature is the signature of a file.
type Signature struct {
	Size  int64  // of the file, in bytes
	Value []byte // the raw signature, see KeyType
}

// String returns the signature in base64, as documents carry it.
func (s Signature) String() string { return base64.StdEncoding.EncodeToString(s.Value) }

// Sign reads file to its end and signs what it read, without holding it in memory.
func (p *Profile) Sign(file io.Reader) (Signature, error) {
	digest := sha256.New()
	size, err := io.Copy(digest, file)
	if err != nil {
		return Signature{}, fmt.Errorf("read the file to sign: %w", err)
	}
	value, err := p.key.Sign(rand.Reader, digest.Sum(nil), crypto.SHA256)
	return Signature{Size: size, Value: value}, err
}

// ChainPEM returns the certificates of the profile in PEM, for devices that verify.
func (p *Profile) ChainPEM() string {
	var text []byte
	for _, c := range p.Chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return string(text)
}

// Valid returns an error unless the certificate is valid at the instant now. Devices
// reject a file whose certificate is not.
func (p *Profile) Valid(now time.Time) error {
	if c := p.Chain[0]; now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return fmt.Errorf("the certificate of signing profile %s counts from %s to %s", p.Name, c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// newProfile makes a profile, after checking that its parts belong together.
func newProfile(name string, chain []*x509.Certificate, key crypto.Signer) (*Profile, error) {
	p := &Profile{Name: name, Chain: chain, key: key}
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		if p.Type = ECDSA; k.Curve != elliptic.P256() {
			return nil, errors.New("the ECDSA key is not on the curve P-256")
		}
	case *rsa.PrivateKey:
		if p.Type = RSA; k.N.BitLen() < RSABitsMin {
			return nil, fmt.Errorf("the RSA key has %d bits; it needs %d", k.N.BitLen(), RSABitsMin)
		}
	default:
		return nil, fmt.Errorf("a key of type %T does not sign files here; take ECDSA P-256 or RSA", key)
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(chain[0].PublicKey) {
		return nil, errors.New("the first certificate is not that of the private key")
	}
	if !slices.Contains(chain[0].ExtKeyUsage, x509.ExtKeyUsageCodeSigning) {
		return nil, errors.New("the certificate is not for code signing: it lacks that extended key usage")
	}
	return p, nil
}
