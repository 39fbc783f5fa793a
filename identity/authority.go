package identity

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/internal/secretfile"
	"github.com/muster-iot/muster/sigv4"
)

const (
	// serverLifetime is long because a server may run for years without a
	// restart, and devices cannot be told of a new certificate while they are out.
	serverLifetime = 10 * 365 * 24 * time.Hour
	// serverRenewal is what must be left of a server certificate at a start.
	serverRenewal = 2 * 365 * 24 * time.Hour

	maxPEMFile = 1 << 20 // bytes
)

// PEMFiles names a certificate file and the private file of its key.
type PEMFiles struct {
	Certificate string
	Key         string
}

// OpenAuthority returns the deployment's certificate authority. When neither file
// exists it makes one and both of them. A key that others may read is refused.
func OpenAuthority(f PEMFiles, now time.Time) (*ca.Authority, error) {
	certificate, key, err := f.read()
	if errors.Is(err, errNeither) {
		return makeAuthority(f, now)
	}
	if err != nil {
		return nil, fmt.Errorf("open certificate authority: %w", err)
	}
	return f.load(certificate, key)
}

// AuthorityDigest returns the SHA-256, in hex, of the certificate of the authority
// that OpenAuthority would return. It changes nothing, and its error wraps
// fs.ErrNotExist when there is none.
func AuthorityDigest(f PEMFiles) (string, error) {
	certificate, key, err := f.read()
	if err != nil {
		return "", err
	}
	a, err := f.load(certificate, key)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(a.Certificate.X509.Raw)
	return hex.EncodeToString(sum[:]), nil
}

func (f PEMFiles) load(certificate string, key sigv4.Secret) (*ca.Authority, error) {
	a, err := ca.Load(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("certificate authority in %s and %s: %w", f.Certificate, f.Key, err)
	}
	return a, nil
}

func makeAuthority(f PEMFiles, now time.Time) (*ca.Authority, error) {
	a, err := ca.New(now)
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}
	key, err := a.KeyPEM()
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}
	if err := f.write(a.Certificate.PEM, key); err != nil {
		return nil, fmt.Errorf("write certificate authority: %w", err)
	}
	return a, nil
}

// OpenServer returns the TLS certificate of this server, for clients that reach
// it by hosts, which are names and IP addresses. It is kept from start to start,
// and made anew when it is missing or broken, is signed by another authority,
// lacks a host or comes near its end.
func OpenServer(a *ca.Authority, f PEMFiles, hosts []string, now time.Time) (tls.Certificate, error) {
	certificate, key, err := f.read()
	if err != nil && !errors.Is(err, errNeither) {
		return tls.Certificate{}, fmt.Errorf("open server certificate: %w", err)
	}
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err == nil && serves(a, pair.Leaf, hosts, now) {
		return pair, nil
	}
	made, key, err := a.NewServer(hosts, serverLifetime, now)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make server certificate: %w", err)
	}
	if err := f.write(made.PEM, key); err != nil {
		return tls.Certificate{}, fmt.Errorf("write server certificate: %w", err)
	}
	return tls.X509KeyPair([]byte(made.PEM), []byte(key))
}

// serves reports whether a server certificate still does.
func serves(a *ca.Authority, c *x509.Certificate, hosts []string, now time.Time) bool {
	if !(ca.Certificate{X509: c}).SignedBy(a.Certificate) || now.Add(serverRenewal).After(c.NotAfter) {
		return false
	}
	for _, host := range hosts {
		if c.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}

// errNeither is the error of reading two files when neither exists. An empty
// file exists.
var errNeither = fmt.Errorf("neither file is there: %w", fs.ErrNotExist)

// read returns the files' contents, or errNeither.
func (f PEMFiles) read() (certificate string, key sigv4.Secret, err error) {
	c, errC := readSmall(f.Certificate)
	k, errK := secretfile.Read(f.Key, maxPEMFile)
	lackC, lackK := errors.Is(errC, fs.ErrNotExist), errors.Is(errK, fs.ErrNotExist)
	switch {
	case lackC && lackK:
		return "", "", errNeither
	case lackC || lackK:
		return "", "", fmt.Errorf("there is only one of %s and %s: restore the other, or remove both to start anew", f.Certificate, f.Key)
	case errC != nil || errK != nil:
		return "", "", errors.Join(errC, errK)
	}
	return string(c), sigv4.Secret(k), nil
}

// write stores the key first: a certificate without its key would be useless.
func (f PEMFiles) write(certificate string, key sigv4.Secret) error {
	if err := writePrivate(f.Key, []byte(key)); err != nil {
		return err
	}
	return writeFile(f.Certificate, []byte(certificate), 0o644)
}

func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxPEMFile {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxPEMFile)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
