package awsiot

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store/pebblestore"
)

func parsePEM(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("%q is not PEM", text)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type issued struct {
	CertificateARN, CertificateID, CertificatePEM string
	KeyPair                                       struct{ PublicKey, PrivateKey string }
}

func (env *env) issue(target, body string) issued {
	env.t.Helper()
	var made issued
	if err := json.Unmarshal([]byte(env.must("POST", target, body)), &made); err != nil {
		env.t.Fatal(err)
	}
	return made
}

func (env *env) status(id string) string {
	env.t.Helper()
	var answer struct{ CertificateDescription struct{ Status string } }
	if err := json.Unmarshal([]byte(env.must("GET", "/certificates/"+id, "")), &answer); err != nil {
		env.t.Fatal(err)
	}
	return answer.CertificateDescription.Status
}

func TestAUTH25CreateKeysAndCertificate(t *testing.T) {
	env := newEnv(t)
	quiet, active := env.issue("/keys-and-certificate", ""), env.issue("/keys-and-certificate?setAsActive=True", "")
	if quiet.CertificateID == active.CertificateID {
		t.Error("two calls give one certificate")
	}
	for want, made := range map[string]issued{"INACTIVE": quiet, "ACTIVE": active} {
		if got := env.status(made.CertificateID); got != want || made.CertificateARN != certARN(made.CertificateID) {
			t.Errorf("certificate %+v has the status %s, want %s", made, got, want)
		}
		pair, err := tls.X509KeyPair([]byte(made.CertificatePEM), []byte(made.KeyPair.PrivateKey))
		if err != nil {
			t.Fatalf("the certificate and its key: %v", err)
		}
		if !strings.HasPrefix(made.KeyPair.PrivateKey, "-----BEGIN RSA PRIVATE KEY-----\n") || !strings.HasPrefix(made.KeyPair.PublicKey, "-----BEGIN PUBLIC KEY-----\n") {
			t.Errorf("the keys are %.40q and %.40q", made.KeyPair.PrivateKey, made.KeyPair.PublicKey)
		}
		c := pair.Leaf
		if c.Subject.CommonName == "" || c.PublicKeyAlgorithm != x509.RSA || c.NotAfter != time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC) {
			t.Errorf("AUTH-26: the certificate is for %s, %v, until %v", c.Subject, c.PublicKeyAlgorithm, c.NotAfter)
		}
		if err := c.CheckSignatureFrom(testIssuer().Certificate.X509); err != nil {
			t.Errorf("AUTH-26: the certificate is not of the deployment's CA: %v", err)
		}
	}
}

