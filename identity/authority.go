package identity

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/sigv4"
)

// OpenAuthority returns the deployment's certificate authority. When neither file
// exists it makes an authority and both files. A key that others may read is
// refused, and so is one file without the other; the error wraps ErrKeyAlone when
// only the key exists.
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
// wraps fs.ErrNotExist when there is none, or only its key, which is what remains
// when a process is killed while it makes one.
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
// before the key is found, it returns the context's error and writes nothing.
func MakeRSAAuthority(ctx context.Context, f PEMFiles, now time.Time) (*ca.Authority, error) {
	a, err := unlessDone(ctx, func() (*ca.Authority, error) { return ca.NewRSA(now) })
	if err != nil {
		return nil, fmt.Errorf("make RSA certificate authority: %w", err)
	}
	return a, f.keepAuthority(a)
}

// unlessDone returns what find returns, or ctx's error when ctx ends first. find
// then still runs to its end, so it must only compute.
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

// RootDigest is AuthorityDigest for a certificate alone: its key need not exist.
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

// KeepRoots makes a file of trusted roots begin with the certificates of the given
// authorities. Other certificates in it stay, after those; everything else is
// removed. The file is replaced in one step, and only if it changes.
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
