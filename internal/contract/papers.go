package contract

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// papers makes certificates as users bring them, of devices and of authorities, and
// has one certificate signing request.
type papers struct {
	request string // in PEM
	now     func() time.Time
	key     *ecdsa.PrivateKey // the same for all certificates
	serial  int64             // of the last certificate
	issuer  *x509.Certificate // the newest authority
}

func newPapers(now func() time.Time) (*papers, error) {
	p := &papers{now: now}
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "device"}}, p.key)
	if err != nil {
		return nil, err
	}
	p.request = inPEM("CERTIFICATE REQUEST", der)
	_, _, err = p.newAuthority("")
	return p, err
}

// device returns a new certificate of a device, signed by the newest authority.
func (p *papers) device() (string, error) {
	_, text, err := p.sign(p.template("device"), p.issuer)
	return text, err
}

// newAuthority returns the certificate of a new authority, and the certificate that
// proves, with a registration code, possession of its key.
func (p *papers) newAuthority(code string) (root, proof string, err error) {
	template := p.template("authority")
	template.Subject.CommonName = fmt.Sprint("authority ", p.serial)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	if p.issuer, root, err = p.sign(template, template); err != nil {
		return "", "", err
	}
	_, proof, err = p.sign(p.template(code), p.issuer)
	return root, proof, err
}

func (p *papers) template(name string) *x509.Certificate {
	p.serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(p.serial), Subject: pkix.Name{CommonName: name},
		NotBefore: p.now().Add(-time.Hour), NotAfter: p.now().AddDate(10, 0, 0),
	}
}

func (p *papers) sign(template, parent *x509.Certificate) (*x509.Certificate, string, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, p.key.Public(), p.key)
	if err != nil {
		return nil, "", err
	}
	c, err := x509.ParseCertificate(der)
	return c, inPEM("CERTIFICATE", der), err
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
