package device

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// VerifierOptions say whose signatures a device trusts. Trusted is required.
type VerifierOptions struct {
	// Trusted are the certificates of signers, or of certificate authorities. An
	// authority may not sign files itself, and a signer's certificate that it
	// issued must have the extended key usage of code signing.
	Trusted []*x509.Certificate
	// Required rejects jobs that have no signed file, or have a file without a
	// signature, or have a URL anywhere else: in a value or the name of a
	// member, whole or within a text, of any scheme. If it is false, such jobs are
	// handled, and only files with a signature are downloaded.
	Required bool
	// Uploads are the names of members in documents whose URLs the application
	// uses for uploads only, so that they need no signature. Nothing below such a
	// member is checked.
	Uploads []string

	// Client downloads; nil means one with the defaults of net/http.
	Client *http.Client
	// FileMax is the largest file, in bytes, that is downloaded; zero means
	// 1 GiB.
	FileMax int64
	// Dir is the folder for files while a job is handled; empty means the one for
	// temporary files.
	Dir string
	// Now is the time at which certificates must be valid; nil means time.Now. A
	// device without a clock may return a time within their validity.
	Now func() time.Time
}

const fileMax = 1 << 30

// Verifier downloads the files of a job and verifies their signatures, before
// an application sees the job. Make it with NewVerifier; it may be used by many
// clients.
type Verifier struct{ o VerifierOptions }

// NewVerifier returns a verifier that trusts o.Trusted.
func NewVerifier(o VerifierOptions) (*Verifier, error) {
	if len(o.Trusted) == 0 {
		return nil, errors.New("device: a verifier needs certificates to trust")
	}
	if o.Client == nil {
		o.Client = &http.Client{}
	}
	if o.FileMax == 0 {
		o.FileMax = fileMax
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Verifier{o}, nil
}

// ParseCertificates returns the certificates of a PEM text, such as a file of
// trusted ones. A text without any is an error.
func ParseCertificates(text []byte) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("device: %w", err)
		}
		found = append(found, c)
	}
	if len(found) == 0 {
		return nil, errors.New("device: there is no certificate in PEM")
	}
	return found, nil
}

// File is a file whose signature is valid. It can be read until the handler that
// it was passed to returns.
type File struct {
	Name   string            // as the document calls it; empty when it does not
	Signer *x509.Certificate // whose signature it is
	*io.SectionReader
}

// FileHandler does one job with its signed files, in the order of the document.
// Its ctx and its error are those of a Handler.
type FileHandler func(ctx context.Context, j *Job, files []File) error

// Handle returns a Handler that downloads and verifies the files of a job and
// then calls next. A job with a wrong signature, or, if Required is set, with a
// missing one, is REJECTED with the reason, and next is not called. If a file
// cannot be downloaded, the job is FAILED.
func (v *Verifier) Handle(next FileHandler) Handler {
	return func(ctx context.Context, j *Job) error {
		found, err := signedFiles(j.Document, v.o.Uploads)
		if err != nil {
			return Refuse(err.Error())
		}
		if lack := found.lack(); v.o.Required && lack != "" {
			return Refuse(lack)
		}
		files := make([]File, 0, len(found.claims))
		for i, c := range found.claims {
			signers, err := v.signers(c)
			if err != nil {
				return Refuse(err.Error())
			}
			d, err := v.download(ctx, j, i, c)
			if err != nil {
				return err
			}
			defer d.remove()
			signer := signerOf(d.digest, c.signature, signers)
			if signer == nil {
				return Refuse(fmt.Sprintf("the signature of %s is wrong: none of the certificates that this device trusts made it of these %d bytes", c, d.size))
			}
			files = append(files, File{Name: c.name, Signer: signer, SectionReader: io.NewSectionReader(d.file, 0, d.size)})
		}
		return next(ctx, j, files)
	}
}

// lack says what in a document lacks a signature, "" for nothing.
func (f found) lack() string {
	switch {
	case f.unsigned > 0:
		return "the job brings a file without a signature"
	case len(f.claims) == 0:
		return "the job brings no signed file"
	case f.loose != "":
		return fmt.Sprintf("the job names %.256s outside its signed files", withoutQuery(f.loose))
	}
	return ""
}

// String names the file for people, without the secrets of its URL.
func (c claim) String() string {
	if c.name != "" {
		return c.name
	}
	return withoutQuery(c.url)
}

// signers returns the certificates that may have made a signature.
func (v *Verifier) signers(c claim) ([]*x509.Certificate, error) {
	candidates := slices.DeleteFunc(slices.Clone(v.o.Trusted), func(t *x509.Certificate) bool { return t.IsCA })
	if c.certificate != "" {
		chain, err := ParseCertificates([]byte(c.certificate))
		if err != nil {
			return nil, fmt.Errorf("the certificate of %s cannot be read", c)
		}
		if err := v.vouchedFor(chain); err != nil {
			return nil, fmt.Errorf("the certificate of %s is not trusted: %w", c, err)
		}
		candidates = chain[:1]
	}
	now := v.o.Now()
	candidates = slices.DeleteFunc(candidates, func(t *x509.Certificate) bool {
		return !fits(t.PublicKey, c.algorithm) || now.Before(t.NotBefore) || now.After(t.NotAfter)
	})
	if len(candidates) == 0 {
		return nil, fmt.Errorf("this device trusts no valid certificate that could have signed %s", c)
	}
	return candidates, nil
}

// vouchedFor returns an error unless the first certificate of a chain is trusted,
// or is for code signing and the chain leads to a trusted one.
func (v *Verifier) vouchedFor(chain []*x509.Certificate) error {
	leaf := chain[0]
	if slices.ContainsFunc(v.o.Trusted, func(t *x509.Certificate) bool { return !t.IsCA && t.Equal(leaf) }) {
		return nil
	}
	// Verify accepts a certificate without an extended key usage for any usage;
	// certificates of devices have none.
	if !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) {
		return errors.New("it is not for code signing")
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, t := range v.o.Trusted {
		roots.AddCert(t)
	}
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: v.o.Now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	})
	return err
}

// rsaBitsMin is the length of the shortest RSA key that is accepted.
const rsaBitsMin = 2048

// fits reports whether a key signs by an algorithm.
func fits(key crypto.PublicKey, a algorithm) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return a == withECDSA || a == anyAlgorithm
	case *rsa.PublicKey:
		return (a == withRSA || a == anyAlgorithm) && k.N.BitLen() >= rsaBitsMin
	}
	return false
}

// signerOf returns the certificate whose key made a signature, or nil.
func signerOf(digest, signature []byte, candidates []*x509.Certificate) *x509.Certificate {
	for _, c := range candidates {
		switch k := c.PublicKey.(type) {
		case *ecdsa.PublicKey:
			if ecdsa.VerifyASN1(k, digest, signature) {
				return c
			}
		case *rsa.PublicKey:
			if rsa.VerifyPKCS1v15(k, crypto.SHA256, digest, signature) == nil {
				return c
			}
		}
	}
	return nil
}