// The private key is in the answer and nowhere else: neither in the log nor in the
// files of the store.
func TestAUTH25ThePrivateKeyIsNeitherStoredNorLogged(t *testing.T) {
	var log bytes.Buffer
	folder := t.TempDir()
	s, err := pebblestore.Open(folder, pebblestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	env := newEnvOn(t, s, Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	made := env.issue("/keys-and-certificate?setAsActive=true", "")
	block, _ := pem.Decode([]byte(made.KeyPair.PrivateKey))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(made.KeyPair.PrivateKey), "\n")
	secrets := map[string][]byte{
		"a line of the PEM": []byte(lines[len(lines)/2]), "the DER": block.Bytes[len(block.Bytes)/2:][:64],
		"the exponent": key.D.Bytes(), "a prime": key.Primes[0].Bytes(), "the other": key.Primes[1].Bytes(),
	}
	env.stop() // so that everything is on disk
	stored := readAll(t, folder)
	for name, secret := range secrets {
		if bytes.Contains(log.Bytes(), secret) || bytes.Contains(stored, secret) {
			t.Errorf("%s of the private key is in the log or in the store", name)
		}
	}
	if !bytes.Contains(stored, []byte(made.CertificateID)) || !bytes.Contains(log.Bytes(), []byte("CreateKeysAndCertificate")) {
		t.Errorf("the store (%d bytes) or the log (%d bytes) is not what this test thinks", len(stored), log.Len())
	}
}

func TestAUTH26AUTH27CreateCertificateFromCSR(t *testing.T) {
	env := newEnv(t)
	key := newKey(t)
	body := object(map[string]any{"certificateSigningRequest": newCSR(t, "pump-7", key)})
	first, second := env.issue("/certificates", body), env.issue("/certificates?setAsActive=true", body)
	if first.CertificateID == second.CertificateID {
		t.Error("AUTH-27: one request twice gives one certificate")
	}
	if a, b := env.status(first.CertificateID), env.status(second.CertificateID); a != "INACTIVE" || b != "ACTIVE" {
		t.Errorf("the statuses are %s and %s", a, b)
	}
	c := parsePEM(t, first.CertificatePEM)
	if c.Subject.CommonName != "pump-7" || !c.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) || c.IsCA {
		t.Errorf("AUTH-26: the certificate is for %s, a CA: %v", c.Subject, c.IsCA)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := strings.Replace(newCSR(t, "x", key), "A", "B", 3)
	for name, csr := range map[string]string{
		"not PEM": "hello", "a certificate": newSigner(t, "x").PEM, "a weak key": newCSR(t, "x", weakKey(t)),
		"another curve": newCSR(t, "x", p224), "damaged": spoilt,
	} {
		got := env.send("POST", "/certificates", object(map[string]any{"certificateSigningRequest": csr}))
		if got.status != 400 || got.errorType() != "InvalidRequestException" {
			t.Errorf("AUTH-27, %s: %d %s", name, got.status, got.body)
		}
	}
	env.wantError("POST", "/certificates", object(map[string]any{"certificateSigningRequest": strings.Repeat("x", 4097)}), 400, "InvalidRequestException")
	env.wantError("POST", "/certificates", "{}", 400, "InvalidRequestException")
}

func TestWithoutAnIssuerNothingIsIssued(t *testing.T) {
	env := newEnv(t)
	o := env.server.o
	o.Issuer = nil
	var err error
	if env.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	env.wantError("POST", "/keys-and-certificate", "", http.StatusServiceUnavailable, "ServiceUnavailableException")
	env.wantError("POST", "/certificates", `{"certificateSigningRequest":"x"}`, http.StatusServiceUnavailable, "ServiceUnavailableException")
}

func TestAUTH28RegisterCertificateWithoutCA(t *testing.T) {
	env := newEnv(t)
	c := newSigner(t, "lamp")
	body := object(map[string]any{"certificatePem": "my certificate:\n" + c.PEM, "status": "ACTIVE"})
	env.want("RegisterCertificateWithoutCA", env.must("POST", "/certificate/register-no-ca", body),
		`{"certificateArn":"`+certARN(c.id())+`","certificateId":"`+c.id()+`"}`)
	env.want("its status", env.status(c.id()), "ACTIVE")
	got := env.wantError("POST", "/certificate/register-no-ca", body, http.StatusConflict, "ResourceAlreadyExistsException")
	env.want("the same again", got.body, `{"message":"The certificate is already provisioned or registered","resourceId":"`+c.id()+`","resourceArn":"`+certARN(c.id())+`"}`)
	for name, text := range map[string]string{"not PEM": "hello", "another PEM": newCSR(t, "x", newKey(t))} {
		got := env.send("POST", "/certificate/register-no-ca", object(map[string]any{"certificatePem": text}))
		if got.status != 400 || got.errorType() != "CertificateValidationException" {
			t.Errorf("%s: %d %s %s, want CertificateValidationException", name, got.status, got.errorType(), got.body)
		}
	}
}

func TestAUTH29TheStatusOfARegisteredCertificate(t *testing.T) {
	for _, test := range []struct {
		target, status, want string // want empty: refused
	}{
		{"/certificate/register-no-ca", "", "INACTIVE"},
		{"/certificate/register-no-ca", "ACTIVE", "ACTIVE"},
		{"/certificate/register-no-ca", "REVOKED", "REVOKED"},
		{"/certificate/register-no-ca", "PENDING_ACTIVATION", ""},
		{"/certificate/register-no-ca", "PENDING_TRANSFER", ""},
		{"/certificate/register-no-ca", "REGISTER_INACTIVE", ""},
		{"/certificate/register", "", "INACTIVE"},
		{"/certificate/register?setAsActive=true", "", "ACTIVE"},
		{"/certificate/register?setAsActive=true", "INACTIVE", "INACTIVE"},
		{"/certificate/register", "ACTIVE", "ACTIVE"},
		{"/certificate/register", "PENDING_TRANSFER", ""},
		{"/certificate/register", "PENDING_ACTIVATION", ""},
		{"/certificate/register?setAsActive=true", "REGISTER_INACTIVE", ""},
	} {
		t.Run(test.target+" "+test.status, func(t *testing.T) {
			env := newEnv(t)
			acme := newSigner(t, "Acme CA")
			env.registerCA(acme, "?setAsActive=true")
			c := acme.device(t, "lamp")
			members := map[string]any{"certificatePem": c.PEM}
			if test.status != "" {
				members["status"] = test.status
			}
			if test.want == "" {
				got := env.wantError("POST", test.target, object(members), http.StatusNotAcceptable, "CertificateStateException")
				if !strings.Contains(got.body, test.status) {
					t.Errorf("the message is %s, want %s in it", got.body, test.status)
				}
				env.wantError("GET", "/certificates/"+c.id(), "", http.StatusNotFound, "ResourceNotFoundException")
				return
			}
			env.must("POST", test.target, object(members))
			env.want("status", env.status(c.id()), test.want)
		})
	}
}

func TestAUTH28RegisterCertificate(t *testing.T) {
	env := newEnv(t)
	acme, twin, stranger := newSigner(t, "Acme CA"), newSigner(t, "Acme CA"), newSigner(t, "Other CA")
	register := func(c signer, by *signer) reply {
		members := map[string]any{"certificatePem": c.PEM}
		if by != nil {
			members["caCertificatePem"] = by.PEM
		}
		return env.send("POST", "/certificate/register?setAsActive=true", object(members))
	}
	want := func(when string, got reply, errorType string) {
		t.Helper()
		if got.errorType() != errorType {
			t.Errorf("%s: %d %s %s, want %q", when, got.status, got.errorType(), got.body, errorType)
		}
	}
	lamp := acme.device(t, "lamp")
	want("no CA is registered", register(lamp, nil), "CertificateValidationException")
	want("nor the one given", register(lamp, &acme), "CertificateValidationException")
	id := env.registerCA(acme, "")
	want("the CA is inactive", register(lamp, nil), "CertificateStateException")
	if got := register(lamp, nil); got.status != http.StatusNotAcceptable {
		t.Errorf("the status of that is %d, want 406", got.status)
	}
	env.must("PUT", "/cacertificate/"+id+"?newStatus=ACTIVE", "")
	want("the CA is active", register(lamp, nil), "")
	want("again", register(lamp, nil), "ResourceAlreadyExistsException")
	want("again, by a CA that is not registered", register(lamp, &stranger), "ResourceAlreadyExistsException")
	want("of another CA with the name", register(twin.device(t, "pump"), nil), "CertificateValidationException")
	want("of nobody known", register(stranger.device(t, "pump"), nil), "CertificateValidationException")
	want("said to be of a CA that did not sign it", register(stranger.device(t, "pump"), &acme), "CertificateValidationException")

	env.registerCA(twin, "?setAsActive=true")
	want("two CAs with the name", register(acme.device(t, "a"), nil), "CertificateConflictException")
	want("two CAs with the name, one given", register(acme.device(t, "b"), &acme), "")
	want("two CAs with the name, the other one given", register(acme.device(t, "c"), &twin), "CertificateValidationException")
	want("the second CA's, given", register(twin.device(t, "d"), &twin), "")
	want("a CA that cannot be read", env.send("POST", "/certificate/register",
		object(map[string]any{"certificatePem": acme.device(t, "e").PEM, "caCertificatePem": "x"})), "CertificateValidationException")
	want("a certificate that cannot be read", env.send("POST", "/certificate/register", `{"certificatePem":"x"}`), "CertificateValidationException")

	if got := env.listed("/certificates-by-ca/0x"+strings.ToUpper(id), "certificates", "certificateId"); len(got) != 2 {
		t.Errorf("the CA vouches for %v, want two", got)
	}
	if got := env.listed("/certificates-by-ca/"+someID, "certificates", "certificateId"); len(got) != 0 {
		t.Errorf("an unknown CA vouches for %v", got)
	}
	got := env.must("GET", "/certificates/"+lamp.id(), "")
	for _, want := range []string{`"caCertificateId":"` + id + `"`, `"certificateMode":"DEFAULT"`} {
		if !strings.Contains(got, want) {
			t.Errorf("DescribeCertificate = %s, want %s", got, want)
		}
	}
	if c, err := env.service.Rights.Certificate(t.Context(), muster.CertificateID(lamp.id())); err != nil || string(c.CA) != id {
		t.Errorf("the registry has %+v, %v", c, err)
	}
}
