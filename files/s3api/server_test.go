package s3api_test

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
	"github.com/muster-iot/muster/sigv4"
)

func TestRefusals(t *testing.T) {
	e := newEnv(t, s3api.Options{}, "", diskstore.Limits{ObjectSize: 1000, Quota: 1500})
	e.must("PUT", "/lab/k", "0123456789")
	long := strings.Repeat("k", 1025)
	for name, test := range map[string]struct {
		method, target, body string
		headers              []string
		status               int
		code                 string
	}{
		"no bucket":               {"GET", "/none", "", nil, 404, "NoSuchBucket"},
		"no object":               {"GET", "/lab/none", "", nil, 404, "NoSuchKey"},
		"no version":              {"GET", "/lab/k?versionId=x", "", nil, 404, "NoSuchVersion"},
		"no upload":               {"GET", "/lab/k?uploadId=00", "", nil, 404, "NoSuchUpload"},
		"no bucket's name":        {"PUT", "/La", "", nil, 400, "InvalidBucketName"},
		"a bucket's name":         {"GET", "/../k", "", nil, 404, "NoSuchBucket"},
		"a long key":              {"PUT", "/lab/" + long, "", nil, 400, "KeyTooLongError"},
		"a key that is no text":   {"PUT", "/lab/%ff", "", nil, 400, "InvalidArgument"},
		"a key with NUL":          {"PUT", "/lab/a%00b", "", nil, 400, "InvalidArgument"},
		"too large":               {"PUT", "/lab/x", strings.Repeat("x", 1001), nil, 400, "EntityTooLarge"},
		"beyond the quota":        {"PUT", "/lab/x", strings.Repeat("x", 1000), nil, 200, ""}, // once …
		"another MD5":             {"PUT", "/lab/x", "x", []string{"Content-MD5: " + base64.StdEncoding.EncodeToString(make([]byte, 16))}, 400, "BadDigest"},
		"no MD5":                  {"PUT", "/lab/x", "x", []string{"Content-MD5: x"}, 400, "InvalidDigest"},
		"another checksum":        {"PUT", "/lab/x", "x", []string{"X-Amz-Checksum-Crc32: AAAAAA=="}, 400, "BadDigest"},
		"two checksums":           {"PUT", "/lab/x", "x", []string{"X-Amz-Checksum-Crc32: a", "X-Amz-Checksum-Sha1: b"}, 400, "InvalidRequest"},
		"an unknown checksum":     {"PUT", "/lab/x", "x", []string{"X-Amz-Checksum-Crc7: a"}, 400, "InvalidRequest"},
		"large metadata":          {"PUT", "/lab/x", "x", []string{"X-Amz-Meta-A: " + strings.Repeat("a", 2048)}, 400, "MetadataTooLarge"},
		"an ACL":                  {"PUT", "/lab/x", "x", []string{"X-Amz-Acl: public-read"}, 501, "NotImplemented"},
		"encryption":              {"PUT", "/lab/x", "x", []string{"X-Amz-Server-Side-Encryption: AES256"}, 501, "NotImplemented"},
		"there already":           {"PUT", "/lab/k", "x", []string{"If-None-Match: *"}, 412, "PreconditionFailed"},
		"not as it must be":       {"PUT", "/lab/k", "x", []string{`If-Match: "ff"`}, 412, "PreconditionFailed"},
		"a part of S3 not here":   {"GET", "/lab?acl", "", nil, 501, "NotImplemented"},
		"another part":            {"PUT", "/lab/k?tagging", "<Tagging/>", nil, 501, "NotImplemented"},
		"a query that is none":    {"GET", "/lab?%zz", "", nil, 400, "InvalidURI"},
		"another method":          {"PATCH", "/lab/k", "", nil, 405, "MethodNotAllowed"},
		"POST of a form":          {"POST", "/lab", "x", nil, 405, "MethodNotAllowed"},
		"no number of keys":       {"GET", "/lab?max-keys=x", "", nil, 400, "InvalidArgument"},
		"no such list":            {"GET", "/lab?list-type=3", "", nil, 400, "InvalidArgument"},
		"no such token":           {"GET", "/lab?list-type=2&continuation-token=*", "", nil, 400, "InvalidArgument"},
		"no such encoding":        {"GET", "/lab?encoding-type=x", "", nil, 400, "InvalidArgument"},
		"no XML":                  {"POST", "/lab?delete", "x", nil, 400, "MalformedXML"},
		"nothing to delete":       {"POST", "/lab?delete", "<Delete/>", nil, 400, "MalformedXML"},
		"no versioning":           {"PUT", "/lab?versioning", "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", nil, 400, "InvalidArgument"},
		"no source to copy":       {"PUT", "/lab/x", "", []string{"X-Amz-Copy-Source: lab"}, 400, "InvalidArgument"},
		"a source that is gone":   {"PUT", "/lab/x", "", []string{"X-Amz-Copy-Source: lab/none"}, 404, "NoSuchKey"},
		"a part without a number": {"PUT", "/lab/k?uploadId=00", "x", nil, 400, "InvalidArgument"},
		"a range beyond the end":  {"GET", "/lab/k", "", []string{"Range: bytes=10-"}, 416, "InvalidRange"},
		"a part by its number":    {"GET", "/lab/k?partNumber=1", "", nil, 501, "NotImplemented"},
	} {
		t.Run(name, func(t *testing.T) {
			got := e.send(e.signed(admin, test.method, test.target, test.body, test.headers...))
			if got.status != test.status || test.code != "" && !strings.Contains(got.body, "<Error><Code>"+test.code+"</Code><Message>") {
				t.Errorf("%s %s = %s, want %d %s", test.method, test.target, got, test.status, test.code)
			}
			if id := got.header.Get("X-Amz-Request-Id"); id == "" || test.code != "" && !strings.Contains(got.body, "<RequestId>"+id+"</RequestId>") {
				t.Errorf("%s %s = %s, want one with its request id", test.method, test.target, got)
			}
		})
	}
	got := e.send(e.signed(admin, "PUT", "/lab/y", strings.Repeat("y", 1000)))
	if got.status != 403 || !strings.Contains(got.body, "QuotaExceeded") {
		t.Errorf("PUT into a full store = %s, want 403 QuotaExceeded", got)
	}
	if got := e.send(e.signed(admin, "HEAD", "/lab/none", "")); got.status != 404 || got.body != "" {
		t.Errorf("HEAD of nothing = %s, want 404 without a body", got)
	}
}

