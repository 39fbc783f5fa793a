package identity_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func pemFiles(t *testing.T, name string) identity.PEMFiles {
	t.Helper()
	folder := t.TempDir()
	return identity.PEMFiles{Certificate: filepath.Join(folder, name+".pem"), Key: filepath.Join(folder, name+".key")}
}

func openAuthority(t *testing.T, f identity.PEMFiles) *ca.Authority {
	t.Helper()
	a, err := identity.OpenAuthority(f, now)
	if err != nil {
		t.Fatalf("OpenAuthority() = %v", err)
	}
	return a
}

func TestAuthorityIsMadeOnce(t *testing.T) {
	f := pemFiles(t, "ca")
	first, second := openAuthority(t, f), openAuthority(t, f)
	if first.Certificate.ID != second.Certificate.ID {
		t.Errorf("the second start has the authority %s, want that of the first, %s", second.Certificate.ID, first.Certificate.ID)
	}
	if other := openAuthority(t, pemFiles(t, "ca")); bytes.Equal(other.Certificate.X509.RawSubject, first.Certificate.X509.RawSubject) {
		t.Errorf("two deployments' authorities are both called %s", other.Certificate.X509.Subject)
	}
	for path, want := range map[string]os.FileMode{f.Key: 0o600, f.Certificate: 0o644} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v (%v), want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

func TestOpenAuthorityRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(f identity.PEMFiles) error
		want  string
	}{
		"a key without a certificate": {func(f identity.PEMFiles) error { return os.Remove(f.Certificate) }, "only one of"},
		"a certificate without a key": {func(f identity.PEMFiles) error { return os.Remove(f.Key) }, "only one of"},
		"a key others can read":       {func(f identity.PEMFiles) error { return os.Chmod(f.Key, 0o640) }, "open to others (mode 0640)"},
		"a key that is no PEM":        {func(f identity.PEMFiles) error { return os.WriteFile(f.Key, []byte("x"), 0o600) }, "not PEM"},
		"a certificate that is none":  {func(f identity.PEMFiles) error { return os.WriteFile(f.Certificate, []byte("x"), 0o644) }, "not PEM"},
		"an endless certificate": {func(f identity.PEMFiles) error {
			return os.WriteFile(f.Certificate, make([]byte, 1<<20+1), 0o644)
		}, "longer than"},
		"the key of another authority": {func(f identity.PEMFiles) error {
			other := pemFiles(t, "ca")
			openAuthority(t, other)
			return os.Rename(other.Key, f.Key)
		}, "does not belong"},
	} {
		t.Run(name, func(t *testing.T) {
			f := pemFiles(t, "ca")
			openAuthority(t, f)
			if err := test.spoil(f); err != nil {
				t.Fatal(err)
			}
			if _, err := identity.OpenAuthority(f, now); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("OpenAuthority() = %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestServerCertificateIsKeptWhileItServes(t *testing.T) {
	a := openAuthority(t, pemFiles(t, "ca"))
	for name, test := range map[string]struct {
		authority *ca.Authority
		hosts     []string
		at        time.Time
		spoil     func(f identity.PEMFiles) error
		kept      bool
	}{
		"the next start":              {a, []string{"localhost", "127.0.0.1"}, now.AddDate(7, 0, 0), nil, true},
		"a host fewer":                {a, []string{"127.0.0.1"}, now, nil, true},
		"a host more":                 {a, []string{"localhost", "iot.example.com"}, now, nil, false},
		"another authority":           {openAuthority(t, pemFiles(t, "ca")), []string{"localhost"}, now, nil, false},
		"nearly at its end":           {a, []string{"localhost"}, now.AddDate(9, 0, 0), nil, false},
		"a key that is another's":     {a, []string{"localhost"}, now, func(f identity.PEMFiles) error { return os.WriteFile(f.Key, []byte("x"), 0o600) }, false},
		"a key without a certificate": {a, []string{"localhost"}, now, func(f identity.PEMFiles) error { return os.Remove(f.Certificate) }, false},
		"a certificate without a key": {a, []string{"localhost"}, now, func(f identity.PEMFiles) error { return os.Remove(f.Key) }, false},
		"a certificate in rags":       {a, []string{"localhost"}, now, func(f identity.PEMFiles) error { return os.WriteFile(f.Certificate, nil, 0o644) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := pemFiles(t, "server")
			first, err := identity.OpenServer(a, f, []string{"localhost", "127.0.0.1"}, now)
			if err != nil {
				t.Fatalf("OpenServer() = %v", err)
			}
			if test.spoil != nil {
				if err := test.spoil(f); err != nil {
					t.Fatal(err)
				}
			}
			second, err := identity.OpenServer(test.authority, f, test.hosts, test.at)
			if err != nil {
				t.Fatalf("OpenServer() again = %v", err)
			}
			if kept := bytes.Equal(first.Certificate[0], second.Certificate[0]); kept != test.kept {
				t.Errorf("the certificate is kept: %t, want %t", kept, test.kept)
			}
			for _, host := range test.hosts {
				if err := second.Leaf.VerifyHostname(host); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if _, err := identity.OpenServer(a, pemFiles(t, "server"), nil, now); err == nil {
		t.Error("OpenServer() without a host = nil, want an error")
	}
}

func TestTheRSAAuthorityIsMadeOnceAndCertifiesRSAKeys(t *testing.T) {
	f, server := pemFiles(t, "ca-rsa"), pemFiles(t, "server-rsa")
	if _, err := identity.LoadRSAAuthority(f); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LoadRSAAuthority() before there is one = %v, want fs.ErrNotExist", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := identity.MakeRSAAuthority(ended, f, now); !errors.Is(err, context.Canceled) {
		t.Errorf("MakeRSAAuthority() with a context that has ended = %v, want that", err)
	}
	made, err := identity.MakeRSAAuthority(t.Context(), f, now)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := identity.LoadRSAAuthority(f)
	if err != nil || loaded.Certificate.ID != made.Certificate.ID {
		t.Fatalf("LoadRSAAuthority() = %v, %v, want the one that was made", loaded, err)
	}
	if digest, err := identity.RootDigest(f.Certificate); err != nil || digest != string(made.Certificate.ID) {
		t.Errorf("RootDigest() = %s, %v, want %s", digest, err, made.Certificate.ID)
	}
	if _, err := identity.MakeServer(ended, loaded, server, []string{"localhost"}, now); !errors.Is(err, context.Canceled) {
		t.Errorf("MakeServer() with a context that has ended = %v, want that", err)
	}
	pair, err := identity.MakeServer(t.Context(), loaded, server, []string{"localhost"}, now)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]*x509.Certificate{"the authority": made.Certificate.X509, "the server": pair.Leaf} {
		if key, ok := c.PublicKey.(*rsa.PublicKey); !ok || key.N.BitLen() != 2048 || c.SignatureAlgorithm != x509.SHA256WithRSA {
			t.Errorf("%s has a %v key under a %v signature, want 2048 bits of RSA under RSA with SHA-256", what, c.PublicKeyAlgorithm, c.SignatureAlgorithm)
		}
	}
	if want := x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment; pair.Leaf.KeyUsage != want {
		t.Errorf("the server's key is for %b, want %b: signing, and RSA key exchange", pair.Leaf.KeyUsage, want)
	}
	again, err := identity.LoadServer(loaded, server, []string{"localhost"}, now)
	if err != nil || !bytes.Equal(again.Certificate[0], pair.Certificate[0]) {
		t.Errorf("LoadServer() = another certificate, %v", err)
	}
	if _, err := identity.LoadServer(loaded, server, []string{"iot.example.com"}, now); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LoadServer() for another host = %v, want fs.ErrNotExist", err)
	}
	for _, path := range []string{f.Key, server.Key} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v (%v), want 0600", path, info.Mode(), err)
		}
	}

	certificate, err := os.ReadFile(f.Certificate)
	if err != nil || os.Remove(f.Certificate) != nil {
		t.Fatal(err)
	}
	if _, err := identity.LoadRSAAuthority(f); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LoadRSAAuthority() of a key alone = %v, want fs.ErrNotExist: its making was broken off", err)
	}
	if err := errors.Join(os.WriteFile(f.Certificate, certificate, 0o644), os.Remove(f.Key)); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.LoadRSAAuthority(f); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "only one of") {
		t.Errorf("LoadRSAAuthority() of a certificate alone = %v, want a refusal: its key was lost", err)
	}
}

