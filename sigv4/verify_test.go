package sigv4_test

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// at is the instant of the test vectors of identity-and-auth.md C.6.
var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var (
	key       = sigv4.Credential{AccessKeyID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	temporary = sigv4.Credential{AccessKeyID: "ASIDEXAMPLE", Secret: key.Secret, SessionToken: "tok/en+=="}
	expired   = sigv4.Credential{AccessKeyID: "ASIDEXPIRED", Secret: key.Secret, SessionToken: "old", Expires: at}
)

func verifier(keys ...sigv4.Credential) *sigv4.Verifier {
	return &sigv4.Verifier{Region: "us-east-1", Lookup: func(id string) (sigv4.Credential, error) {
		for _, k := range keys {
			if k.AccessKeyID == id {
				return k, nil
			}
		}
		return sigv4.Credential{}, fmt.Errorf("%q: %w", id, sigv4.ErrUnknownKey)
	}}
}

// received reads a request as a server does, so that RequestURI is as it was sent.
func received(t testing.TB, head, body string) (*http.Request, []byte) {
	t.Helper()
	head = strings.ReplaceAll(strings.TrimSpace(head), "\n", "\r\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(fmt.Sprintf("%s\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body))))
	if err != nil {
		t.Fatalf("ReadRequest(%q): %v", head, err)
	}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, content
}

func TestVectors(t *testing.T) {
	withToken := key
	withToken.SessionToken = "tok/en+=="
	for name, test := range map[string]struct {
		key        sigv4.Credential
		head, body string
		service    string
	}{
		"a raw dollar sign in the path": {key, `
PUT /things/pump-7/jobs/$next HTTP/1.1
Host: iot.example.com
Content-Type: application/json
X-Amz-Date: 20260102T030405Z
Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/iot-jobs-data/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=dec5660a06a8dd5c80c41be52603bc721e041509ab0485997a84a307a31688ba
`, `{"stepTimeoutInMinutes": 5}`, "iot-jobs-data"},
		"an escaped topic in the path and no blanks after commas": {key, `
POST /topics/a%2Fb%20c%2F%24d?qos=1 HTTP/1.1
Host: iot.example.com
X-Amz-Date: 20260102T030405Z
Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/iotdata/aws4_request,SignedHeaders=host;x-amz-date,Signature=bdbbf4b2489ecccc1b09b1d75f599d2a33f00071fc6cfec939b73505a237c4b7
`, "hi", "iotdata"},
		"an ARN in the path, an unsorted query and a session token": {withToken, `
POST /attached-policies/arn%3Aaws%3Aiot%3Aus-east-1%3A123456789012%3Acert%2Fab?recursive=true&pageSize=2 HTTP/1.1
Host: iot.example.com
X-Amz-Date: 20260102T030405Z
X-Amz-Security-Token: tok/en+==
Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/iot/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=95215402244dc38ceb97c662e72b2686460da22c94110b28c6f8352cf5ab29b8
`, "", "iot"},
		"a presigned WebSocket whose token is not signed": {withToken, `
GET /mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Fiotdevicegateway%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=84cc7f5e98fc1adba6d7746e03ceff73a0f0e4e6972b1a3943f29581c0f26bc4&X-Amz-Security-Token=tok%2Fen%2B%3D%3D HTTP/1.1
Host: iot.example.com
Upgrade: websocket
`, "", "iotdevicegateway"},
		"a presigned WebSocket without a token, in another order": {key, `
GET /mqtt?X-Amz-SignedHeaders=host&X-Amz-Signature=84cc7f5e98fc1adba6d7746e03ceff73a0f0e4e6972b1a3943f29581c0f26bc4&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE/20260102/us-east-1/iotdevicegateway/aws4_request&X-Amz-Expires=86400&X-Amz-Date=20260102T030405Z HTTP/1.1
Host: iot.example.com
X-Amz-Date: 20260102T030405Z
`, "", "iotdevicegateway"},
	} {
		t.Run(name, func(t *testing.T) {
			r, body := received(t, test.head, test.body)
			got, err := verifier(test.key).Verify(r, body, at)
			if err != nil {
				t.Fatalf("Verify() = %v, want no error", err)
			}
			want := sigv4.Scope{Date: "20260102", Region: "us-east-1", Service: test.service}
			if got.AccessKeyID != "AKIDEXAMPLE" || got.Scope != want || !got.Time.Equal(at) {
				t.Errorf("Verify() = %+v, want key AKIDEXAMPLE, scope %v, time %v", got, want, at)
			}
		})
	}
}

