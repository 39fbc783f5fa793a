package s3api_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
	"github.com/muster-iot/muster/sigv4"
)

// presigned returns a request presigned by c, to which headers such as "Range: bytes=0-"
// were added afterwards.
func (e *env) presigned(c sigv4.Credential, method, target, body string, headers ...string) *http.Request {
	e.t.Helper()
	r := e.request(method, target, body)
	sigv4.Presign(r, c, region, "s3", time.Minute, time.Now())
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// legacy returns a request presigned by c with signature version 2, to whose query more
// was added afterwards.
func (e *env) legacy(c sigv4.Credential, method, target, more string) *http.Request {
	e.t.Helper()
	until := time.Now().Add(time.Minute).Unix()
	mac := hmac.New(sha1.New, []byte(c.Secret))
	fmt.Fprintf(mac, "%s\n\n\n%d\n%s", method, until, target)
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	return e.request(method, fmt.Sprintf("%s%sAWSAccessKeyId=%s&Expires=%d&Signature=%s%s", target, separator, c.AccessKeyID, until,
		url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))), more), "")
}

// The holder of a presigned URL can choose the body only: a header that would change the
// operation must have been signed, as on S3.
func TestHeadersOfThisAPIMustBeSigned(t *testing.T) {
	digest := sha256.Sum256([]byte("log"))
	for name, test := range map[string]struct {
		header string
		status int
	}{
		"none":                        {"", 200},
		"a copy":                      {"X-Amz-Copy-Source: lab/secret", 403},
		"a copy, another spelling":    {"x-amz-COPY-source: /lab/secret", 403},
		"a copy of a range":           {"X-Amz-Copy-Source-Range: bytes=0-1", 403},
		"metadata":                    {"X-Amz-Meta-Owner: me", 403},
		"a directive":                 {"X-Amz-Metadata-Directive: REPLACE", 403},
		"an ACL":                      {"X-Amz-Acl: private", 403},
		"tags":                        {"X-Amz-Tagging: a=b", 403},
		"a storage class":             {"X-Amz-Storage-Class: STANDARD", 403},
		"a checksum":                  {"X-Amz-Checksum-Crc32: AAAAAA==", 403},
		"an algorithm":                {"X-Amz-Sdk-Checksum-Algorithm: CRC32", 403},
		"a trailer":                   {"X-Amz-Trailer: x-amz-checksum-crc32", 403},
		"a length":                    {"X-Amz-Decoded-Content-Length: 3", 403},
		"a date":                      {"X-Amz-Date: 20260102T030405Z", 403},
		"a token":                     {"X-Amz-Security-Token: t", 403},
		"a header that is to come":    {"X-Amz-Not-Yet-Invented: x", 403},
		"what the body is":            {"X-Amz-Content-Sha256: " + hex.EncodeToString(digest[:]), 200},
		"what the body is not":        {"X-Amz-Content-Sha256: " + strings.Repeat("0", 64), 400},
		"chunks":                      {"X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", 400},
		"a type, which nobody signed": {"Content-Type: text/plain", 200},
		"a header of another kind":    {"X-Amzn-Trace-Id: Root=1", 200},
		"a condition":                 {"If-None-Match: *", 200},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, s3api.Options{}, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`, diskstore.Limits{})
			e.must("PUT", "/lab/secret", "secret")
			for who, c := range map[string]sigv4.Credential{"the deployment": own, "an administrator": admin, "somebody": limited} {
				var headers []string
				if test.header != "" {
					headers = []string{test.header}
				}
				got := e.send(e.presigned(c, "PUT", "/lab/mine/"+c.AccessKeyID, "log", headers...))
				if got.status != test.status || got.status == 403 && !strings.Contains(got.body, "<Code>AccessDenied</Code>") {
					t.Errorf("PUT that %s has allowed, with %q = %s, want %d", who, test.header, got, test.status)
				}
				kept := e.send(e.signed(admin, "GET", "/lab/mine/"+c.AccessKeyID, ""))
				if got.status == 200 && kept.body != "log" || got.status != 200 && kept.status != 404 {
					t.Errorf("after the PUT that %s has allowed, with %q, there is %s", who, test.header, kept)
				}
			}
			if test.status != 403 {
				return
			}
			// The same for a request that is signed in its headers.
			r := e.signed(admin, "PUT", "/lab/other", "log")
			name, value, _ := strings.Cut(test.header, ": ")
			if r.Header.Get(name) != "" {
				return // a header that every signature covers
			}
			r.Header.Set(name, value)
			if got := e.send(r); got.status != 403 && got.status != 400 {
				t.Errorf("PUT with %q, which is not signed = %s, want a refusal", test.header, got)
			}
		})
	}
}

// A URL that the deployment signs for devices gets one object or puts one.
func TestTheDeploymentGetsAndPuts(t *testing.T) {
	e := newEnv(t, s3api.Options{}, nothing, diskstore.Limits{})
	e.must("PUT", "/lab/k", "text")
	started := e.must("POST", "/lab/k?uploads", "")
	_, rest, _ := strings.Cut(started.body, "<UploadId>")
	id, _, _ := strings.Cut(rest, "<")
	for _, test := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/lab/k", 200}, {"PUT", "/lab/k", 200}, {"HEAD", "/lab/k", 403},
		{"GET", "/lab/k?tagging", 403}, {"GET", "/lab/k?uploadId=" + id, 403}, {"DELETE", "/lab/k", 403},
		{"POST", "/lab/k?uploads", 403}, {"PUT", "/lab/k?partNumber=1&uploadId=" + id, 403}, {"POST", "/lab/k?uploadId=" + id, 403},
		{"DELETE", "/lab/k?uploadId=" + id, 403}, {"PUT", "/lab/k?x-amz-copy-source=lab%2Fk", 403},
		{"GET", "/", 403}, {"GET", "/lab", 403}, {"GET", "/lab?list-type=2", 403}, {"GET", "/lab?uploads", 403}, {"HEAD", "/lab", 403},
		{"PUT", "/new", 403}, {"DELETE", "/lab", 403}, {"POST", "/lab?delete", 403}, {"PUT", "/lab?versioning", 403},
		{"GET", "/lab?versions", 403}, {"GET", "/lab?location", 403}, {"GET", "/lab?versioning", 403},
	} {
		if got := e.send(e.presigned(own, test.method, test.target, "")); got.status != test.status {
			t.Errorf("%s %s that the deployment has signed = %s, want %d", test.method, test.target, got, test.status)
		}
	}
}

// What is signed in the query takes precedence over headers, and whatever can be stated
// twice must have one value.
func TestOneValueOfEach(t *testing.T) {
	e := newEnv(t, s3api.Options{}, nothing, diskstore.Limits{})
	e.must("PUT", "/lab/k", "text")
	const right, wrong = "jz9oxQ==", "AAAAAA%3D%3D" // the CRC-32 of "log", and one of something else
	for name, test := range map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"a signed type":                       {e.presigned(admin, "PUT", "/lab/a?content-type=text%2Fplain", "log"), 200, ""},
		"a signed type, said again":           {e.presigned(admin, "PUT", "/lab/a?content-type=text%2Fplain", "log", "Content-Type: text/plain"), 200, ""},
		"a signed type, and another":          {e.presigned(admin, "PUT", "/lab/a?content-type=text%2Fplain", "log", "Content-Type: text/html"), 400, "InvalidRequest"},
		"a signed digest":                     {e.presigned(admin, "PUT", "/lab/a?Content-MD5=3B1xu7XE0qXpNtt57xDBnw%3D%3D", "log"), 200, ""},
		"a signed digest, another body":       {e.presigned(admin, "PUT", "/lab/a?Content-MD5=3B1xu7XE0qXpNtt57xDBnw%3D%3D", "lug"), 400, "BadDigest"},
		"a signed digest, and another":        {e.presigned(admin, "PUT", "/lab/a?Content-MD5=3B1xu7XE0qXpNtt57xDBnw%3D%3D", "lug", "Content-Md5: AAAAAAAAAAAAAAAAAAAAAA=="), 400, "InvalidRequest"},
		"a signed checksum, another body":     {e.presigned(admin, "PUT", "/lab/a?x-amz-checksum-crc32="+wrong, "log"), 400, "BadDigest"},
		"a signed checksum, and another":      {e.presigned(admin, "PUT", "/lab/a?x-amz-checksum-crc32="+wrong, "log", "X-Amz-Checksum-Crc32: "+right), 403, "AccessDenied"},
		"a signed digest of the body":         {e.presigned(admin, "PUT", "/lab/a?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", "log"), 200, ""},
		"a signed digest, and another header": {e.presigned(admin, "PUT", "/lab/a?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", "log", "X-Amz-Content-Sha256: "+strings.Repeat("0", 64)), 400, "AuthorizationQueryParametersError"},
		"a header in two spellings":           {e.presigned(admin, "PUT", "/lab/a?x-amz-meta-a=1&X-Amz-Meta-A=2", "log"), 400, "InvalidArgument"},
		"a parameter twice":                   {e.signed(admin, "GET", "/lab?prefix=a&prefix=b", ""), 400, "InvalidArgument"},
		"a parameter twice, presigned":        {e.presigned(admin, "GET", "/lab/k?response-content-type=a&response-content-type=b", ""), 400, "InvalidArgument"},
		"a parameter twice, in the old way":   {e.legacy(admin, "GET", "/lab/k?response-content-type=a", "&response-content-type=b"), 400, "InvalidArgument"},
		"the old way":                         {e.legacy(admin, "GET", "/lab/k", ""), 200, ""},
		"the old way, tags":                   {e.legacy(admin, "GET", "/lab/k?tagging", ""), 200, ""},
		"the old way, tags nobody signed":     {e.legacy(admin, "GET", "/lab/k", "&tagging"), 403, ""},
		"the old way, a parameter of lists":   {e.legacy(admin, "GET", "/lab/k", "&prefix=a"), 403, "AccessDenied"},
		"the old way, an identifier":          {e.legacy(admin, "GET", "/lab/k", "&x-id=GetObject"), 403, "AccessDenied"},
		"a range twice":                       {e.presigned(admin, "GET", "/lab/k", "", "Range: bytes=0-0", "Range: bytes=1-1"), 400, "InvalidRequest"},
		"a type twice":                        {e.presigned(admin, "PUT", "/lab/a", "log", "Content-Type: a/b", "Content-Type: c/d"), 400, "InvalidRequest"},
		"a condition twice":                   {e.presigned(admin, "GET", "/lab/k", "", "If-Match: *", "If-Match: x"), 400, "InvalidRequest"},
	} {
		got := e.send(test.r)
		if got.status != test.status || test.code != "" && !strings.Contains(got.body, "<Code>"+test.code+"</Code>") {
			t.Errorf("%s = %s, want %d %s", name, got, test.status, test.code)
		}
	}
	if got := e.must("GET", "/lab/a", ""); got.body != "log" {
		t.Errorf("the object is %q, though every other body was refused", got.body)
	}
}
