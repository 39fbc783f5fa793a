package datafolder

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/identity"
)

// Where ca.pem cannot be replaced, because it is mounted by itself, say, a server starts all the same, and the RSA
// authority that there is stays.
func TestAnRSAAuthorityIsUsedThoughItsRootIsNotInCAPEM(t *testing.T) {
	data := Folder(t.TempDir())
	made, err := identity.MakeRSAAuthority(t.Context(), data.RSACA(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := data.OpenAuthority(time.Now(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(data.CA().Certificate); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := &Certificates{folder: data, issuer: issuer, now: time.Now, log: slog.New(slog.NewTextHandler(&log, nil))}
	got, err := c.openRSAAuthority()
	if err != nil || got.Certificate.PEM != made.Certificate.PEM {
		t.Errorf("openRSAAuthority() = another authority, or %v; want the one that was made", err)
	}
	if line := log.String(); !strings.Contains(line, "level=WARN") || !strings.Contains(line, data.RSACA().Certificate) {
		t.Errorf("the log is %q, want a warning that names %s", line, data.RSACA().Certificate)
	}
}

// A key without a certificate may be what a start left that was killed, but also the key of an operator who forgot the
// other file, or all that is left of an authority.
func TestAKeyWithoutItsCertificateIsPutAway(t *testing.T) {
	data := Folder(t.TempDir())
	const content = "not looked at"
	if err := os.WriteFile(data.CA().Key, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if _, err := data.OpenAuthority(time.Now(), slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	away := data.CA().Key + ".unused"
	if got, err := os.ReadFile(away); err != nil || string(got) != content {
		t.Errorf("%s holds %q, %v; want the key", away, got, err)
	}
	if line := log.String(); !strings.Contains(line, "level=WARN") || !strings.Contains(line, away) {
		t.Errorf("the log is %q, want a warning that names %s", line, away)
	}
}

// The certificates that are given come first, and the one with an RSA key comes when it is made.
func TestCertificatesAreCompletedLater(t *testing.T) {
	data, discard := Folder(t.TempDir()), slog.New(slog.DiscardHandler)
	issuer, err := data.OpenAuthority(time.Now(), discard)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *Certificates {
		t.Helper()
		c, err := data.OpenCertificates([]tls.Certificate{{OCSPStaple: []byte("given")}}, issuer, []string{"localhost"}, time.Now, discard)
		if err != nil {
			t.Fatal(err)
		}
		if first := c.All()[0]; string(first.OCSPStaple) != "given" {
			t.Errorf("the first certificate is %v, want the one that was given", first)
		}
		return c
	}
	c := open()
	if n := len(c.All()); n != 2 {
		t.Fatalf("at first there are %d certificates, want 2", n)
	}
	kept := 0
	if err := c.Complete(t.Context(), func() error { kept++; return nil }); err != nil || len(c.All()) != 3 || kept != 1 {
		t.Errorf("Complete: %v, %d certificates, files recorded %d times; want 3, once", err, len(c.All()), kept)
	}
	c = open()
	if err := c.Complete(t.Context(), func() error { kept++; return nil }); err != nil || len(c.All()) != 3 || kept != 1 {
		t.Errorf("the next time: %v, %d certificates, files recorded %d times; want 3, and nothing made", err, len(c.All()), kept)
	}
}