// A signed request is refused after each of these changes, with the reason.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*http.Request)
		key    sigv4.Credential // key unless set
		body   string           // what arrives, when it is not what was signed
		after  time.Duration
		code   sigv4.Code
		text   string
	}{
		"no signature at all": {change: func(r *http.Request) { r.Header.Del("Authorization") },
			code: sigv4.MissingAuthenticationToken, text: "Missing Authentication Token"},
		"another scheme": {change: set("Authorization", "Basic Zm9vOmJhcg=="),
			code: sigv4.IncompleteSignature, text: "requires the algorithm AWS4-HMAC-SHA256"},
		"the asymmetric algorithm": {change: swap("Authorization", "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
			code: sigv4.IncompleteSignature, text: "requires the algorithm AWS4-HMAC-SHA256"},
		"two Authorization headers": {change: func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) },
			code: sigv4.IncompleteSignature, text: "Only one authentication mechanism"},
		"header and query form at once": {change: func(r *http.Request) { r.RequestURI += "?X-Amz-Signature=00" },
			code: sigv4.IncompleteSignature, text: "Only one authentication mechanism"},
		"no credential": {change: swap("Authorization", "Credential=", "Credentials="),
			code: sigv4.IncompleteSignature, text: "requires 'Credential' parameter"},
		"no signed headers": {change: swap("Authorization", "SignedHeaders=", "Headers="),
			code: sigv4.IncompleteSignature, text: "requires 'SignedHeaders' parameter"},
		"no signature parameter": {change: swap("Authorization", "Signature=", "Sig="),
			code: sigv4.IncompleteSignature, text: "requires 'Signature' parameter"},
		"a parameter twice": {change: swap("Authorization", "SignedHeaders=", "Credential="),
			code: sigv4.IncompleteSignature, text: "each once"},
		"a parameter without a value": {change: set("Authorization", "AWS4-HMAC-SHA256 Credential"),
			code: sigv4.IncompleteSignature, text: "each once"},
		"a fourth parameter": {change: swap("Authorization", "Signature=", "More=1, Signature="),
			code: sigv4.IncompleteSignature, text: "each once"},
		"a credential of four parts": {change: swap("Authorization", "/iot/", "/"),
			code: sigv4.IncompleteSignature, text: "exactly 5 slash-delimited elements"},
		"a credential without a key": {change: swap("Authorization", "AKIDEXAMPLE", ""),
			code: sigv4.IncompleteSignature, text: "exactly 5 slash-delimited elements"},
		"an endless access key": {change: swap("Authorization", "AKIDEXAMPLE", strings.Repeat("A", 129)),
			code: sigv4.IncompleteSignature, text: "exactly 5 slash-delimited elements"},
		"a wrong terminator": {change: swap("Authorization", "aws4_request", "aws5_request"),
			code: sigv4.InvalidSignature, text: "valid terminator: 'aws4_request'"},
		"host not signed": {change: swap("Authorization", ";host;", ";hosu;"),
			code: sigv4.IncompleteSignature, text: "'Host' must be a 'SignedHeader'"},
		"x-amz-date not signed": {change: swap("Authorization", ";x-amz-date", ""),
			code: sigv4.IncompleteSignature, text: "'X-Amz-Date' must be one of the signed headers"},
		"a session token not signed": {change: set("X-Amz-Security-Token", "x"),
			code: sigv4.IncompleteSignature, text: "'X-Amz-Security-Token' must be one of the signed headers"},
		"signed headers out of order": {change: swap("Authorization", "content-type;host", "host;content-type"),
			code: sigv4.IncompleteSignature, text: "ascending order"},
		"a signed header twice": {change: swap("Authorization", "host;", "host;host;"),
			code: sigv4.IncompleteSignature, text: "ascending order"},
		"a signed header in upper case": {change: swap("Authorization", "host;", "Host;"),
			code: sigv4.IncompleteSignature, text: "lower-case"},
		"too many signed headers": {change: swap("Authorization", "host;", strings.Repeat("a;", 100)),
			code: sigv4.IncompleteSignature, text: "more than 100 headers"},
		"too many query parameters": {change: func(r *http.Request) { r.RequestURI += "?" + strings.Repeat("a&", 1000) },
			code: sigv4.IncompleteSignature, text: "more than 1000 parameters"},
		"no date": {change: func(r *http.Request) { r.Header.Del("X-Amz-Date") },
			code: sigv4.IncompleteSignature, text: "requires existence of either a 'X-Amz-Date' or a 'Date' header"},
		"a date in another notation": {change: set("X-Amz-Date", "2026-01-02T03:04:05Z"),
			code: sigv4.IncompleteSignature, text: "X-Amz-Date must be in the form yyyymmddThhmmssZ"},
		"a scope of another day": {change: swap("Authorization", "/20260102/", "/20260101/"),
			code: sigv4.InvalidSignature, text: "'20260101' != '20260102'"},
		"a scope of another region": {change: swap("Authorization", "us-east-1", "eu-west-1"),
			code: sigv4.InvalidSignature, text: "Credential should be scoped to a valid region."},
		"a scope of another service": {change: swap("Authorization", "/iot/", "/dynamodb/"),
			code: sigv4.InvalidSignature, text: "Credential should be scoped to correct service: 'iot'."},
		"a clock that is slow": {after: 5*time.Minute + time.Second,
			code: sigv4.InvalidSignature, text: "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T030906Z - 5 min.)"},
		"a clock that is fast": {after: -5*time.Minute - time.Second,
			code: sigv4.InvalidSignature, text: "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z (20260102T025904Z + 5 min.)"},
		"an unknown key": {change: swap("Authorization", "AKIDEXAMPLE", "AKIDUNKNOWN"),
			code: sigv4.UnrecognizedClient, text: "The security token included in the request is invalid."},
		"a wrong session token": {key: sigv4.Credential{AccessKeyID: temporary.AccessKeyID, Secret: key.Secret, SessionToken: "guess"},
			code: sigv4.UnrecognizedClient, text: "The security token included in the request is invalid."},
		"a missing session token": {key: sigv4.Credential{AccessKeyID: temporary.AccessKeyID, Secret: key.Secret},
			code: sigv4.UnrecognizedClient, text: "The security token included in the request is invalid."},
		"a token with a key that has none": {key: sigv4.Credential{AccessKeyID: key.AccessKeyID, Secret: key.Secret, SessionToken: "left over"},
			code: sigv4.UnrecognizedClient, text: "The security token included in the request is invalid."},
		"temporary credentials that ended": {key: expired,
			code: sigv4.ExpiredToken, text: "The security token included in the request is expired"},
		"another secret": {key: sigv4.Credential{AccessKeyID: key.AccessKeyID, Secret: "guess"},
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"another body": {body: "{}",
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"another method": {change: func(r *http.Request) { r.Method = "PUT" },
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"another path": {change: func(r *http.Request) { r.RequestURI = "/jobs/c" },
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"another query": {change: func(r *http.Request) { r.RequestURI += "?force=true" },
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"another host": {change: func(r *http.Request) { r.Host = "iot.example.com:9443" },
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"another value of a signed header": {change: set("Content-Type", "text/plain"),
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"a second value of a signed header": {change: func(r *http.Request) { r.Header.Add("Content-Type", "text/plain") },
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"another signing time": {change: set("X-Amz-Date", "20260102T030406Z"),
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"a signature that is not hexadecimal": {change: swap("Authorization", "Signature=", "Signature=zz"),
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"a payload declared unsigned afterwards": {change: set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"),
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"a stated payload hash that is wrong": {change: set("X-Amz-Content-Sha256", strings.Repeat("0", 64)),
			code: sigv4.InvalidSignature, text: "does not match the signature you provided"},
		"chunked signing": {change: set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
			code: sigv4.InvalidSignature, text: "Chunked signing"},
	} {
		t.Run(name, func(t *testing.T) {
			signer := test.key
			if signer.AccessKeyID == "" {
				signer = key
			}
			body := []byte(`{"comment":"x"}`)
			r, _ := received(t, "POST /jobs/b HTTP/1.1\nHost: iot.example.com\nContent-Type: application/json", string(body))
			sigv4.Sign(r, body, signer, "us-east-1", "iot", at)
			if test.change != nil {
				test.change(r)
			}
			if test.body != "" {
				body = []byte(test.body)
			}
			_, err := verifier(key, temporary, expired).Verify(r, body, at.Add(test.after))
			wantError(t, err, test.code, test.text)
		})
	}
}

func wantError(t *testing.T, err error, code sigv4.Code, text string) {
	t.Helper()
	var refusal *sigv4.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("Verify() = %v, want a refusal with code %s", err, code)
	}
	if refusal.Code != code || !strings.Contains(refusal.Message, text) {
		t.Errorf("Verify() = %v, want %s: …%s…", err, code, text)
	}
}

func TestAccepts(t *testing.T) {
	for name, test := range map[string]struct {
		head    string
		adjust  func(*sigv4.Verifier)
		service string
		region  string
		after   time.Duration
		check   func(sigv4.Signature) bool
	}{
		"a clock five minutes slow":                  {after: 5 * time.Minute},
		"a clock five minutes fast":                  {after: -5 * time.Minute},
		"an hour's skew when so set":                 {after: time.Hour, adjust: func(v *sigv4.Verifier) { v.Skew = time.Hour }},
		"any region when so set":                     {region: "ap-south-1", adjust: func(v *sigv4.Verifier) { v.AcceptAnyRegion = true }},
		"the control plane as older clients name it": {service: "execute-api"},
		"messages":                                  {service: "iotdata"},
		"jobs of devices":                           {service: "iot-jobs-data"},
		"jobs of devices without hyphens":           {service: "iotjobsdata"},
		"the device gateway":                        {service: "iotdevicegateway"},
		"another service when so set":               {service: "s3", adjust: func(v *sigv4.Verifier) { v.Services = []string{"s3"} }},
		"any service when so set":                   {service: "dynamodb", adjust: func(v *sigv4.Verifier) { v.AcceptAnyService = true }},
		"a host with a port":                        {head: "GET /jobs HTTP/1.1\nHost: iot.example.com:9443"},
		"an absolute request target":                {head: "GET http://iot.example.com/jobs?x HTTP/1.1\nHost: iot.example.com"},
		"an absolute request target without a path": {head: "GET http://iot.example.com HTTP/1.1\nHost: iot.example.com"},
		"dot segments and double slashes":           {head: "GET /a/./b/..//c/ HTTP/1.1\nHost: h"},
		"a query with blanks, pluses, tildes and stray percent signs": {head: "GET /jobs?b=%2B+%20~&a=1&a&=&&c=%zz%4 HTTP/1.1\nHost: h"},
		"header values with runs of blanks":                           {head: "GET /jobs HTTP/1.1\nHost: h\nX-Amz-Meta:   a \t  b  \nX-Amz-Meta: c"},
		"an unsigned payload": {head: "GET /jobs HTTP/1.1\nHost: h\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD",
			check: func(s sigv4.Signature) bool { return s.UnsignedPayload }},
		"a stated payload hash": {head: "GET /jobs HTTP/1.1\nHost: h\nX-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	} {
		t.Run(name, func(t *testing.T) {
			v := verifier(key)
			if test.adjust != nil {
				test.adjust(v)
			}
			r, body := received(t, or(test.head, "GET /jobs HTTP/1.1\nHost: iot.example.com"), "")
			sigv4.Sign(r, body, key, or(test.region, "us-east-1"), or(test.service, "iot"), at)
			got, err := v.Verify(r, body, at.Add(test.after))
			if err != nil {
				t.Fatalf("Verify(%s) = %v, want no error", r.Header, err)
			}
			if test.check != nil && !test.check(got) {
				t.Errorf("Verify() = %+v, which misses a fact", got)
			}
		})
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func TestLookupFailureIsNotARefusal(t *testing.T) {
	broken := errors.New("disk on fire")
	v := &sigv4.Verifier{Region: "us-east-1", Lookup: func(string) (sigv4.Credential, error) { return sigv4.Credential{}, broken }}
	r, body := received(t, "GET /jobs HTTP/1.1\nHost: h", "")
	sigv4.Sign(r, body, key, "us-east-1", "iot", at)
	_, err := v.Verify(r, body, at)
	var refusal *sigv4.Error
	if !errors.Is(err, broken) || errors.As(err, &refusal) {
		t.Errorf("Verify() = %v, want an error that wraps %v and is no refusal", err, broken)
	}
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(`{"status":"SUCCEEDED","expectedVersion":2}`)
	r, _ := received(b, "POST /things/pump-7/jobs/update-2026?includeJobDocument=true HTTP/1.1\nHost: iot.example.com:8443\nContent-Type: application/json", string(body))
	sigv4.Sign(r, body, key, "us-east-1", "iot-jobs-data", at)
	v := verifier(key)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r, body, at); err != nil {
			b.Fatal(err)
		}
	}
}

// set returns a change that sets a header of a request; swap replaces a part of it.
func set(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func swap(name, old, new string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, strings.Replace(r.Header.Get(name), old, new, 1)) }
}

// A server can verify the head of a request before it reads the body.
func TestHeadIsVerifiedBeforeTheBody(t *testing.T) {
	const body, other = `{"comment":"x"}`, `{"comment":"y"}`
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
	for name, test := range map[string]struct {
		stated     string // in the head, by the client
		afterwards func(*http.Request)
		genuine    bool // by the head alone
		headError  string
		otherError string // of another body
	}{
		"no hash stated":             {"", nil, false, "", "does not match the signature"},
		"the hash stated":            {digest, nil, true, "", "'x-amz-content-sha256' header does not match"},
		"unsigned":                   {"UNSIGNED-PAYLOAD", nil, true, "", ""},
		"a hash stated by another":   {"", set("X-Amz-Content-Sha256", digest[1:]+"0"), false, "does not match the signature", ""},
		"unsigned, says another":     {"", set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), false, "does not match the signature", ""},
		"an access key of no one":    {digest, swap("Authorization", "Credential=AKI", "Credential=XXX"), false, "security token", ""},
		"no hash, key of no one":     {"", swap("Authorization", "Credential=AKI", "Credential=XXX"), false, "security token", ""},
		"no signature":               {"", func(r *http.Request) { r.Header.Del("Authorization") }, false, "Missing Authentication Token", ""},
		"signed for another service": {digest, swap("Authorization", "/iot/", "/ec2/"), false, "correct service", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := received(t, "POST /jobs/b HTTP/1.1\nHost: iot.example.com", body)
			if test.stated != "" {
				r.Header.Set("X-Amz-Content-Sha256", test.stated)
			}
			sigv4.Sign(r, []byte(body), key, "us-east-1", "iot", at)
			if test.afterwards != nil {
				test.afterwards(r)
			}
			h, err := verifier(key).Head(r, at)
			if test.headError != "" {
				if err == nil || !strings.Contains(err.Error(), test.headError) || h.Genuine {
					t.Errorf("Head() = genuine %t, %v, want %q", h.Genuine, err, test.headError)
				}
				return
			}
			if err != nil || h.Genuine != test.genuine {
				t.Fatalf("Head() = genuine %t, %v, want %t", h.Genuine, err, test.genuine)
			}
			if err := h.Verify([]byte(body)); err != nil {
				t.Errorf("Verify of the body that was signed: %v", err)
			}
			h, _ = verifier(key).Head(r, at)
			if err := h.Verify([]byte(other)); test.otherError == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), test.otherError) {
				t.Errorf("Verify of another body: %v, want %q", err, test.otherError)
			}
		})
	}
}
