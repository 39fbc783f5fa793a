package files

import (
	"net/http"
	"net/url"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// LifeMax is the longest life of a presigned URL.
const LifeMax = 7 * 24 * time.Hour

// Endpoint is the URL of the store for clients, and the key with which URLs are signed
// for them. Its fields are set once; then it may be used by many goroutines.
type Endpoint struct {
	// URL is the base under which devices reach the store: a scheme and a host.
	URL *url.URL
	// Aliases are further bases that Find accepts. They are not used in presigned
	// URLs.
	Aliases []*url.URL
	// VirtualHosted puts the bucket into the host of presigned URLs, as its first
	// label, instead of into the path. Find accepts both.
	VirtualHosted bool
	// Region is the region in the scope of signatures.
	Region string
	// Credential returns the key that signs. It must not block.
	Credential func() sigv4.Credential
}

// PresignGet returns a URL with which anybody can GET o for life from the instant now.
// life is in whole seconds, raised to 1 s and reduced to LifeMax. The store is not
// asked: the object need not exist.
func (e *Endpoint) PresignGet(o Object, life time.Duration, now time.Time) string {
	return e.presign(http.MethodGet, o, life, now)
}

// PresignPut is PresignGet for a URL with which anybody can PUT o, of any size. The
// version of o is ignored.
func (e *Endpoint) PresignPut(o Object, life time.Duration, now time.Time) string {
	o.Version = ""
	return e.presign(http.MethodPut, o, life, now)
}

func (e *Endpoint) presign(method string, o Object, life time.Duration, now time.Time) string {
	r := &http.Request{Method: method, URL: e.location(o), Header: http.Header{}}
	life = min(max(life, time.Second), LifeMax)
	sigv4.Presign(r, e.Credential(), e.Region, "s3", life, now)
	return r.URL.String()
}

// location returns the URL of an object without a signature.
func (e *Endpoint) location(o Object) *url.URL {
	u := &url.URL{Scheme: e.URL.Scheme, Host: e.URL.Host, Path: "/" + o.Key, RawPath: "/" + sigv4.EscapePath(o.Key)}
	if e.VirtualHosted {
		u.Host = o.Bucket + "." + u.Host
	} else {
		u.Path, u.RawPath = "/"+o.Bucket+u.Path, "/"+o.Bucket+u.RawPath
	}
	if o.Version != "" {
		u.RawQuery = url.Values{"versionId": {o.Version}}.Encode()
	}
	return u
}
