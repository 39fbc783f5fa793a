package awsiot

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity/ca"
)

// signer is a certificate with its key, of a CA outside of Muster or of a device.
type signer struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
	PEM string
}

// newSigner makes a CA called name.
func newSigner(t testing.TB, name string) signer {
	t.Helper()
	return certify(t, name, nil, true)
}

// device makes a certificate for name that s signed.
func (s signer) device(t testing.TB, name string) signer {
	t.Helper()
	return certify(t, name, &s, false)
}

func certify(t testing.TB, name string, by *signer, isCA bool) signer {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text())[:8]), Subject: pkix.Name{CommonName: name},
		NotBefore: testEpoch.Time().Add(-time.Hour), NotAfter: testEpoch.Time().Add(time.Hour),
		IsCA: isCA, BasicConstraintsValid: isCA,
	}
	parent, signKey := template, key
	if by != nil {
		parent, signKey = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signer{c, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

func (s signer) id() string { return string(ca.ID(s.Raw)) }

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newCSR makes a certificate signing request for name.
func newCSR(t testing.TB, name string, key any) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func weakKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this build makes no weak keys:", err)
	}
	return key
}

// object is a JSON body.
func object(members map[string]any) string {
	body, _ := json.Marshal(members)
	return string(body)
}

// said returns a member of a JSON answer as text, "" if it is absent.
func said(t testing.TB, body, name string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	text, _ := all[name].(string)
	return text
}

// registerCA registers a CA, active or not, and returns its id.
func (env *env) registerCA(s signer, query string) string {
	env.t.Helper()
	code := said(env.t, env.must("GET", "/registrationcode", ""), "registrationCode")
	body := env.must("POST", "/cacertificate"+query, object(map[string]any{
		"caCertificate": s.PEM, "verificationCertificate": s.device(env.t, code).PEM,
	}))
	return said(env.t, body, "certificateId")
}

// certificate registers a certificate for name and returns its id.
func (env *env) certificate(name string, status muster.CertificateStatus) string {
	env.t.Helper()
	c := newSigner(env.t, name)
	body := env.must("POST", "/certificate/register-no-ca", object(map[string]any{"certificatePem": c.PEM, "status": status.String()}))
	return said(env.t, body, "certificateId")
}

func certARN(id string) string { return arnPrefix + "cert/" + id }

// by is the header in which a call names a certificate.
func by(id string) http.Header {
	return http.Header{"X-Amzn-Principal": {certARN(id)}, "X-Amzn-Iot-Principal": {certARN(id)}}
}

// mustWith is must for a request with more headers.
func (env *env) mustWith(headers http.Header, method, target, body string) string {
	env.t.Helper()
	got := env.sendWith(headers, method, target, body)
	if got.status != http.StatusOK {
		env.t.Fatalf("%s %s %s = %d %s %s, want 200", method, target, body, got.status, got.errorType(), got.body)
	}
	return got.body
}

// wantErrorWith is wantError for a request with more headers.
func (env *env) wantErrorWith(headers http.Header, method, target, body string, status int, errorType string) reply {
	env.t.Helper()
	got := env.sendWith(headers, method, target, body)
	if got.status != status || got.errorType() != errorType {
		env.t.Errorf("%s %s %s = %d %s %s, want %d %s", method, target, body, got.status, got.errorType(), got.body, status, errorType)
	}
	return got
}

// wantMessage checks the whole text of an error.
func (got reply) wantMessage(t testing.TB, want string) {
	t.Helper()
	if message := said(t, got.body, "message"); message != want {
		t.Errorf("the message is %q, want %q", message, want)
	}
}

// readAll returns the contents of all files in a folder.
func readAll(t testing.TB, folder string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all = append(all, content...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
