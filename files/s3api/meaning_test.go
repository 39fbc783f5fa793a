package s3api

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// A URL presigned with version 2 covers every parameter that chooses an operation on an
// object: otherwise it would be valid for another operation.
func TestLegacyURLsCoverWhatChoosesAnOperation(t *testing.T) {
	for _, op := range operations {
		if op.on == object && op.sub != "" && !slices.Contains(legacyParameters, op.sub) {
			t.Errorf("%s is chosen by the parameter %q, which is not signed", op.name, op.sub)
		}
	}
	for _, name := range parameters {
		// "bucket-region", "max-keys" and the like are of buckets, "x-id" changes nothing.
		if strings.HasPrefix(name, "response-") || name == "versionId" || name == "partNumber" {
			if !slices.Contains(legacyParameters, name) {
				t.Errorf("the parameter %q is not signed", name)
			}
		}
	}
}

// Spellings of a target for which one signature is valid name the same object and the
// same parameters.
func TestOneSignatureOneObject(t *testing.T) {
	s, now := newServer(t)
	accepted := 0
	for target, others := range map[string][]string{
		"/open/a":                             {"/open/%61", "/%6fpen/a", "/open%2Fa", "/open/./a", "//open/a", "/open/%2561", "/open/a?"},
		"/open/b%2Fc":                         {"/open/b/c", "/open/b%2fc", "/open/b%252Fc"},
		"/open/b+c":                           {"/open/b%2Bc", "/open/b%20c"},
		"/open/a?response-content-type=a%20b": {"/open/a?response-content-type=a+b", "/open/a?response-content-type=a%2Bb"},
		"/open/a?response-content-type=a%3Bb": {"/open/a?response-content-type=a;b"},
		"/open/a?response-content-type=%25zz": {"/open/a?response-content-type=%zz"},
	} {
		signed := httptest.NewRequest("GET", target, nil)
		sigv4.Sign(signed, nil, readerKey, "us-east-1", "s3", now)
		read := func(target string) (string, bool) {
			u, err := url.ParseRequestURI(target)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.URL, r.RequestURI, r.Header = u, target, maps.Clone(signed.Header)
			c := s.newCall(httptest.NewRecorder(), r)
			if c.unambiguous() != nil || s.authenticate(c) != nil {
				return "", false
			}
			return fmt.Sprintf("%q %q %q", c.bucket, c.key, c.query), true
		}
		want, ok := read(target)
		if !ok {
			t.Errorf("%s is refused", target)
		}
		for _, other := range others {
			if got, ok := read(other); ok && got != want {
				t.Errorf("%s names %s, and the signature of %s is good for it, which names %s", other, got, target, want)
			} else if ok {
				accepted++
			}
		}
	}
	if accepted < 6 {
		t.Errorf("only %d other spellings were accepted; that proves little", accepted)
	}
}

// The text that a URL presigned with version 2 signs does not escape its parts. A value
// that could be read as several parts is refused.
func TestLegacyURLsAreReadInOneWay(t *testing.T) {
	s, now := newServer(t)
	until := fmt.Sprint(now.Add(time.Hour).Unix())
	for name, tt := range map[string]struct {
		signed, other url.Values
	}{
		"a parameter in the value of another": {
			url.Values{"response-content-type": {"a"}, "versionId": {"b"}}, url.Values{"response-content-type": {"a&versionId=b"}},
		},
		"a header in the value of another": {
			url.Values{"x-amz-meta-a": {"1"}, "x-amz-meta-b": {"2"}}, url.Values{"x-amz-meta-a": {"1\nx-amz-meta-b:2"}},
		},
	} {
		read := func(query url.Values, signature string) (string, error) {
			query = maps.Clone(query)
			query["AWSAccessKeyId"], query["Expires"], query["Signature"] = []string{readerKey.AccessKeyID}, []string{until}, []string{signature}
			c := s.newCall(httptest.NewRecorder(), httptest.NewRequest("GET", "/open/a?"+query.Encode(), nil))
			return legacyText(c), s.authenticate(c)
		}
		text, _ := read(tt.signed, "")
		mac := hmac.New(sha1.New, []byte(readerKey.Secret))
		mac.Write([]byte(text))
		signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
		if _, err := read(tt.signed, signature); err != nil {
			t.Errorf("%s: what was signed is refused: %v", name, err)
		}
		if other, err := read(tt.other, signature); err == nil || other != text {
			t.Errorf("%s: a signature over %q is good for %q, which reads %q", name, text, tt.other, other)
		}
	}
}
