package ca_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity/ca"
)

// request makes a certificate signing request in PEM; edit may change it first.
func request(t testing.TB, key crypto.Signer, edit ...func(*x509.CertificateRequest)) string {
	t.Helper()
	template := &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "pump-7", Organization: []string{"Pumps"}},
		DNSNames: []string{"iot.example.com"}, // an extension, to be ignored
	}
	for _, e := range edit {
		e(template)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func wantKind(t *testing.T, err error, kind muster.Kind, text string) {
	t.Helper()
	var e *muster.Error
	if !errors.As(err, &e) || e.Kind != kind || !strings.Contains(e.Msg, text) {
		t.Errorf("the error is %v, want one of kind %d with %q", err, kind, text)
	}
}

func TestIssueDevice(t *testing.T) {
	a := authority(t)
	csr := request(t, newKey(t))
	c, err := a.IssueDevice(csr, now)
	if err != nil {
		t.Fatalf("IssueDevice() = %v", err)
	}
	x := c.X509
	if got, want := x.Subject.String(), "CN=pump-7,O=Pumps"; got != want {
		t.Errorf("the subject is %s, want the request's, %s", got, want)
	}
	if len(x.DNSNames) > 0 || x.IsCA {
		t.Errorf("the certificate has DNS names %v, CA:%t; want nothing the request asked for", x.DNSNames, x.IsCA)
	}
	if want := time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC); !x.NotAfter.Equal(want) {
		t.Errorf("the certificate ends %s, want %s", x.NotAfter, want)
	}
	if x.NotBefore.After(now) {
		t.Errorf("the certificate begins %s, want at %s at the latest", x.NotBefore, now)
	}
	if !c.SignedBy(a.Certificate) {
		t.Error("the certificate is not signed by the authority")
	}
	again, err := a.IssueDevice(csr, now)
	if err != nil || again.ID == c.ID {
		t.Errorf("the same request again gives the certificate %s (%v), want another", again.ID, err)
	}
}

func TestIssueDeviceNamesTheNameless(t *testing.T) {
	c, err := authority(t).IssueDevice(request(t, newKey(t), func(r *x509.CertificateRequest) { r.Subject = pkix.Name{} }), now)
	if err != nil || c.X509.Subject.CommonName != "Muster IoT Certificate" {
		t.Errorf("IssueDevice() for a request without a subject = %s, %v; want CN=Muster IoT Certificate", c.X509.Subject, err)
	}
}

func TestIssueDeviceKeys(t *testing.T) {
	a := authority(t)
	for name, test := range map[string]struct {
		make func() (crypto.Signer, error)
		want string // empty when accepted
	}{
		"RSA 2048": {func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }, ""},
		"RSA 1024": {func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 1024) }, "its RSA key has 1024 bits"},
		"P-256":    {func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }, ""},
		"P-384":    {func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) }, ""},
		"P-521":    {func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) }, ""},
		"P-224":    {func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P224(), rand.Reader) }, "its key must be RSA of at least 2048 bits or ECDSA"},
		"Ed25519": {func() (crypto.Signer, error) { _, key, err := ed25519.GenerateKey(rand.Reader); return key, err },
			"its key must be RSA of at least 2048 bits or ECDSA"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := test.make()
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.IssueDevice(request(t, key), now)
			if test.want != "" {
				wantKind(t, err, muster.Invalid, test.want)
			} else if err != nil {
				t.Errorf("IssueDevice() = %v, want no error", err)
			}
		})
	}
}

func TestIssueDeviceRefuses(t *testing.T) {
	good := request(t, newKey(t))
	block, _ := pem.Decode([]byte(good))
	forged := slices.Clone(block.Bytes)
	forged[len(forged)-1] ^= 1 // in the signature
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for name, test := range map[string]struct{ request, want string }{
		"nothing":               {"", "is not PEM"},
		"a certificate":         {authority(t).Certificate.PEM, "is not PEM of type CERTIFICATE REQUEST"},
		"PEM of something else": {encode("CERTIFICATE REQUEST", []byte("x")), "cannot be read"},
		"a request cut short":   {encode("CERTIFICATE REQUEST", block.Bytes[:len(block.Bytes)-9]), "cannot be read"},
		"a forged signature":    {encode("CERTIFICATE REQUEST", forged), "signature of the certificate signing request is not valid"},
		"an endless request":    {good + strings.Repeat(" ", 4096), "longer than 4096 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := authority(t).IssueDevice(test.request, now)
			wantKind(t, err, muster.Invalid, test.want)
		})
	}
	if _, err := authority(t).IssueDevice(encode("NEW CERTIFICATE REQUEST", block.Bytes), now); err != nil {
		t.Errorf("IssueDevice() of a request with the older header = %v, want no error", err)
	}
}

func TestNewDevice(t *testing.T) {
	a := authority(t)
	c, keys, err := a.NewDevice(now)
	if err != nil {
		t.Fatalf("NewDevice() = %v", err)
	}
	if _, err := tls.X509KeyPair([]byte(c.PEM), []byte(keys.PrivateKey)); err != nil {
		t.Errorf("certificate and private key do not fit: %v", err)
	}
	if !strings.HasPrefix(string(keys.PrivateKey), "-----BEGIN RSA PRIVATE KEY-----\n") {
		t.Error("the private key is not PEM of type RSA PRIVATE KEY")
	}
	block, _ := pem.Decode([]byte(keys.PublicKey))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := public.(*rsa.PublicKey)
	if !ok || key.N.BitLen() != 2048 || !key.Equal(c.X509.PublicKey) {
		t.Errorf("the public key is %T, want the certificate's RSA key of 2048 bits", public)
	}
	if !c.SignedBy(a.Certificate) || c.X509.Subject.CommonName != "Muster IoT Certificate" {
		t.Errorf("the certificate is for %s, want CN=Muster IoT Certificate, signed by the authority", c.X509.Subject)
	}
}

// Whatever is sent as a request, the answer is a modelled error or a certificate.
func FuzzIssueDevice(f *testing.F) {
	a := authority(f)
	f.Add(request(f, newKey(f)))
	f.Add("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n")
	f.Fuzz(func(t *testing.T, csr string) {
		c, err := a.IssueDevice(csr, now)
		var e *muster.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("IssueDevice(%q) = %v, want a *muster.Error", csr, err)
		}
		if err == nil && !c.SignedBy(a.Certificate) {
			t.Errorf("IssueDevice(%q) made a certificate the authority did not sign", csr)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(authority(f).Certificate.PEM)
	f.Add("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ca.Parse(text)
		var e *muster.Error
		if err != nil {
			if !errors.As(err, &e) || e.Kind != muster.CertificateInvalid {
				t.Errorf("Parse(%q) = %v, want CertificateInvalid", text, err)
			}
			return
		}
		if again, err := ca.Parse(c.PEM); err != nil || again.ID != c.ID {
			t.Errorf("Parse(%q) gives PEM that parses as %s, %v; want %s", text, again.ID, err, c.ID)
		}
	})
}

func BenchmarkID(b *testing.B) {
	der := authority(b).Certificate.X509.Raw
	b.ReportAllocs()
	for b.Loop() {
		ca.ID(der)
	}
}