func TestSignatures(t *testing.T) {
	e := newEnv(t, s3api.Options{}, nothing, diskstore.Limits{})
	e.must("PUT", "/lab/k", "text")
	signed := func(change func(r *http.Request)) *http.Request {
		r := e.signed(admin, "GET", "/lab/k", "")
		change(r)
		return r
	}
	presigned := func(c sigv4.Credential, life time.Duration, at time.Time) *http.Request {
		r := e.request("GET", "/lab/k", "")
		sigv4.Presign(r, c, region, "s3", life, at)
		return r
	}
	replaced := func(r *http.Request, old, with string) *http.Request {
		if signed := r.Header.Get("Authorization"); signed != "" {
			r.Header.Set("Authorization", strings.Replace(signed, old, with, 1))
		}
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, old, with, 1)
		return r
	}
	now := time.Now()
	for name, test := range map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"as it should be": {signed(func(*http.Request) {}), 200, ""},
		"nobody's":        {e.request("GET", "/lab/k", ""), 403, "AccessDenied"},
		"another path":    {signed(func(r *http.Request) { r.URL.Path = "/lab/other" }), 403, "SignatureDoesNotMatch"},
		"an unknown key":  {e.signed(sigv4.Credential{AccessKeyID: "AKIDNONE", Secret: "x"}, "GET", "/lab/k", ""), 403, "InvalidAccessKeyId"},
		"another region":  {replaced(signed(func(*http.Request) {}), region, "us-east-1"), 400, "AuthorizationHeaderMalformed"},
		"an old one":      {signed(func(r *http.Request) { sigv4.Sign(r, nil, admin, region, "s3", now.Add(-time.Hour)) }), 403, "RequestTimeTooSkewed"},
		"another body": {signed(func(r *http.Request) {
			r.Method, r.Body = "PUT", io.NopCloser(strings.NewReader("x"))
			r.ContentLength = 1
			sigv4.Sign(r, []byte("y"), admin, region, "s3", now)
		}), 400, "XAmzContentSHA256Mismatch"},
		"presigned":              {presigned(admin, time.Minute, now), 200, ""},
		"presigned, over":        {presigned(admin, time.Minute, now.Add(-2*time.Minute)), 403, "AccessDenied"},
		"presigned, other scope": {replaced(presigned(admin, time.Minute, now), region, "us-east-1"), 400, "AuthorizationQueryParametersError"},
		"presigned, other life":  {replaced(presigned(admin, time.Minute, now), "X-Amz-Expires=60", "X-Amz-Expires=61"), 403, "SignatureDoesNotMatch"},
		"our own":                {presigned(own, time.Minute, now), 200, ""},
		"our own, over":          {presigned(own, time.Minute, now.Add(-2*time.Minute)), 403, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			got := e.send(test.r)
			if got.status != test.status || test.code != "" && !strings.Contains(got.body, "<Code>"+test.code+"</Code>") {
				t.Errorf("%s %s = %s, want %d %s", test.r.Method, test.r.URL, got, test.status, test.code)
			}
		})
	}
}

