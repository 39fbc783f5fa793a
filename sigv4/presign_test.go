package sigv4_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// presigned returns a request with a presigned query as a server receives it.
func presigned(t testing.TB, c sigv4.Credential, target, service string, lifetime time.Duration) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", target, nil)
	if err != nil {
		t.Fatal(err)
	}
	sigv4.Presign(r, c, "us-east-1", service, lifetime, at)
	got, _ := received(t, "GET "+r.URL.RequestURI()+" HTTP/1.1\nHost: "+r.URL.Host, "")
	return got
}

func TestPresignedLifetime(t *testing.T) {
	for name, test := range map[string]struct {
		lifetime time.Duration
		after    time.Duration
		refused  bool
	}{
		"at once":                                {time.Hour, 0, false},
		"at its end, by a slow clock":            {time.Hour, time.Hour + 5*time.Minute, false},
		"after its end":                          {time.Hour, time.Hour + 5*time.Minute + time.Second, true},
		"before its time":                        {time.Hour, -5*time.Minute - time.Second, true},
		"without a lifetime, five minutes":       {0, 10 * time.Minute, false},
		"without a lifetime, longer":             {0, 10*time.Minute + time.Second, true},
		"a lifetime beyond the cap, within it":   {7 * 24 * time.Hour, 24 * time.Hour, false},
		"a lifetime beyond the cap, not forever": {7 * 24 * time.Hour, 25 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verifier(key).Verify(presigned(t, key, "wss://iot.example.com/mqtt", "iotdevicegateway", test.lifetime), nil, at.Add(test.after))
			if !test.refused && err != nil {
				t.Errorf("Verify() = %v, want no error", err)
			}
			if test.refused {
				wantError(t, err, sigv4.InvalidSignature, "Signature ")
			}
		})
	}
}

func TestPresignedRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		old, new string
		code     sigv4.Code
		text     string
	}{
		"no credential":          {"X-Amz-Credential", "x", sigv4.IncompleteSignature, "must include 'X-Amz-Credential'"},
		"no date":                {"X-Amz-Date", "x", sigv4.IncompleteSignature, "must include 'X-Amz-Date'"},
		"no signature":           {"X-Amz-Signature", "x", sigv4.IncompleteSignature, "must include 'X-Amz-Signature'"},
		"no algorithm":           {"X-Amz-Algorithm", "x", sigv4.IncompleteSignature, "must include 'X-Amz-Algorithm'"},
		"the asymmetric one":     {"AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", sigv4.IncompleteSignature, "must be AWS4-HMAC-SHA256"},
		"a parameter twice":      {"X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Date=1", sigv4.IncompleteSignature, "'X-Amz-Date' must appear once"},
		"a bad date":             {"T030405Z", "T030405", sigv4.IncompleteSignature, "X-Amz-Date must be in the form"},
		"no lifetime":            {"Expires=60", "Expires=0", sigv4.IncompleteSignature, "X-Amz-Expires must be"},
		"a negative lifetime":    {"Expires=60", "Expires=-1", sigv4.IncompleteSignature, "X-Amz-Expires must be"},
		"a lifetime in words":    {"Expires=60", "Expires=hour", sigv4.IncompleteSignature, "X-Amz-Expires must be"},
		"a longer lifetime":      {"Expires=60", "Expires=61", sigv4.InvalidSignature, "does not match"},
		"host not signed":        {"SignedHeaders=host", "SignedHeaders=date", sigv4.IncompleteSignature, "'Host' must be a 'SignedHeader'"},
		"a bad credential":       {"%2Faws4_request", "", sigv4.IncompleteSignature, "exactly 5"},
		"a parameter more":       {"X-Amz-Expires", "qos=1&X-Amz-Expires", sigv4.InvalidSignature, "does not match"},
		"another path":           {"/mqtt", "/mqtx", sigv4.InvalidSignature, "does not match"},
		"a token out of nowhere": {"X-Amz-Expires", "X-Amz-Security-Token=t&X-Amz-Expires", sigv4.UnrecognizedClient, "token"},
	} {
		t.Run(name, func(t *testing.T) {
			r := presigned(t, key, "wss://iot.example.com/mqtt", "iotdevicegateway", time.Minute)
			if !strings.Contains(r.RequestURI, test.old) {
				t.Fatalf("%q is not in %q", test.old, r.RequestURI)
			}
			r.RequestURI = strings.Replace(r.RequestURI, test.old, test.new, 1)
			_, err := verifier(key).Verify(r, nil, at)
			wantError(t, err, test.code, test.text)
		})
	}
}

// The signature of a WebSocket does not cover the session token (AUTH-85); all others
// must.
func TestPresignedToken(t *testing.T) {
	tokenOf := func(r *http.Request) string {
		_, after, _ := strings.Cut(r.RequestURI, "&X-Amz-Signature=")
		_, token, _ := strings.Cut(after, "X-Amz-Security-Token=")
		return token
	}
	socket := presigned(t, temporary, "wss://iot.example.com/mqtt", "iotdevicegateway", time.Minute)
	if got := tokenOf(socket); got != url.QueryEscape("tok/en+==") {
		t.Errorf("Presign() for a WebSocket put the token %q after the signature, want it escaped", got)
	}
	call := presigned(t, temporary, "https://iot.example.com/jobs?maxResults=1", "iot", time.Minute)
	if got := tokenOf(call); got != "" {
		t.Errorf("Presign() for a call put the token %q after the signature, want it before", got)
	}
	for name, r := range map[string]*http.Request{"WebSocket": socket, "call": call} {
		if _, err := verifier(temporary).Verify(r, nil, at); err != nil {
			t.Errorf("%s: Verify() = %v, want no error", name, err)
		}
	}

	// A call whose token the signature does not cover.
	bare := presigned(t, sigv4.Credential{AccessKeyID: temporary.AccessKeyID, Secret: temporary.Secret}, "https://iot.example.com/jobs", "iot", time.Minute)
	bare.RequestURI += "&X-Amz-Security-Token=" + url.QueryEscape("tok/en+==")
	_, err := verifier(temporary).Verify(bare, nil, at)
	wantError(t, err, sigv4.InvalidSignature, "does not match")
}
