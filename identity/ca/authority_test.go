package ca_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/sigv4"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func authority(t testing.TB) *ca.Authority {
	t.Helper()
	a, err := ca.New(now)
	if err != nil {
		t.Fatalf("New() = %v", err)
	}
	return a
}

func TestNewAuthority(t *testing.T) {
	c := authority(t).Certificate.X509
	if !c.IsCA || !c.MaxPathLenZero || c.KeyUsage&x509.KeyUsageCertSign == 0 {
		t.Errorf("New() made IsCA = %t, path length zero = %t, key usage %b; want a CA that signs leaves", c.IsCA, c.MaxPathLenZero, c.KeyUsage)
	}
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("New() made a key of type %T, want ECDSA P-256", c.PublicKey)
	}
	if !c.NotBefore.Before(now) || c.NotAfter.Year() != 2049 {
		t.Errorf("New() made a certificate from %s to %s, want from before %s to 2049", c.NotBefore, c.NotAfter, now)
	}
}

func TestLoadGivesTheAuthorityBack(t *testing.T) {
	a := authority(t)
	key, err := a.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := ca.Load(a.Certificate.PEM, key)
	if err != nil {
		t.Fatalf("Load() = %v", err)
	}
	device, err := loaded.IssueDevice(request(t, newKey(t)), now)
	if err != nil {
		t.Fatal(err)
	}
	if !device.SignedBy(a.Certificate) {
		t.Error("what the loaded authority issues is not signed by the authority that was stored")
	}
	if shown := fmt.Sprintf("%v %+v %#v %s %d", a, a, a, a, a); strings.Contains(shown, "ecdsa") || strings.Contains(shown, "D:") {
		t.Errorf("a printed authority shows its key: %s", shown)
	}

	other, err := authority(t).KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	leaf, _, err := a.NewServer([]string{"localhost"}, time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ certificate, key, want string }{
		"the key of another":     {a.Certificate.PEM, string(other), "does not belong"},
		"a key that is none":     {a.Certificate.PEM, "x", "not PEM"},
		"a certificate as key":   {a.Certificate.PEM, a.Certificate.PEM, "not PKCS #8"},
		"a certificate not a CA": {leaf.PEM, string(key), "CA:TRUE"},
	} {
		if _, err := ca.Load(test.certificate, sigv4.Secret(test.key)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Load() = %v, want an error with %q", name, err, test.want)
		}
	}
}

func TestServerCertificate(t *testing.T) {
	a := authority(t)
	c, key, err := a.NewServer([]string{"iot.example.com", "127.0.0.1", "::1"}, 24*time.Hour, now)
	if err != nil {
		t.Fatalf("NewServer() = %v", err)
	}
	if key == "" {
		t.Error("NewServer() made no key")
	}
	for _, host := range []string{"iot.example.com", "127.0.0.1", "::1"} {
		_, err := c.X509.Verify(x509.VerifyOptions{DNSName: host, Roots: a.Pool(), CurrentTime: now})
		if err != nil {
			t.Errorf("Verify(%s) = %v, want no error", host, err)
		}
	}
	if want := now.Add(24 * time.Hour); !c.X509.NotAfter.Equal(want) {
		t.Errorf("NewServer() made a certificate until %s, want %s", c.X509.NotAfter, want)
	}
	long, _, err := a.NewServer([]string{"localhost"}, 100*365*24*time.Hour, now)
	if err != nil || !long.X509.NotAfter.Equal(a.Certificate.X509.NotAfter) {
		t.Errorf("NewServer() for a century = until %s (%v), want the authority's end %s", long.X509.NotAfter, err, a.Certificate.X509.NotAfter)
	}
	if _, _, err := a.NewServer([]string{"bücher.example"}, time.Hour, now); err == nil {
		t.Error("NewServer() for a name that is not ASCII = nil, want an error")
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