// URLs signed by the deployment expire by the clock of jobs, and those signed by access
// keys by real time.
func TestTheClockOfTheJobs(t *testing.T) {
	e := newEnv(t, s3api.Options{}, nothing, diskstore.Limits{})
	e.must("PUT", "/lab/k", "text")
	e.skip = 365 * 24 * time.Hour
	for c, at := range map[sigv4.Credential]time.Time{own: time.Now().Add(e.skip), admin: time.Now()} {
		r := e.request("GET", "/lab/k", "")
		sigv4.Presign(r, c, region, "s3", time.Minute, at)
		if got := e.send(r); got.status != 200 {
			t.Errorf("GET with a URL of %s = %s", c.AccessKeyID, got)
		}
	}
	r := e.request("GET", "/lab/k", "")
	sigv4.Presign(r, own, region, "s3", time.Minute, time.Now())
	if got := e.send(r); got.status != 403 {
		t.Errorf("GET with a URL that ended a year ago = %s", got)
	}
}

// legacy presigns with signature version 2, for a minute.
func legacy(c sigv4.Credential, method, target, contentType string) string {
	expires := time.Now().Unix() + 60
	mac := hmac.New(sha1.New, []byte(c.Secret))
	fmt.Fprintf(mac, "%s\n\n%s\n%d\n%s", method, contentType, expires, target)
	return fmt.Sprintf("AWSAccessKeyId=%s&Signature=%s&Expires=%d", c.AccessKeyID, url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))), expires)
}

