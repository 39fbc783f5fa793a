package files

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/muster-iot/muster"
)

// urlMax is the longest URL that is parsed, in bytes: enough for an escaped key of
// maximum length.
const urlMax = 4096

// Find returns what a URL names. It accepts s3://bucket/key; a URL of Amazon S3,
// path-style or virtual-hosted, which means this store (jobs-control-plane.md section
// 6.1); and a URL of this endpoint in either style. Each may have the query
// versionId=… and no other. Every other URL is an Invalid error, which may be shown.
// The store is not asked: what is named need not exist.
//
// The key may be empty, which some uploads allow (section 6.4). Otherwise bucket and
// key are valid by CheckBucket and CheckKey.
func (e *Endpoint) Find(rawURL string) (Address, error) {
	a, err := e.parse(rawURL)
	if err == nil {
		err = CheckBucket(a.Bucket)
	}
	if err == nil && a.Key != "" {
		err = CheckKey(a.Key)
	}
	if err != nil {
		return Address{}, err
	}
	return a, nil
}

func (e *Endpoint) parse(rawURL string) (Address, error) {
	if len(rawURL) > urlMax {
		return Address{}, muster.Errorf(muster.Invalid, "A URL of an object has at most %d bytes; this one has %d", urlMax, len(rawURL))
	}
	if plain, ok := strings.CutPrefix(rawURL, "s3://"); ok {
		return plainName(plain), nil
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Opaque != "" || u.User != nil || u.Fragment != "" {
		return Address{}, muster.Errorf(muster.Invalid, "%.200q is not the URL of an object", rawURL)
	}
	a := Address{}
	path := strings.TrimPrefix(u.Path, "/")
	bucket, ok := e.bucketOfHost(u, &a.Region)
	if !ok {
		return a, muster.Errorf(muster.Invalid, "%.200q is not a URL of the store of job files", rawURL)
	}
	if bucket == "" {
		bucket, path, _ = strings.Cut(path, "/")
	}
	a.Bucket, a.Key = bucket, path
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(query) > 1 || len(query) == 1 && len(query["versionId"]) != 1 {
		return a, muster.Errorf(muster.Invalid, "%.200q has a query; only versionId may be there", rawURL)
	}
	a.Version = query.Get("versionId")
	return a, nil
}

// plainName parses the part of a URL after s3://, in which nothing is escaped.
func plainName(text string) Address {
	const version = "?versionId="
	a := Address{}
	a.Bucket, a.Key, _ = strings.Cut(text, "/")
	if at := strings.LastIndex(a.Key, version); at >= 0 {
		a.Key, a.Version = a.Key[:at], a.Key[at+len(version):]
	}
	return a
}

// amazonHosts matches the hosts of Amazon S3: an optional bucket and an optional
// region, in the forms of older and newer regions.
var amazonHosts = regexp.MustCompile(`^(?:(.+)\.)?s3(?:[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}))?\.amazonaws\.com(?:\.cn)?$`)

// bucketOfHost reports whether u is a URL of this store, and returns the bucket in its
// host; empty when the bucket is in the path. It sets region from an Amazon host.
func (e *Endpoint) bucketOfHost(u *url.URL, region *string) (bucket string, ok bool) {
	host := hostOf(u)
	for _, base := range append([]*url.URL{e.URL}, e.Aliases...) {
		if u.Scheme != base.Scheme {
			continue
		}
		if host == hostOf(base) {
			return "", true
		}
		if bucket, ok := strings.CutSuffix(host, "."+hostOf(base)); ok && bucket != "" {
			return bucket, true
		}
	}
	if m := amazonHosts.FindStringSubmatch(strings.ToLower(u.Host)); m != nil && u.Scheme == "https" {
		*region = m[2]
		return m[1], true
	}
	return "", false
}

// hostOf returns the host and port of u, the port always spelt out.
func hostOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}