func TestKeepRoots(t *testing.T) {
	f := pemFiles(t, "ca")
	a, b, other := openAuthority(t, f), openAuthority(t, pemFiles(t, "b")), openAuthority(t, pemFiles(t, "other"))
	both := a.Certificate.PEM + b.Certificate.PEM
	for name, test := range map[string]struct{ before, want string }{
		"one root":                      {a.Certificate.PEM, both},
		"both":                          {both, both},
		"in another order":              {b.Certificate.PEM + a.Certificate.PEM, both},
		"and what an operator added":    {a.Certificate.PEM + other.Certificate.PEM, both + other.Certificate.PEM},
		"and what is no certificate":    {a.Certificate.PEM + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\nwords", both},
		"with text before the first":    {"words\n" + a.Certificate.PEM, both},
		"a second that was cut":         {both[:len(both)-40], both},
		"nothing that could be read of": {"words", both},
	} {
		if err := os.WriteFile(f.Certificate, []byte(test.before), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := identity.KeepRoots(f.Certificate, a, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(f.Certificate); err != nil || string(got) != test.want {
			t.Errorf("%s: the file holds\n%s(%v), want\n%s", name, got, err, test.want)
		}
	}
	if _, err := identity.OpenAuthority(f, now); err != nil {
		t.Errorf("OpenAuthority() of a file with two roots = %v", err)
	}
	if err := identity.KeepRoots(f.Certificate+"x", a); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("KeepRoots() without a file = %v, want fs.ErrNotExist", err)
	}
}

// A client that trusts the authority can connect to the server, and the server can
// identify the device by the id of its certificate.
func TestHandshake(t *testing.T) {
	a := openAuthority(t, pemFiles(t, "ca"))
	at := time.Now()
	serverPair, err := identity.OpenServer(a, pemFiles(t, "server"), []string{"localhost"}, at)
	if err != nil {
		t.Fatal(err)
	}
	device, keys, err := a.NewDevice(at)
	if err != nil {
		t.Fatal(err)
	}
	devicePair, err := tls.X509KeyPair([]byte(device.PEM), []byte(keys.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	server := tls.Server(near, &tls.Config{Certificates: []tls.Certificate{serverPair}, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true})
	client := tls.Client(far, &tls.Config{ServerName: "localhost", RootCAs: a.Pool(), Certificates: []tls.Certificate{devicePair}})
	done := make(chan error, 1)
	go func() { done <- client.HandshakeContext(t.Context()) }()
	if err := server.HandshakeContext(t.Context()); err != nil {
		t.Fatalf("the server's handshake = %v", err)
	}
	if err := <-done; err != nil {
		t.Fatalf("the client's handshake = %v", err)
	}
	if got := ca.ID(server.ConnectionState().PeerCertificates[0].Raw); got != device.ID {
		t.Errorf("the server sees the certificate %s, want %s", got, device.ID)
	}
}