func TestLegacyPresigned(t *testing.T) {
	e := newEnv(t, s3api.Options{}, nothing, diskstore.Limits{})
	put := e.request("PUT", "/lab/a%20b?"+legacy(admin, "PUT", "/lab/a%20b", "text/x"), "text")
	put.Header.Set("Content-Type", "text/x")
	if got := e.send(put); got.status != 200 {
		t.Errorf("PUT = %s", got)
	}
	if got := e.send(e.request("GET", "/lab/a%20b?"+legacy(admin, "GET", "/lab/a%20b", ""), "")); got.body != "text" {
		t.Errorf("GET = %s", got)
	}
	override := "response-content-type=text%2Fy"
	if got := e.send(e.request("GET", "/lab/a%20b?"+override+"&"+legacy(admin, "GET", "/lab/a%20b?response-content-type=text/y", ""), "")); got.header.Get("Content-Type") != "text/y" {
		t.Errorf("GET as another type = %s", got)
	}
	if got := e.send(e.request("GET", "/lab?"+legacy(admin, "GET", "/lab", ""), "")); got.status != 403 {
		t.Errorf("GET of a bucket = %s, want 403", got)
	}
	if got := e.send(e.request("GET", "/lab/a%20b?"+legacy(limited, "GET", "/lab/a%20b", ""), "")); got.status != 403 {
		t.Errorf("GET by one who may not = %s, want 403", got)
	}
	for name, test := range map[string]struct {
		query  string
		status int
		code   string
	}{
		"another signature": {"AWSAccessKeyId=AKIDADMIN&Signature=AAAA&Expires=" + fmt.Sprint(time.Now().Unix()+60), 403, "SignatureDoesNotMatch"},
		"over":              {"AWSAccessKeyId=AKIDADMIN&Signature=AAAA&Expires=1175139620", 403, "AccessDenied"},
		"for ever":          {"AWSAccessKeyId=AKIDADMIN&Signature=AAAA&Expires=9999999999", 403, "AccessDenied"},
		"an unknown key":    {"AWSAccessKeyId=AKIDNONE&Signature=AAAA&Expires=1175139620", 403, "InvalidAccessKeyId"},
		"our own key":       {"AWSAccessKeyId=AKIDOWN&Signature=AAAA&Expires=1175139620", 403, "InvalidAccessKeyId"},
		"no end":            {"AWSAccessKeyId=AKIDADMIN&Signature=AAAA&Expires=x", 403, "AccessDenied"},
	} {
		if got := e.send(e.request("GET", "/lab/a%20b?"+test.query, "")); got.status != test.status || !strings.Contains(got.body, test.code) {
			t.Errorf("%s: %s, want %d %s", name, got, test.status, test.code)
		}
	}
}

