package files

import (
	"net/http"
	"net/url"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// LifeMax is the longest that a presigned URL can count.
const LifeMax = 7 * 24 * time.Hour

// Endpoint is where clients find the store, and what is signed for them with.
// Its fields are set once; then it may be used by many goroutines.
type Endpoint struct {
	// URL is the base under which devices reach the store: a scheme and a host.
	URL *url.URL
	// Aliases are further bases that mean the same store in URLs that are
	// found; none is ever handed out.
	Aliases []*url.URL
	// VirtualHosted puts the bucket in front of the host of URL, instead of in
	// the path, in URLs that are handed out. Both are found.
	VirtualHosted bool
	// Region is what requests are signed for.
	Region string
	// Credential returns the key that signs. It must not block.
	Credential func() sigv4.Credential
}

// PresignGet returns a URL with which anybody can GET o for life from the
// instant now. life is in whole seconds and is cut to 1 s … LifeMax. It asks
// nobody: the object need not exist.
func (e *Endpoint) PresignGet(o Object, life time.Duration, now time.Time) string {
	return e.presign(http.MethodGet, o, life, now)
}

// PresignPut is PresignGet for a URL with which anybody can PUT o, whatever its
// size. The version of o is not looked at.
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

// location returns the plain URL of an object.
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
