package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// NewServer issues the certificate of a TLS server that clients reach by hosts,
// names or IP addresses, for lifetime from now on. Its key is ECDSA P-256, which
// makes a handshake cheapest. The clients' root is the authority's certificate;
// there is nothing in between.
func (a *Authority) NewServer(hosts []string, lifetime time.Duration, now time.Time) (Certificate, sigv4.Secret, error) {
	if len(hosts) == 0 {
		return Certificate{}, "", errors.New("a server certificate needs at least one host")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificate{}, "", err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: hosts[0]},
		NotBefore:   now.Add(-clockSlack),
		NotAfter:    now.Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
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