func TestAccess(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::lab/mine/*"},
		{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::lab/mine/kept"},
		{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::lab","Condition":{"StringLike":{"s3:prefix":"mine/*"}}}]}`
	e := newEnv(t, s3api.Options{}, policy, diskstore.Limits{})
	e.must("PUT", "/lab/mine/kept", "text")
	e.must("PUT", "/lab/theirs", "text")
	for _, test := range []struct {
		method, target, body string
		headers              []string
		status               int
	}{
		{"GET", "/lab/mine/kept", "", nil, 200},
		{"PUT", "/lab/mine/new", "x", nil, 200},
		{"DELETE", "/lab/mine/new", "", nil, 204},
		{"DELETE", "/lab/mine/kept", "", nil, 403},
		{"GET", "/lab/theirs", "", nil, 403},
		{"HEAD", "/lab/theirs", "", nil, 403},
		{"GET", "/lab/mine/../theirs", "", nil, 404}, // a key like any other
		{"GET", "/lab/mine/kept?versionId=null", "", nil, 403},
		{"PUT", "/lab/mine/copy", "", []string{"X-Amz-Copy-Source: lab/theirs"}, 403},
		{"PUT", "/lab/mine/copy", "", []string{"X-Amz-Copy-Source: lab/mine/kept"}, 200},
		{"GET", "/lab?list-type=2&prefix=mine/", "", nil, 200},
		{"GET", "/lab?list-type=2", "", nil, 403},
		{"GET", "/", "", nil, 403},
		{"PUT", "/other", "", nil, 403},
		{"DELETE", "/lab", "", nil, 403},
		{"PUT", "/lab?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", nil, 403},
	} {
		if got := e.send(e.signed(limited, test.method, test.target, test.body, test.headers...)); got.status != test.status {
			t.Errorf("%s %s = %s, want %d", test.method, test.target, got, test.status)
		}
	}
	got := e.send(e.signed(limited, "POST", "/lab?delete", "<Delete><Object><Key>mine/kept</Key></Object><Object><Key>mine/copy</Key></Object><Object><Key>theirs</Key></Object></Delete>"))
	if strings.Count(got.body, "<Deleted>") != 1 || strings.Count(got.body, "<Code>AccessDenied</Code>") != 2 {
		t.Errorf("DeleteObjects = %s, want one deleted and two denied", got)
	}
	r := e.request("GET", "/lab/theirs", "")
	sigv4.Presign(r, limited, region, "s3", time.Minute, time.Now())
	if got := e.send(r); got.status != 403 || !strings.Contains(got.body, "not authorized to perform: s3:GetObject on resource: arn:aws:s3:::lab/theirs") {
		t.Errorf("GET with a URL of one who may not = %s", got)
	}
}

func TestRangesAndConditions(t *testing.T) {
	e := newEnv(t, s3api.Options{}, nothing, diskstore.Limits{})
	e.must("PUT", "/lab/k", "0123456789", "Content-Type: text/html", "X-Amz-Meta-By: me")
	e.must("PUT", "/lab/empty", "")
	head := e.must("HEAD", "/lab/k", "")
	etag, modified := head.header.Get("ETag"), head.header.Get("Last-Modified")
	if want := fmt.Sprintf(`"%x"`, md5.Sum([]byte("0123456789"))); etag != want || head.header.Get("Content-Length") != "10" {
		t.Errorf("HEAD = %s, want the ETag %s and 10 bytes", head, want)
	}
	for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options"} {
		if head.header.Get(name) == "" {
			t.Errorf("a page that somebody uploaded comes without %s", name)
		}
	}
	for _, test := range []struct {
		key     string
		headers []string
		status  int
		body    string
		extent  string
	}{
		{"k", []string{"Range: bytes=2-4"}, 206, "234", "bytes 2-4/10"},
		{"k", []string{"Range: bytes=8-"}, 206, "89", "bytes 8-9/10"},
		{"k", []string{"Range: bytes=8-99"}, 206, "89", "bytes 8-9/10"},
		{"k", []string{"Range: bytes=-3"}, 206, "789", "bytes 7-9/10"},
		{"k", []string{"Range: bytes=-99"}, 206, "0123456789", "bytes 0-9/10"},
		{"k", []string{"Range: bytes=-0"}, 416, "", "bytes */10"},
		{"k", []string{"Range: bytes=10-"}, 416, "", "bytes */10"},
		{"empty", []string{"Range: bytes=0-"}, 416, "", "bytes */0"},
		{"empty", nil, 200, "", ""},
		{"k", []string{"Range: bytes=0-1,4-5"}, 200, "0123456789", ""},
		{"k", []string{"Range: bytes=4-2"}, 200, "0123456789", ""},
		{"k", []string{"Range: lines=1-2"}, 200, "0123456789", ""},
		{"k", []string{"Range: bytes=0-1", "If-Range: " + etag}, 206, "01", "bytes 0-1/10"},
		{"k", []string{"Range: bytes=0-1", `If-Range: "other"`}, 200, "0123456789", ""},
		{"k", []string{"Range: bytes=0-1", "If-Range: " + modified}, 206, "01", "bytes 0-1/10"},
		{"k", []string{"If-Match: " + etag}, 200, "0123456789", ""},
		{"k", []string{`If-Match: "other"`}, 412, "", ""},
		{"k", []string{"If-Match: *"}, 200, "0123456789", ""},
		{"k", []string{"If-None-Match: " + etag}, 304, "", ""},
		{"k", []string{`If-None-Match: "other", ` + etag}, 304, "", ""},
		{"k", []string{`If-None-Match: "other"`}, 200, "0123456789", ""},
		{"k", []string{"If-Modified-Since: " + modified}, 304, "", ""},
		{"k", []string{"If-Modified-Since: Fri, 02 Jan 2015 03:04:05 GMT"}, 200, "0123456789", ""},
		{"k", []string{"If-Unmodified-Since: Fri, 02 Jan 2015 03:04:05 GMT"}, 412, "", ""},
		{"k", []string{"If-Unmodified-Since: " + modified}, 200, "0123456789", ""},
		{"k", []string{"If-Match: " + etag, "If-Unmodified-Since: Fri, 02 Jan 2015 03:04:05 GMT"}, 200, "0123456789", ""},
		{"k", []string{`If-None-Match: "other"`, "If-Modified-Since: " + modified}, 200, "0123456789", ""},
	} {
		got := e.send(e.signed(admin, "GET", "/lab/"+test.key, "", test.headers...))
		if got.status != test.status || got.status < 300 && got.body != test.body || got.header.Get("Content-Range") != test.extent {
			t.Errorf("GET %s with %q = %s, want %d %q %s", test.key, test.headers, got, test.status, test.body, test.extent)
		}
		if got.status < 300 && got.header.Get("X-Amz-Meta-By") != "me" && test.key == "k" {
			t.Errorf("GET %s with %q = %s, without its metadata", test.key, test.headers, got)
		}
	}
}

