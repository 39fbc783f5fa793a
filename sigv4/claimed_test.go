package sigv4_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

func TestClaimedService(t *testing.T) {
	const scoped = "AWS4-HMAC-SHA256 Credential=A/20260102/eu-west-1/sts/aws4_request"
	for name, test := range map[string]struct{ target, authorization, want string }{
		"in the header":                       {"/", scoped + ", SignedHeaders=host, Signature=00", "sts"},
		"in the header without blanks":        {"/", scoped + ",SignedHeaders=host,Signature=00", "sts"},
		"after the other parts":               {"/", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00, " + strings.TrimPrefix(scoped, "AWS4-HMAC-SHA256 "), "sts"},
		"in the query":                        {"/?X-Amz-Credential=A%2F20260102%2Feu-west-1%2Fiotdevicegateway%2Faws4_request", "", "iotdevicegateway"},
		"in the query, not escaped":           {"/?a=b&X-Amz-Credential=A/20260102/eu-west-1/sts/aws4_request", "", "sts"},
		"in the query, escaped more":          {"/?X%2DAmz-Credential=A%2F20260102%2Feu-west-1%2Fs%74s%2Faws4_request", "", "sts"},
		"the header counts":                   {"/?X-Amz-Credential=A/20260102/eu-west-1/s3/aws4_request", scoped + ", SignedHeaders=host, Signature=00", "sts"},
		"nothing":                             {"/", "", ""},
		"another query":                       {"/?a=A/20260102/eu-west-1/sts/aws4_request", "", ""},
		"a bearer":                            {"/", "Bearer Credential=A/20260102/eu-west-1/sts/aws4_request", ""},
		"another version":                     {"/", strings.ReplaceAll(scoped, "AWS4", "AWS2"), ""},
		"a scope of too few parts":            {"/", "AWS4-HMAC-SHA256 Credential=20260102/eu-west-1/sts/aws4_request", ""},
		"a scope of too many":                 {"/", "AWS4-HMAC-SHA256 Credential=A/B/20260102/eu-west-1/sts/aws4_request", ""},
		"another terminator":                  {"/", "AWS4-HMAC-SHA256 Credential=A/20260102/eu-west-1/sts/aws5_request", ""},
		"an endless query is not looked into": {"/?" + strings.Repeat("a&", 1000) + "X-Amz-Credential=A/20260102/eu-west-1/sts/aws4_request", "", ""},
	} {
		r := httptest.NewRequest("GET", test.target, nil)
		if test.authorization != "" {
			r.Header.Set("Authorization", test.authorization)
		}
		if got := sigv4.ClaimedService(r); got != test.want {
			t.Errorf("%s: ClaimedService() = %q, want %q", name, got, test.want)
		}
	}
}

// The claimed service of a signed request is the one that Verify finds.
func TestWhatIsSignedForIsClaimed(t *testing.T) {
	for _, service := range []string{"iot", "s3", "sts", "IoTSecuredTunneling"} {
		for form, sign := range map[string]func() string{
			"header": func() string {
				r := httptest.NewRequest("GET", "/x?a=b", nil)
				sigv4.Sign(r, nil, key, "us-east-1", service, at)
				return sigv4.ClaimedService(r)
			},
			"query": func() string {
				r := httptest.NewRequest("GET", "/x?a=b", nil)
				r.RequestURI = ""
				sigv4.Presign(r, key, "us-east-1", service, time.Minute, at)
				return sigv4.ClaimedService(r)
			},
		} {
			if got := sign(); got != service {
				t.Errorf("signed for %s in the %s: ClaimedService() = %q", service, form, got)
			}
		}
	}
}

func BenchmarkClaimedService(b *testing.B) {
	r := httptest.NewRequest("GET", "/things/lamp", nil)
	sigv4.Sign(r, nil, key, "us-east-1", "iot", at)
	b.ReportAllocs()
	for b.Loop() {
		if sigv4.ClaimedService(r) != "iot" {
			b.Fatal("another service")
		}
	}
}
