package codesign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/muster-iot/muster/internal/secretfile"
)

// Folder is a folder of profiles, each stored as two PEM files that only their owner
// may read: NAME.pem with the certificates and NAME-key.pem with the private key.
type Folder string

// nameForm matches names of profiles; it is that of signing profiles on AWS.
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_]{2,64}$`)

// fileMax is the longest PEM file that is read, in bytes.
const fileMax = 64 << 10

// clockSlack is how long before it was made a certificate becomes valid, for
// devices whose clocks are slow.
const clockSlack = 5 * time.Minute

// Create makes a profile with a new key and a self-signed certificate, which devices
// trust because it was installed on them. The certificate is valid for life from the
// instant now. Create fails when there is a profile of that name.
func (f Folder) Create(name string, t KeyType, life time.Duration, now time.Time) (*Profile, error) {
	var key crypto.Signer
	var err error
	switch t {
	case ECDSA:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA:
		key, err = rsa.GenerateKey(rand.Reader, RSABitsMin)
	default:
		err = fmt.Errorf("the key type %q is neither %s nor %s", t, ECDSA, RSA)
	}
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name, Organization: []string{"Muster code signing"}},
		NotBefore:             now.Add(-clockSlack),
		NotAfter:              now.Add(life),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return f.put(name, []*x509.Certificate{certificate}, key)
}

// Import makes a profile from a private key in PEM (PKCS #8, PKCS #1 or SEC 1) and,
// also in PEM, its certificate followed by those of its issuers. It fails when there
// is a profile of that name.
func (f Folder) Import(name, certificates, key string) (*Profile, error) {
	chain, err := parseChain(certificates)
	if err != nil {
		return nil, err
	}
	signer, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	return f.put(name, chain, signer)
}

func (f Folder) put(name string, chain []*x509.Certificate, key crypto.Signer) (*Profile, error) {
	if !nameForm.MatchString(name) {
		return nil, fmt.Errorf("%q cannot be the name of a signing profile: 2 to 64 letters, digits and underscores", name)
	}
	p, err := newProfile(name, chain, key)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, err
	}
	if _, err := os.Stat(f.Certificate(name)); err == nil {
		return nil, fmt.Errorf("there is a signing profile %s already", name)
	}
	// The key is written first, because a profile exists as soon as its certificate does.
	if err := write(f.key(name), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return nil, err
	}
	return p, write(f.Certificate(name), []byte(p.ChainPEM()))
}

// Open reads a profile. The error wraps fs.ErrNotExist when there is none of that
// name.
func (f Folder) Open(name string) (*Profile, error) {
	if !nameForm.MatchString(name) {
		return nil, fmt.Errorf("%q is not the name of a signing profile", name)
	}
	certificates, err := read(f.Certificate(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no signing profile %s: %w", name, err)
	}
	if err != nil {
		return nil, err
	}
	key, err := secretfile.Read(f.key(name), fileMax)
	if err != nil {
		return nil, err
	}
	chain, err := parseChain(certificates)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Certificate(name), err)
	}
	signer, err := parseKey(string(key))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.key(name), err)
	}
	p, err := newProfile(name, chain, signer)
	if err != nil {
		return nil, fmt.Errorf("signing profile %s: %w", name, err)
	}
	return p, nil
}

// List returns the names of all profiles, sorted.
func (f Folder) List() ([]string, error) {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".pem"); ok && nameForm.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, err
}

// Certificate returns the path of the file with the certificates of a profile.
func (f Folder) Certificate(name string) string { return filepath.Join(string(f), name+".pem") }

func (f Folder) key(name string) string { return filepath.Join(string(f), name+"-key.pem") }

// write makes or replaces a file that only its owner may read, durably.
func write(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// read returns the text of a file of at most fileMax bytes.
func read(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > fileMax {
		return "", fmt.Errorf("%s is longer than %d bytes", path, fileMax)
	}
	content, err := os.ReadFile(path)
	return string(content), err
}

func parseChain(text string) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, errors.New("there is no certificate in PEM")
	}
	return chain, nil
}

func parseKey(text string) (crypto.Signer, error) {
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default:
			continue // such as the EC parameters that openssl writes first
		}
		if err != nil {
			return nil, errors.New("the private key cannot be read")
		}
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
	}
	return nil, errors.New("there is no private key in PEM, or it is encrypted")
}