func TestAuthNone(t *testing.T) {
	e := newEnv(t, s3api.Options{AuthNone: true}, "", diskstore.Limits{})
	if got := e.send(e.request("PUT", "/lab/k", "text")); got.status != 200 {
		t.Errorf("PUT without a signature = %s", got)
	}
	chunks := e.request("PUT", "/lab/chunks", "4;chunk-signature=00\r\ntext\r\n0;chunk-signature=00\r\n\r\n")
	chunks.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
	chunks.Header.Set("X-Amz-Decoded-Content-Length", "4")
	if got := e.send(chunks); got.status != 200 {
		t.Errorf("PUT of chunks that nobody checks = %s", got)
	}
	for _, key := range []string{"k", "chunks"} {
		if got := e.send(e.request("GET", "/lab/"+key, "")); got.body != "text" {
			t.Errorf("GET %s = %s", key, got)
		}
	}
	page := e.request("GET", "/lab/k", "")
	page.Header.Set("Origin", "https://example.com")
	if got := e.send(page); got.status != 403 {
		t.Errorf("GET by a page of another site = %s", got)
	}
	rebound := e.request("GET", "/lab/k", "")
	rebound.Host = "example.com"
	if got := e.send(rebound); got.status != 403 {
		t.Errorf("GET by another name = %s", got)
	}
}

// The bucket may be prepended to a configured host name.
func TestVirtualHosts(t *testing.T) {
	e := newEnv(t, s3api.Options{Hosts: []string{"example.com", "files.example.com", "127.0.0.1"}}, "", diskstore.Limits{})
	base, err := url.Parse("http://files.example.com")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := files.Endpoint{URL: base, VirtualHosted: true, Region: region, Credential: func() sigv4.Credential { return own }}
	o := files.Object{Bucket: "lab", Key: "a/b c"}
	for _, method := range []string{"PUT", "GET"} {
		signed := endpoint.PresignGet(o, time.Minute, time.Now())
		if method == "PUT" {
			signed = endpoint.PresignPut(o, time.Minute, time.Now())
		}
		u, err := url.Parse(signed)
		if err != nil {
			t.Fatal(err)
		}
		r := e.request(method, u.RequestURI(), "text")
		r.Host = u.Host
		if got := e.send(r); got.status != 200 {
			t.Errorf("%s %s = %s", method, signed, got)
		}
	}
	if got := e.must("GET", "/lab/a/b%20c", ""); got.body != "text" {
		t.Errorf("the object by its path is %s", got)
	}
	r := e.request("GET", "/lab/a/b%20c", "")
	r.Host = "FILES.example.com:443" // ends in example.com, but is itself configured, so FILES is no bucket
	sigv4.Sign(r, nil, admin, region, "s3", time.Now())
	if got := e.send(r); got.body != "text" {
		t.Errorf("the object by its path at the name itself is %s", got)
	}
}

