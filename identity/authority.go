package identity

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
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
// exists it makes one and both of them. A key that others may read is refused, and
// so is one file without the other; the error wraps ErrKeyAlone when that is the key.
func OpenAuthority(f PEMFiles, now time.Time) (*ca.Authority, error) {
	certificate, key, err := f.read()
	if errors.Is(err, errNeither) {
		a, err := ca.New(now)
		if err != nil {
			return nil, fmt.Errorf("make certificate authority: %w", err)
		}
		return a, f.keepAuthority(a)
	}
	if err != nil {
		return nil, fmt.Errorf("open certificate authority: %w", err)
	}
	return f.load(certificate, key)
}

// LoadRSAAuthority returns the authority that MakeRSAAuthority made. Its error
// wraps fs.ErrNotExist when there is none, or no more of it than the key, which is
// what a process leaves that was killed while it made one.
func LoadRSAAuthority(f PEMFiles) (*ca.Authority, error) {
	certificate, key, err := f.read()
	if errors.Is(err, ErrKeyAlone) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("open RSA certificate authority: %w", err)
	}
	return f.load(certificate, key)
}

// MakeRSAAuthority makes an authority with an RSA key, and both files. When ctx ends
// first it returns the context's error and has written nothing.
func MakeRSAAuthority(ctx context.Context, f PEMFiles, now time.Time) (*ca.Authority, error) {
	a, err := unlessDone(ctx, func() (*ca.Authority, error) { return ca.NewRSA(now) })
	if err != nil {
		return nil, fmt.Errorf("make RSA certificate authority: %w", err)
	}
	return a, f.keepAuthority(a)
}

// unlessDone returns what find returns, or ctx's error when ctx ends first. find
// then goes on to its end, so it must do nothing but compute.
func unlessDone[T any](ctx context.Context, find func() (T, error)) (T, error) {
	type outcome struct {
		found T
		err   error
	}
	found := make(chan outcome, 1)
	go func() {
		t, err := find()
		found <- outcome{t, err}
	}()
	select {
	case o := <-found:
		return o.found, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
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

// RootDigest is AuthorityDigest for a certificate whose key is not looked at.
func RootDigest(file string) (string, error) {
	text, err := readSmall(file)
	if err != nil {
		return "", err
	}
	c, err := ca.ParseCA(string(text))
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return string(c.ID), nil
}

func (f PEMFiles) keepAuthority(a *ca.Authority) error {
	key, err := a.KeyPEM()
	if err != nil {
		return fmt.Errorf("make certificate authority: %w", err)
	}
	if err := f.write(a.Certificate.PEM, key); err != nil {
		return fmt.Errorf("write certificate authority: %w", err)
	}
	return nil
}

// KeepRoots makes a file begin with the certificates of the given authorities, for
// clients to trust. Other certificates in it stay, after those; anything else in it is
// dropped. The file is replaced in one step, and only if it changes.
func KeepRoots(file string, authorities ...*ca.Authority) error {
	before, err := readSmall(file)
	if err != nil {
		return err
	}
	var roots strings.Builder
	for _, a := range authorities {
		roots.WriteString(a.Certificate.PEM)
	}
	for block, rest := pem.Decode(before); block != nil; block, rest = pem.Decode(rest) {
		other := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes}))
		if _, err := x509.ParseCertificate(block.Bytes); err == nil && !strings.Contains(roots.String(), other) {
			roots.WriteString(other)
		}
	}
	if roots.String() == string(before) {
		return nil
	}
	return writeFile(file, []byte(roots.String()), 0o644)
}

// OpenServer returns the TLS certificate of this server, for clients that reach
// it by hosts, which are names and IP addresses. It is kept from start to start,
// and made anew when there is none that serves.
func OpenServer(a *ca.Authority, f PEMFiles, hosts []string, now time.Time) (tls.Certificate, error) {
	pair, err := LoadServer(a, f, hosts, now)
	if !errors.Is(err, fs.ErrNotExist) {
		return pair, err
	}
	made, err := newServer(a, hosts, now)
	if err != nil {
		return tls.Certificate{}, err
	}
	return made.keep(f)
}

// LoadServer returns the server certificate that was kept. Its error wraps
// fs.ErrNotExist when there is none that serves: when it, or its key, is missing or
// broken, is signed by another authority, lacks a host or comes near its end.
func LoadServer(a *ca.Authority, f PEMFiles, hosts []string, now time.Time) (tls.Certificate, error) {
	certificate, key, err := f.read()
	if errors.Is(err, ErrKeyAlone) || errors.Is(err, errKeyMissing) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("open server certificate: %w", err)
	}
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil || !serves(a, pair.Leaf, hosts, now) {
		return tls.Certificate{}, fmt.Errorf("the server certificate in %s does not serve: %w", f.Certificate, fs.ErrNotExist)
	}
	return pair, nil
}

// MakeServer makes a server certificate and its files, whatever was in them. When
// ctx ends first it returns the context's error and has written nothing.
func MakeServer(ctx context.Context, a *ca.Authority, f PEMFiles, hosts []string, now time.Time) (tls.Certificate, error) {
	made, err := unlessDone(ctx, func() (serverPair, error) { return newServer(a, hosts, now) })
	if err != nil {
		return tls.Certificate{}, err
	}
	return made.keep(f)
}

// serverPair is the certificate of a server and its key, both PEM.
type serverPair struct {
	certificate string
	key         sigv4.Secret
}

func newServer(a *ca.Authority, hosts []string, now time.Time) (serverPair, error) {
	made, key, err := a.NewServer(hosts, serverLifetime, now)
	if err != nil {
		return serverPair{}, fmt.Errorf("make server certificate: %w", err)
	}
	return serverPair{made.PEM, key}, nil
}

func (p serverPair) keep(f PEMFiles) (tls.Certificate, error) {
	if err := f.write(p.certificate, p.key); err != nil {
		return tls.Certificate{}, fmt.Errorf("write server certificate: %w", err)
	}
	return tls.X509KeyPair([]byte(p.certificate), []byte(p.key))
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

// ErrKeyAlone says that a key is there without its certificate. Keys are written
// first, so that is what a process leaves that was killed between the two.
var ErrKeyAlone = errors.New("there is a key without its certificate")

var errKeyMissing = errors.New("there is a certificate without its key")

// half returns the error for files of which one is there.
func (f PEMFiles) half(which error) error {
	return fmt.Errorf("%w: there is only one of %s and %s: restore the other, or remove both to start anew", which, f.Certificate, f.Key)
}

// read returns the files' contents, or an error that wraps errNeither, ErrKeyAlone
// or errKeyMissing when they are not both there.
func (f PEMFiles) read() (certificate string, key sigv4.Secret, err error) {
	c, errC := readSmall(f.Certificate)
	k, errK := secretfile.Read(f.Key, maxPEMFile)
	lackC, lackK := errors.Is(errC, fs.ErrNotExist), errors.Is(errK, fs.ErrNotExist)
	switch {
	case lackC && lackK:
		return "", "", errNeither
	case lackC:
		return "", "", f.half(ErrKeyAlone)
	case lackK:
		return "", "", f.half(errKeyMissing)
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
