package sigv4_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/muster-iot/muster/sigv4"
)

// targets are request targets whose canonical form is easy to get wrong.
var targets = []string{
	"/",
	"/things/pump-7/jobs/$next",
	"/things/pump-7/jobs/%24next?executionNumber=1&includeJobDocument=true",
	"/topics/%24aws%2Fthings%2Fx?qos=1",
	"/topics/a/b/c?qos=0&retain=false",
	"/attached-policies/arn%3Aaws%3Aiot%3Aus-east-1%3A123456789012%3Acert%2Fab?recursive=true&pageSize=2",
	"/thing-groups/caf%C3%A9%20%E2%82%AC~?a=b%20c&a=%2B&A=~&b",
	"/jobs?status=IN_PROGRESS&targetSelection=SNAPSHOT&nextToken=a%2Fb%3D%3D",
}

// Verify accepts what the AWS SDK for Go signs, in the header and in the query.
func TestSDKSignsWeVerify(t *testing.T) {
	signer := v4.NewSigner()
	for _, c := range []sigv4.Credential{key, temporary} {
		credentials := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: string(c.Secret), SessionToken: string(c.SessionToken)}
		for _, target := range targets {
			for _, body := range []string{"", `{"status":"SUCCEEDED"}`} {
				hash := hashOf(body)
				r := newRequest(t, "POST", "https://iot.example.com:8443"+target, body)
				if err := signer.SignHTTP(context.Background(), credentials, r, hash, "iot", "us-east-1", at); err != nil {
					t.Fatal(err)
				}
				got, content := overTheWire(t, r, body)
				if _, err := verifier(c).Verify(got, content, at); err != nil {
					t.Errorf("%s: Verify(%s) = %v, want no error", c.AccessKeyID, target, err)
				}
			}
			r := newRequest(t, "GET", "https://iot.example.com:8443"+target, "")
			q := r.URL.Query()
			q.Set("X-Amz-Expires", "60")
			r.URL.RawQuery = q.Encode()
			signed, _, err := signer.PresignHTTP(context.Background(), credentials, r, hashOf(""), "iot", "us-east-1", at)
			if err != nil {
				t.Fatal(err)
			}
			got, content := overTheWire(t, newRequest(t, "GET", signed, ""), "")
			if _, err := verifier(c).Verify(got, content, at); err != nil {
				t.Errorf("%s: Verify(%s) = %v, want no error", c.AccessKeyID, signed, err)
			}
		}
	}
}

// Sign and Presign make the same bytes as the AWS SDK for Go.
func TestWeSignAsTheSDK(t *testing.T) {
	for _, target := range targets {
		for _, body := range []string{"", `{"status":"SUCCEEDED"}`} {
			ours := newRequest(t, "POST", "https://iot.example.com:8443"+target, body)
			sigv4.Sign(ours, []byte(body), temporary, "us-east-1", "iot", at)
			theirs := newRequest(t, "POST", "https://iot.example.com:8443"+target, body)
			theirs.ContentLength = 0 // the SDK would sign it as a header
			credentials := aws.Credentials{AccessKeyID: temporary.AccessKeyID, SecretAccessKey: string(temporary.Secret), SessionToken: string(temporary.SessionToken)}
			if err := v4.NewSigner().SignHTTP(context.Background(), credentials, theirs, hashOf(body), "iot", "us-east-1", at); err != nil {
				t.Fatal(err)
			}
			if got, want := ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"); got != want {
				t.Errorf("Sign(%s) made\n%s, want\n%s", target, got, want)
			}
		}
	}
}

// A client may sign the token of a WebSocket, as for other services (AUTH-85).
func TestWebSocketTokenMayBeSigned(t *testing.T) {
	credentials := aws.Credentials{AccessKeyID: temporary.AccessKeyID, SecretAccessKey: string(temporary.Secret), SessionToken: string(temporary.SessionToken)}
	r := newRequest(t, "GET", "https://iot.example.com/mqtt", "")
	signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), credentials, r, hashOf(""), "iotdevicegateway", "us-east-1", at)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := overTheWire(t, newRequest(t, "GET", signed, ""), "")
	if _, err := verifier(temporary).Verify(got, nil, at); err != nil {
		t.Errorf("Verify(%s) = %v, want no error", signed, err)
	}
}

// The AWS IoT Device SDK for Python v1 signs for "iotdata" and adds the token after it has signed (AUTH-85).
func TestWebSocketTokenMayBeUnsigned(t *testing.T) {
	for service, genuine := range map[string]bool{"iotdevicegateway": true, "iotdata": true, "iot": false} {
		credentials := aws.Credentials{AccessKeyID: temporary.AccessKeyID, SecretAccessKey: string(temporary.Secret)}
		r := newRequest(t, "GET", "https://iot.example.com/mqtt?X-Amz-Expires=86400", "")
		signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), credentials, r, hashOf(""), service, "us-east-1", at)
		if err != nil {
			t.Fatal(err)
		}
		for token, right := range map[string]bool{url.QueryEscape(string(temporary.SessionToken)): true, "guess": false, "": false} {
			got, _ := overTheWire(t, newRequest(t, "GET", signed+"&X-Amz-Security-Token="+token, ""), "")
			if _, err := verifier(temporary).Verify(got, nil, at); (err == nil) != (genuine && right) {
				t.Errorf("Verify of %s with the token %q = %v, want success %v", service, token, err, genuine && right)
			}
		}
	}
}

// Hand-written clients escape the path once only (AUTH-74).
func TestSinglyEscapedPath(t *testing.T) {
	for _, target := range targets {
		r := newRequest(t, "GET", "https://iot.example.com"+target, "")
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		r.URL.RawPath = strings.ReplaceAll(r.URL.EscapedPath(), "$", "%24")
		credentials := aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: string(key.Secret)}
		if err := signer.SignHTTP(context.Background(), credentials, r, hashOf(""), "iot", "us-east-1", at); err != nil {
			t.Fatal(err)
		}
		got, _ := overTheWire(t, r, "")
		if _, err := verifier(key).Verify(got, nil, at); err != nil {
			t.Errorf("Verify(%s) = %v, want no error", target, err)
		}
	}
}

func TestSignMarksTheRequest(t *testing.T) {
	r := newRequest(t, "GET", "https://iot.example.com/jobs", "")
	sigv4.Sign(r, nil, key, "us-east-1", "iot", at.In(time.FixedZone("east", 3600)))
	if got, want := r.Header.Get("X-Amz-Date"), "20260102T030405Z"; got != want {
		t.Errorf("Sign() set X-Amz-Date to %q, want %q", got, want)
	}
}

func newRequest(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// overTheWire turns a client's request into the one a server reads.
func overTheWire(t testing.TB, r *http.Request, body string) (*http.Request, []byte) {
	t.Helper()
	head := r.Method + " " + r.URL.RequestURI() + " HTTP/1.1\nHost: " + r.URL.Host
	for name, values := range r.Header {
		if name == "Content-Length" {
			continue // written by received
		}
		for _, value := range values {
			head += "\n" + name + ": " + value
		}
	}
	return received(t, head, body)
}

func hashOf(body string) string {
	digest := sha256.Sum256([]byte(body))
	return hex.EncodeToString(digest[:])
}
