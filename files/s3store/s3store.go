// Package s3store reads job files from a store elsewhere with the S3 API: that of
// Amazon, MinIO, Ceph, or another Muster. It never writes: devices upload to the
// store directly, with the URLs that package files presigns.
package s3store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/internal/secretfile"
	"github.com/muster-iot/muster/sigv4"
)

// Options are the parts of a Store. Endpoint, Region and Credentials are required.
type Options struct {
	Endpoint      *url.URL // a scheme and a host
	Region        string
	VirtualHosted bool // the bucket is prepended to the host
	// Credentials is an AWS shared-credentials file with the key in its default
	// profile. A file that others may read is refused.
	Credentials string
	// CA is a PEM file of CAs to trust in addition to the system's; empty for none.
	CA string
}

const (
	// responseTimeout bounds the time until an answer of the store begins.
	responseTimeout = 10 * time.Second
	attempts        = 2 // of each request
)

// Store is a store elsewhere. Its methods may be called by many goroutines.
type Store struct {
	client *s3.Client
	key    sigv4.Credential
}

var _ files.Objects = (*Store)(nil)

// Open reads the key and prepares the client. It sends no request yet. Variables of the
// environment have no effect.
func Open(ctx context.Context, o Options) (*Store, error) {
	key, err := readKey(ctx, o.Credentials)
	if err != nil {
		return nil, fmt.Errorf("credentials of the store of job files: %w", err)
	}
	transport, err := transport(o.CA)
	if err != nil {
		return nil, fmt.Errorf("CA of the store of job files: %w", err)
	}
	return &Store{
		key: key,
		client: s3.New(s3.Options{
			BaseEndpoint:     aws.String(o.Endpoint.String()),
			Region:           o.Region,
			UsePathStyle:     !o.VirtualHosted,
			Credentials:      credentials.NewStaticCredentialsProvider(key.AccessKeyID, string(key.Secret), string(key.SessionToken)),
			RetryMaxAttempts: attempts,
			HTTPClient:       &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		}),
	}, nil
}

// Credential returns the access key for the store.
func (s *Store) Credential() sigv4.Credential { return s.key }

// readKey reads the default profile of a private file.
func readKey(ctx context.Context, file string) (sigv4.Credential, error) {
	info, err := os.Stat(file)
	if err != nil {
		return sigv4.Credential{}, err
	}
	if err := secretfile.Check(file, info); err != nil {
		return sigv4.Credential{}, err
	}
	profile, err := config.LoadSharedConfigProfile(ctx, "default", func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles, o.ConfigFiles = []string{file}, []string{}
	})
	if err != nil || !profile.Credentials.HasKeys() {
		return sigv4.Credential{}, fmt.Errorf("%s has no key in its default profile", file)
	}
	c := profile.Credentials
	return sigv4.Credential{AccessKeyID: c.AccessKeyID, Secret: sigv4.Secret(c.SecretAccessKey), SessionToken: sigv4.Secret(c.SessionToken)}, nil
}

// transport returns an HTTP transport that uses no proxy of the environment.
func transport(caFile string) (*http.Transport, error) {
	t := &http.Transport{
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: responseTimeout, ResponseHeaderTimeout: responseTimeout,
	}
	if caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", caFile)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}

// CheckBucket returns nil when the bucket exists.
func (s *Store) CheckBucket(ctx context.Context, bucket string) error {
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	return classify(err, "The bucket "+bucket)
}

// Stat describes an object.
func (s *Store) Stat(ctx context.Context, o files.Object) (files.Info, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &o.Bucket, Key: &o.Key, VersionId: optional(o.Version)})
	if err != nil {
		return files.Info{}, classify(err, "The object "+o.Key)
	}
	return info(out.ContentLength, out.ETag, out.ContentType, out.VersionId, out.LastModified), nil
}

// Open returns an object of at most limit bytes.
func (s *Store) Open(ctx context.Context, o files.Object, limit int64) (io.ReadCloser, files.Info, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.Bucket, Key: &o.Key, VersionId: optional(o.Version)})
	if err != nil {
		return nil, files.Info{}, classify(err, "The object "+o.Key)
	}
	if out.ContentLength == nil || *out.ContentLength > limit {
		out.Body.Close()
		return nil, files.Info{}, muster.Errorf(muster.LimitExceeded, "The object %s has %d bytes; at most %d are allowed", o.Key, aws.ToInt64(out.ContentLength), limit)
	}
	body := struct {
		io.Reader
		io.Closer
	}{io.LimitReader(out.Body, *out.ContentLength), out.Body}
	return body, info(out.ContentLength, out.ETag, out.ContentType, out.VersionId, out.LastModified), nil
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func info(size *int64, etag, contentType, version *string, modified *time.Time) files.Info {
	i := files.Info{
		Size: aws.ToInt64(size), ETag: aws.ToString(etag), ContentType: aws.ToString(contentType),
		Version: aws.ToString(version), Modified: aws.ToTime(modified).UTC(),
	}
	if i.Version == "null" {
		i.Version = ""
	}
	return i
}

// classify returns an error of the store as a *muster.Error of the kind that fits. The
// sentence that is shown begins with what, the thing that was asked for; the store's own
// error is for the log only.
func classify(err error, what string) error {
	if err == nil {
		return nil
	}
	status := 0
	var response interface{ HTTPStatusCode() int }
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed: // the latter for a delete marker
		return &muster.Error{Kind: muster.NotFound, Msg: what + " does not exist in the store of job files", Err: err}
	case http.StatusForbidden, http.StatusUnauthorized:
		return &muster.Error{Kind: muster.Forbidden, Msg: what + " must not be read, says the store of job files", Err: err}
	case http.StatusBadRequest, http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		return &muster.Error{Kind: muster.Invalid, Msg: what + " cannot be had from the store of job files", Err: err}
	}
	return &muster.Error{Kind: muster.Unavailable, Msg: "The store of job files cannot be asked just now", Err: err}
}
