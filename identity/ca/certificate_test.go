package ca_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity/ca"
)

// signer is a certificate with its key: an operator's own CA.
type signer struct {
	ca.Certificate
	key *ecdsa.PrivateKey
}

// sign makes a certificate for template; a nil parent means signed by itself.
func sign(t testing.TB, template *x509.Certificate, parent *signer) *signer {
	t.Helper()
	key := newKey(t)
	template.SerialNumber = big.NewInt(4711)
	template.NotBefore, template.NotAfter = now, now.Add(time.Hour)
	issuer, issuerKey := template, key
	if parent != nil {
		issuer, issuerKey = parent.X509, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ca.Parse(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	if err != nil {
		t.Fatalf("Parse() = %v", err)
	}
	return &signer{c, key}
}

func root(t testing.TB, name string) *signer {
	return sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign}, nil)
}

func TestParse(t *testing.T) {
	c := root(t, "Pumps CA").Certificate
	digest := sha256.Sum256(c.X509.Raw)
	if want := hex.EncodeToString(digest[:]); string(c.ID) != want {
		t.Errorf("the id is %s, want the hex SHA-256 of the DER, %s", c.ID, want)
	}
	if got := ca.ID(c.X509.Raw); got != c.ID {
		t.Errorf("ID() = %s, want %s", got, c.ID)
	}
	for name, text := range map[string]string{
		"with a chain":         c.PEM + root(t, "another").PEM,
		"with words around it": "subject: pump\n" + c.PEM + "thanks\n",
		"after parameters":     "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + c.PEM,
		"with CRLF":            strings.ReplaceAll(c.PEM, "\n", "\r\n"),
	} {
		if got, err := ca.Parse(text); err != nil || got.ID != c.ID || got.PEM != c.PEM {
			t.Errorf("%s: Parse() = %s, %v; want the first certificate alone, %s", name, got.ID, err, c.ID)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	c := root(t, "Pumps CA").Certificate
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now}
	der, err := x509.CreateCertificate(rand.Reader, template, template, weak.Public(), weak)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for name, test := range map[string]struct{ text, want string }{
		"nothing":             {"", "is not PEM"},
		"DER":                 {string(c.X509.Raw), "is not PEM"},
		"a key":               {encode("PRIVATE KEY", []byte("x")), "is not PEM of type CERTIFICATE"},
		"DER of another kind": {encode("CERTIFICATE", []byte("x")), "cannot be read"},
		"a weak key":          {encode("CERTIFICATE", der), "its key must be RSA of at least 2048 bits or ECDSA"},
		"endless PEM":         {c.PEM + strings.Repeat("\n", 65536), "longer than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ca.Parse(test.text)
			wantKind(t, err, muster.CertificateInvalid, test.want)
		})
	}
}

func TestParseCA(t *testing.T) {
	parent := root(t, "Pumps CA")
	if _, err := ca.ParseCA(parent.PEM); err != nil {
		t.Errorf("ParseCA() of a CA = %v, want no error", err)
	}
	_, err := ca.ParseCA(sign(t, &x509.Certificate{}, parent).PEM)
	wantKind(t, err, muster.CertificateInvalid, "CA:TRUE")
	_, err = ca.ParseCA("")
	wantKind(t, err, muster.CertificateInvalid, "is not PEM")
}

func TestSignedBy(t *testing.T) {
	parent, namesake, other := root(t, "Pumps CA"), root(t, "Pumps CA"), root(t, "Lamps CA")
	leaf := sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "pump-7"}}, parent)
	for name, test := range map[string]struct {
		issuer *signer
		want   bool
	}{
		"its CA":                      {parent, true},
		"another CA of the same name": {namesake, false},
		"a CA of another name":        {other, false},
		"itself, though not a CA":     {leaf, false},
	} {
		if got := leaf.SignedBy(test.issuer.Certificate); got != test.want {
			t.Errorf("SignedBy(%s) = %t, want %t", name, got, test.want)
		}
	}
	if leaf.Issuer() != parent.Subject() || leaf.Issuer() == leaf.Subject() {
		t.Errorf("Issuer() = %s, want the CA's Subject(), %s", leaf.Issuer(), parent.Subject())
	}
}

func TestCheckRegistration(t *testing.T) {
	parent := root(t, "Pumps CA")
	code := strings.Repeat("0f", 32)
	proof := func(name string, by *signer) string {
		return sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}}, by).PEM
	}
	if err := ca.CheckRegistration(parent.Certificate, proof(code, parent), code); err != nil {
		t.Errorf("CheckRegistration() = %v, want no error", err)
	}
	for name, test := range map[string]struct {
		proof, code string
		kind        muster.Kind
		want        string
	}{
		"signed by another CA":      {proof(code, root(t, "Pumps CA")), code, muster.RegistrationCode, "is not signed by the CA certificate"},
		"another code":              {proof("pump-7", parent), code, muster.RegistrationCode, "is not the registration code"},
		"no code was ever given":    {proof("", parent), "", muster.RegistrationCode, "is not the registration code"},
		"no certificate":            {"", code, muster.CertificateInvalid, "is not PEM"},
		"the CA certificate itself": {parent.PEM, code, muster.RegistrationCode, "is not the registration code"},
	} {
		t.Run(name, func(t *testing.T) {
			wantKind(t, ca.CheckRegistration(parent.Certificate, test.proof, test.code), test.kind, test.want)
		})
	}
}

