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
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

var now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

const firmware = "firmware of version 12"

func create(t *testing.T, f Folder, name string, k KeyType) *Profile {
	t.Helper()
	p, err := f.Create(name, k, 24*time.Hour, now)
	if err != nil {
		t.Fatalf("Create(%s, %s): %v", name, k, err)
	}
	return p
}

// The public key of a profile's certificate verifies what the profile signs, in the
// form that documents name, also after the profile was read again.
func TestSign(t *testing.T) {
	for name, test := range map[string]struct {
		k                 KeyType
		algorithm, member string
		verify            func(c *x509.Certificate, digest, signature []byte) bool
	}{
		"ECDSA": {ECDSA, "SHA256withECDSA", "sig-sha256-ecdsa", func(c *x509.Certificate, digest, signature []byte) bool {
			return ecdsa.VerifyASN1(c.PublicKey.(*ecdsa.PublicKey), digest, signature)
		}},
		"RSA": {RSA, "SHA256withRSA", "sig-sha256-rsa", func(c *x509.Certificate, digest, signature []byte) bool {
			return rsa.VerifyPKCS1v15(c.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest, signature) == nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := Folder(filepath.Join(t.TempDir(), "signing"))
			create(t, f, "fleet_1", test.k)
			p, err := f.Open("fleet_1")
			if err != nil {
				t.Fatal(err)
			}
			s, err := p.Sign(iotest.OneByteReader(strings.NewReader(firmware)))
			if err != nil || s.Size != int64(len(firmware)) {
				t.Fatalf("Sign = %+v, %v, want a signature of %d bytes", s, err, len(firmware))
			}
			digest := sha256.Sum256([]byte(firmware))
			e := p.Element(s, &S3Object{BucketName: "lab", Key: "fw.bin", Version: "7"})
			value, err := base64.StdEncoding.DecodeString(e.Signature)
			if err != nil || !test.verify(p.Chain[0], digest[:], value) {
				t.Errorf("the signature %q does not verify: %v", e.Signature, err)
			}
			if e.SignatureAlgorithm != test.algorithm || e.RawPayloadSize != 22 || e.PayloadLocation.S3.Version != "7" || e.Certificate != p.ChainPEM() {
				t.Errorf("Element = %+v, want %s of 22 bytes at version 7 with the certificate", e, test.algorithm)
			}
			text, err := p.FreeRTOS(s)
			var members map[string]any
			if err != nil || json.Unmarshal(text, &members) != nil || members[test.member] != e.Signature || members["filesize"] != 22.0 {
				t.Errorf("FreeRTOS = %s, %v, want the member %s", text, err, test.member)
			}
		})
	}
	broken := errors.New("the disk is gone")
	p := create(t, Folder(t.TempDir()), "fleet", ECDSA)
	if _, err := p.Sign(io.MultiReader(strings.NewReader("some"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("Sign of a file that cannot be read = %v, want %v", err, broken)
	}
}

func TestFolder(t *testing.T) {
	f := Folder(filepath.Join(t.TempDir(), "signing"))
	if names, err := f.List(); err != nil || len(names) != 0 {
		t.Errorf("List of a folder that is not there = %v, %v, want none", names, err)
	}
	create(t, f, "two", RSA)
	create(t, f, "one", ECDSA)
	if names, err := f.List(); err != nil || !reflect.DeepEqual(names, []string{"one", "two"}) {
		t.Errorf("List = %v, %v, want one and two", names, err)
	}
	for _, name := range []string{"one.pem", "one-key.pem"} {
		if info, err := os.Stat(filepath.Join(string(f), name)); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s: %v, %v, want mode 0600", name, info, err)
		}
	}
	if _, err := f.Create("one", ECDSA, time.Hour, now); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("Create of one again = %v, want that it is there already", err)
	}
	if _, err := f.Open("three"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of a missing profile = %v, want ErrNotExist", err)
	}
	for _, name := range []string{"", "x", "../one", "one-key", strings.Repeat("x", 65)} {
		if _, err := f.Create(name, ECDSA, time.Hour, now); err == nil {
			t.Errorf("Create(%q) = nil, want an error", name)
		}
		if _, err := f.Open(name); err == nil {
			t.Errorf("Open(%q) = nil, want an error", name)
		}
	}
	if _, err := f.Create("dsa", "dsa", time.Hour, now); err == nil {
		t.Error("Create with a key type that does not exist = nil, want an error")
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(f.key("one"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Open("one"); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("Open of a key that others can read = %v, want an error that says what to do", err)
		}
	}
}

func TestValid(t *testing.T) {
	p := create(t, Folder(t.TempDir()), "fleet", ECDSA)
	for after, want := range map[time.Duration]bool{0: true, -time.Hour: false, 24 * time.Hour: true, 24*time.Hour + time.Second: false} {
		if err := p.Valid(now.Add(after)); (err == nil) != want {
			t.Errorf("Valid %s later = %v, want valid %t", after, err, want)
		}
	}
}

func TestImport(t *testing.T) {
	f := Folder(t.TempDir())
	made := create(t, f, "made", ECDSA)
	pkcs8 := must(os.ReadFile(f.key("made")))
	sec1 := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(made.key.(*ecdsa.PrivateKey)))})
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(create(t, f, "rsa", RSA).key.(*rsa.PrivateKey))})
	curve := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	p384 := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(curve))})
	for name, test := range map[string]struct {
		certificates, key string
		message           string // part of the refusal; empty: none
	}{
		"PKCS 8":                    {made.ChainPEM(), string(pkcs8), ""},
		"SEC 1 after parameters":    {made.ChainPEM(), "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + string(sec1), ""},
		"the key of another":        {made.ChainPEM(), string(pkcs1), "not that of the private key"},
		"a key on another curve":    {made.ChainPEM(), string(p384), "not on the curve P-256"},
		"a certificate for a key":   {string(pkcs8), string(pkcs8), "no certificate"},
		"a key for a certificate":   {made.ChainPEM(), made.ChainPEM(), "no private key"},
		"a damaged key":             {made.ChainPEM(), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot be read"},
		"a damaged certificate":     {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", string(pkcs8), "malformed"},
		"a certificate for servers": {serverCertificate(t, made.key), string(pkcs8), "not for code signing"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Folder(t.TempDir()).Import("imported", test.certificates, test.key)
			if test.message == "" {
				if err != nil || p.ChainPEM() != test.certificates {
					t.Errorf("Import = %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("Import = %v, want %q", err, test.message)
			}
		})
	}
}

func TestParseS3Object(t *testing.T) {
	for text, want := range map[string]S3Object{
		"s3://lab/fw/lamp.bin":              {BucketName: "lab", Key: "fw/lamp.bin"},
		"s3://lab/lamp.bin?versionId=3%2F4": {BucketName: "lab", Key: "lamp.bin", Version: "3/4"},
		"s3://lab/lamp.bin?versionId=a&x=1": {BucketName: "lab", Key: "lamp.bin", Version: "a"},
		"lab/lamp.bin":                      {},
		"https://lab/lamp.bin":              {},
		"s3://lab":                          {},
		"s3://lab/":                         {},
		"s3:///lamp.bin":                    {},
		"s3://lab/lamp.bin?versionId=%":     {},
	} {
		got, err := ParseS3Object(text)
		if got != want || (err != nil) != (want == S3Object{}) {
			t.Errorf("ParseS3Object(%s) = %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func serverCertificate(t *testing.T, key crypto.Signer) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