// Bodies up to the limit are received at once, and further clients are told to slow down.
func TestUploadsAtATime(t *testing.T) {
	e := newEnv(t, s3api.Options{Limits: s3api.Limits{Uploads: 1}}, "", diskstore.Limits{})
	body, feed := io.Pipe()
	slow := e.request("PUT", "/lab/slow", "")
	slow.Body, slow.ContentLength = body, 4
	slow.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	sigv4.Sign(slow, nil, admin, region, "s3", time.Now())
	done := make(chan reply, 1)
	go func() { done <- e.send(slow) }()
	if _, err := feed.Write([]byte("te")); err != nil { // the server reads, so it has taken the slot
		t.Fatal(err)
	}
	for e.files.Used() < 2 {
		time.Sleep(time.Millisecond)
	}
	if got := e.send(e.signed(admin, "PUT", "/lab/other", "x")); got.status != 503 || !strings.Contains(got.body, "SlowDown") {
		t.Errorf("PUT while another is under way = %s, want SlowDown", got)
	}
	feed.Write([]byte("xt"))
	feed.Close()
	if got := <-done; got.status != 200 {
		t.Errorf("the slow PUT = %s", got)
	}
	if got := e.send(e.signed(admin, "PUT", "/lab/other", "x")); got.status != 200 {
		t.Errorf("PUT after it = %s", got)
	}
}

// A client that sends too slowly is disconnected, and nothing of its object is stored.
func TestPatience(t *testing.T) {
	late := func() time.Time { return time.Now().Add(-2 * time.Minute) } // so that patience is over at once
	e := newEnv(t, s3api.Options{Now: late}, nothing, diskstore.Limits{})
	body, feed := io.Pipe()
	defer feed.Close()
	r := e.request("PUT", "/lab/slow", "")
	r.Body, r.ContentLength = body, 4
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	sigv4.Sign(r, nil, admin, region, "s3", time.Now())
	if got := e.send(r); got.status != 400 || !strings.Contains(got.body, "RequestTimeout") {
		t.Errorf("PUT of a body that does not come = %s, want RequestTimeout", got)
	}
	if e.files.Used() != 0 {
		t.Errorf("%d bytes are left of it", e.files.Used())
	}
}

func TestClaims(t *testing.T) {
	for name, test := range map[string]struct {
		target, authorization string
		want                  bool
	}{
		"signed for S3":            {"/things", "AWS4-HMAC-SHA256 Credential=A/20260102/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=00", true},
		"signed for the registry":  {"/things", "AWS4-HMAC-SHA256 Credential=A/20260102/eu-west-1/iot/aws4_request, SignedHeaders=host, Signature=00", false},
		"presigned for S3":         {"/healthz?X-Amz-Credential=A%2F20260102%2Feu-west-1%2Fs3%2Faws4_request", "", true},
		"presigned for MQTT":       {"/mqtt?X-Amz-Credential=A%2F20260102%2Feu-west-1%2Fiotdevicegateway%2Faws4_request", "", false},
		"presigned in the old way": {"/lab/k?AWSAccessKeyId=A&Signature=x&Expires=1", "", true},
		"not signed":               {"/lab/k?prefix=s3/aws4_request", "", false},
		"a bearer":                 {"/lab/k", "Bearer /s3/aws4_request,", false},
	} {
		r, err := http.NewRequest("GET", "http://127.0.0.1"+test.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.authorization != "" {
			r.Header.Set("Authorization", test.authorization)
		}
		if got := s3api.Claims(r); got != test.want {
			t.Errorf("%s: Claims() = %v, want %v", name, got, test.want)
		}
	}
}