func TestCheckValidity(t *testing.T) {
	from, to := now, now.Add(365*24*time.Hour)
	day := 24 * time.Hour
	for name, test := range map[string]struct {
		at    time.Time
		grace time.Duration
		want  string
	}{
		"in the middle":             {from.Add(day), 0, ""},
		"at the very end":           {to, 0, ""},
		"just expired":              {to.Add(time.Second), 0, "expired at 2027-01-02T03:04:05Z"},
		"expired within the grace":  {to.Add(day), ca.DefaultGrace, ""},
		"expired after the grace":   {to.Add(day + time.Second), ca.DefaultGrace, "expired at"},
		"early within the grace":    {from.Add(-day), ca.DefaultGrace, ""},
		"early before the grace":    {from.Add(-day - time.Second), ca.DefaultGrace, "not valid before 2026-01-02T03:04:05Z"},
		"long expired, not checked": {to.Add(9999 * day), -1, ""},
		"long too early, unchecked": {from.Add(-9999 * day), -1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := ca.CheckValidity(from, to, test.at, test.grace)
			if test.want != "" {
				wantKind(t, err, muster.Forbidden, test.want)
			} else if err != nil {
				t.Errorf("CheckValidity(%s) = %v, want no error", test.at, err)
			}
		})
	}
}

func TestVariable(t *testing.T) {
	parent := sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Pumps CA", Country: []string{"DE"}},
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	c := sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "pump-7", SerialNumber: "S1", OrganizationalUnit: []string{"a", "b", "c", "d", "e", "f"},
			ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 42}, Value: "Pia"}}},
		DNSNames:       []string{"pump.example.com"},
		EmailAddresses: []string{"pump@example.com"},
		IPAddresses:    []net.IP{net.IPv4(127, 0, 0, 7)},
		URIs:           []*url.URL{{Scheme: "urn", Opaque: "pump"}},
	}, parent)
	for key, want := range map[string][]string{
		"iot:Certificate.Subject.CommonName":                                {"pump-7"},
		"iot:Certificate.Subject.CommonName.List":                           {"pump-7"},
		"iot:Certificate.Subject.CommonName.1":                              nil,
		"iot:Certificate.Subject.SerialNumber":                              {"S1"},
		"iot:Certificate.Subject.GivenName":                                 {"Pia"},
		"iot:Certificate.Subject.OrganizationalUnit":                        {"a"},
		"iot:Certificate.Subject.OrganizationalUnit.1":                      {"b"},
		"iot:Certificate.Subject.OrganizationalUnit.4":                      {"e"},
		"iot:Certificate.Subject.OrganizationalUnit.5":                      nil, // five at most
		"iot:Certificate.Subject.OrganizationalUnit.List":                   {"a", "b", "c", "d", "e"},
		"iot:Certificate.Subject.OrganizationalUnit.-1":                     nil,
		"iot:Certificate.Subject.Country":                                   nil,
		"iot:Certificate.Subject.Nonsense":                                  nil,
		"iot:Certificate.Issuer.CommonName":                                 {"Pumps CA"},
		"iot:Certificate.Issuer.Country":                                    {"DE"},
		"iot:Certificate.Issuer.Organization.List":                          nil,
		"iot:Certificate.Subject.AlternativeName.DNSName":                   {"pump.example.com"},
		"iot:Certificate.Subject.AlternativeName.RFC822Name":                {"pump@example.com"},
		"iot:Certificate.Subject.AlternativeName.IPAddress.List":            {"127.0.0.7"},
		"iot:Certificate.Subject.AlternativeName.UniformResourceIdentifier": {"urn:pump"},
		"iot:Certificate.Subject.AlternativeName.DirectoryName":             nil,
		"iot:Certificate.SerialNumber":                                      {"4711"},
		"iot:Certificate.":                                                  nil,
		"iot:Certificate.Subject":                                           nil,
		"iot:Certificate.Subject.":                                          nil,
		"iot:ClientId":                                                      nil,
	} {
		got, ok := ca.Variable(c.X509, key)
		if !slices.Equal(got, want) || ok != (want != nil) {
			t.Errorf("Variable(%s) = %q, %t; want %q, %t", key, got, ok, want, want != nil)
		}
	}
}
