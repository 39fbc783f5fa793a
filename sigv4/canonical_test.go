package sigv4

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// Whatever a stranger writes into the header or the query is refused: nobody signs
// with the secret of this look-up.
func FuzzVerify(f *testing.F) {
	f.Add("/jobs", "AWS4-HMAC-SHA256 Credential=A/20260102/us-east-1/iot/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20260102T030405Z")
	f.Add("/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260102%2Fus-east-1%2Fiotdevicegateway%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=00", "", "")
	f.Add("http://a.b?%zz", "AWS4-HMAC-SHA256 Credential=//,Signature=", "Fri, 02 Jan 2026 03:04:05 GMT")
	f.Add("*", "AWS4-HMAC-SHA256", "")
	v := &Verifier{AcceptAnyRegion: true, Lookup: func(id string) (Credential, error) {
		return Credential{AccessKeyID: id, Secret: "nobody has this"}, nil
	}}
	f.Fuzz(func(t *testing.T, target, authorization, date string) {
		r := &http.Request{Method: "GET", RequestURI: target, Host: "h", Header: http.Header{}}
		if target == "" {
			r.URL = &url.URL{Path: "/"}
		}
		if authorization != "" {
			r.Header["Authorization"] = []string{authorization}
		}
		r.Header.Set("X-Amz-Date", date)
		_, err := v.Verify(r, nil, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("Verify(%q, %q, %q) = %v, want a refusal", target, authorization, date, err)
		}
	})
}

// The Date header is used when X-Amz-Date is absent, in both notations.
func TestDateHeader(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := Credential{AccessKeyID: "A", Secret: "s"}
	v := &Verifier{Region: "r", Lookup: func(string) (Credential, error) { return c, nil }}
	for _, date := range []string{"20260102T030405Z", "Fri, 02 Jan 2026 03:04:05 GMT"} {
		r := &http.Request{Method: "GET", RequestURI: "/", Host: "h", Header: http.Header{"Date": {date}}}
		scope := Scope{"20260102", "r", "iot"}
		canonical := canonicalRequest("GET", "/", "", canonicalHeaders(r, []string{"date", "host"}, hexSHA256(nil)))
		r.Header.Set("Authorization", algorithm+" Credential=A/"+scope.String()+", SignedHeaders=date;host, Signature="+
			hex.EncodeToString(scope.sign(scope.key(c.Secret), at, canonical)))
		if s, err := v.Verify(r, nil, at); err != nil || !s.Time.Equal(at) {
			t.Errorf("Verify() with Date %q = time %v, %v; want %v, no error", date, s.Time, err, at)
		}
	}
}

func decodes(path string) bool {
	_, err := url.PathUnescape(path)
	return err == nil
}

// A canonical query is its own canonical form.
func FuzzCanonicalQuery(f *testing.F) {
	f.Add("b=%2B+%20~&a=1&a&=&&c=%zz%4")
	f.Add("a=1&a-b=2&a%3D=3")
	f.Fuzz(func(t *testing.T, raw string) {
		once := canonicalQuery(splitParams(raw))
		if twice := canonicalQuery(splitParams(once)); twice != once {
			t.Errorf("canonicalQuery(%q) = %q, and of that %q", raw, once, twice)
		}
	})
}

// Whatever path and query a client sends, its own signature is accepted.
func FuzzSignVerify(f *testing.F) {
	f.Add("/a/../b//%zz$", "x=1&y", "body", " a  b ")
	f.Add("/topics/%24aws%2Fthings", "", "", "")
	f.Fuzz(func(t *testing.T, path, query, body, meta string) {
		now := time.Unix(1_767_323_045, 0)
		r := &http.Request{Method: "POST", RequestURI: "/" + path + "?" + query, Host: "h", Header: http.Header{"X-Amz-Meta": {meta}}}
		c := Credential{AccessKeyID: "A", Secret: "s", SessionToken: "t"}
		Sign(r, []byte(body), c, "r", "iot", now)
		v := &Verifier{Region: "r", Lookup: func(string) (Credential, error) { return c, nil }}
		s, err := v.Verify(r, []byte(body), now)
		var refusal *Error
		if errors.As(err, &refusal) && refusal.Code == IncompleteSignature {
			return // signed twice, or too long
		}
		if target, _ := target(r); !decodes(target) {
			return // no HTTP server passes it on
		}
		if err != nil {
			t.Errorf("Verify(Sign(%q)) = %v for %+v", r.RequestURI, err, s)
		}
	})
}
