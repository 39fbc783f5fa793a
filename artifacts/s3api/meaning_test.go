package s3api

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/sigv4"
)

// Whatever chooses an operation on an object is covered by a URL that is
// presigned in the old way, or such a URL would be good for another operation.
func TestLegacyURLsCoverWhatChoosesAnOperation(t *testing.T) {
	for _, op := range operations {
		if op.on == object && op.sub != "" && !slices.Contains(legacyParameters, op.sub) {
			t.Errorf("%s is chosen by the parameter %q, which is not signed", op.name, op.sub)
		}
	}
	for _, name := range parameters {
		// "bucket-region", "max-keys" and the like are of buckets, "x-id" says nothing.
		if strings.HasPrefix(name, "response-") || name == "versionId" || name == "partNumber" {
			if !slices.Contains(legacyParameters, name) {
				t.Errorf("the parameter %q is not signed", name)
			}
		}
	}
}

// Spellings of a target that are good for one signature name the same object and
// the same parameters.
func TestOneSignatureOneObject(t *testing.T) {
	s, now := newServer(t)
	accepted := 0
	for target, others := range map[string][]string{
		"/open/a":     {"/open/%61", "/%6fpen/a", "/open%2Fa", "/open/./a", "//open/a", "/open/%2561", "/open/a?"},
		"/open/b%2Fc": {"/open/b/c", "/open/b%2fc", "/open/b%252Fc"},
		"/open/b+c":   {"/open/b%2Bc", "/open/b%20c"},
		"/open/a?response-content-type=b&response-content-type=a": {"/open/a?response-content-type=a&response-content-type=b"},
		"/open/a?response-content-type=a%20b":                     {"/open/a?response-content-type=a+b", "/open/a?response-content-type=a%2Bb"},
		"/open/a?response-content-type=a%3Bb":                     {"/open/a?response-content-type=a;b"},
		"/open/a?response-content-type=%25zz":                     {"/open/a?response-content-type=%zz"},
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
			if c.query == nil || s.authenticate(c) != nil {
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
	if accepted < 8 {
		t.Errorf("only %d other spellings were accepted; that proves little", accepted)
	}
}
