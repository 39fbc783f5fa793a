package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// NewServer issues the certificate of a TLS server that clients reach by hosts,
// names or IP addresses, valid for lifetime from now. Its key is of the authority's
// kind: ECDSA P-256, which makes a handshake cheapest, or RSA of 2048 bits, which
// takes up to some seconds to compute and also serves RSA key exchange. The
// authority's certificate is its direct issuer, with no intermediate.
func (a *Authority) NewServer(hosts []string, lifetime time.Duration, now time.Time) (Certificate, sigv4.Secret, error) {
	if len(hosts) == 0 {
		return Certificate{}, "", errors.New("a server certificate needs at least one host")
	}
	key, usage, err := a.newServerKey()
	if err != nil {
		return Certificate{}, "", err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: hosts[0]},
		NotBefore:   now.Add(-clockSlack),
		NotAfter:    now.Add(lifetime),
		KeyUsage:    usage,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	c, err := a.issue(template, key.Public())
	if err != nil {
		return Certificate{}, "", err
	}
	secret, err := marshalKey(key)
	return c, secret, err
}

// newServerKey makes a key of the authority's kind, and returns its key usage.
func (a *Authority) newServerKey() (crypto.Signer, x509.KeyUsage, error) {
	if _, is := a.key.(*rsa.PrivateKey); is {
		key, err := rsa.GenerateKey(rand.Reader, minRSABits)
		return key, x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return key, x509.KeyUsageDigitalSignature, err
}
