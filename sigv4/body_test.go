package sigv4_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// The public examples of S3 for bodies in chunks use this key and instant.
var (
	example   = sigv4.Credential{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	exampleAt = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
)

func objectVerifier() *sigv4.Verifier {
	return &sigv4.Verifier{
		Region: "us-east-1", Services: []string{"s3"}, Skew: 15 * time.Minute,
		Lookup: func(id string) (sigv4.Credential, error) {
			if id != example.AccessKeyID {
				return sigv4.Credential{}, sigv4.ErrUnknownKey
			}
			return example, nil
		},
	}
}

func examplePut(headers, signature string) *http.Request {
	r := &http.Request{Method: "PUT", RequestURI: "/examplebucket/chunkObject.txt", Host: "s3.amazonaws.com", Header: http.Header{}, ContentLength: -1}
	names := []string{"host"}
	for line := range strings.SplitSeq(headers, "\n") {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Set(name, value)
	}
	for _, name := range []string{"content-encoding", "content-length", "x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length", "x-amz-storage-class", "x-amz-trailer"} {
		if r.Header.Get(name) != "" {
			names = append(names, name)
		}
	}
	if len(names) > 2 { // host comes after content-…
		names = append(names[1:], "host")
		slices.Sort(names)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="+strings.Join(names, ";")+",Signature="+signature)
	return r
}

const signedHead = "content-encoding:aws-chunked\ncontent-length:66824\nx-amz-content-sha256:STREAMING-AWS4-HMAC-SHA256-PAYLOAD\nx-amz-date:20130524T000000Z\nx-amz-decoded-content-length:66560\nx-amz-storage-class:REDUCED_REDUNDANCY"
const signedSeed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"

var signedBody = "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + strings.Repeat("a", 65536) + "\r\n" +
	"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + strings.Repeat("a", 1024) + "\r\n" +
	"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"

const trailerHead = "content-encoding:aws-chunked\nx-amz-content-sha256:STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\nx-amz-date:20130524T000000Z\nx-amz-decoded-content-length:66560\nx-amz-storage-class:REDUCED_REDUNDANCY\nx-amz-trailer:x-amz-checksum-crc32c"
const trailerSeed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"

var trailerBody = "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" + strings.Repeat("a", 65536) + "\r\n" +
	"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" + strings.Repeat("a", 1024) + "\r\n" +
	"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" +
	"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"

func TestChunkedVectors(t *testing.T) {
	for name, test := range map[string]struct{ head, seed, body, trailer string }{
		"signed":         {signedHead, signedSeed, signedBody, ""},
		"with a trailer": {trailerHead, trailerSeed, trailerBody, "sOO8/Q=="},
	} {
		t.Run(name, func(t *testing.T) {
			s, body, err := objectVerifier().VerifyHead(examplePut(test.head, test.seed), exampleAt)
			if err != nil || !body.Chunked || s.UnsignedPayload {
				t.Fatalf("VerifyHead() = %+v, %+v, %v", s, body, err)
			}
			r := body.Reader(iotest.HalfReader(strings.NewReader(test.body)))
			got, err := io.ReadAll(r)
			if err != nil || string(got) != strings.Repeat("a", 66560) {
				t.Errorf("the body has %d bytes, %v", len(got), err)
			}
			if got := r.Trailer.Get("x-amz-checksum-crc32c"); got != test.trailer {
				t.Errorf("the trailer has the checksum %q, want %q", got, test.trailer)
			}
		})
	}
}

func TestChunkedRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		head, seed, body string
		code             sigv4.Code
	}{
		"another byte":               {signedHead, signedSeed, strings.Replace(signedBody, "aaaa", "aaba", 1), sigv4.InvalidSignature},
		"the last chunk missing":     {signedHead, signedSeed, signedBody[:strings.LastIndex(signedBody, "0;")], ""},
		"a chunk left out":           {signedHead, signedSeed, signedBody[strings.Index(signedBody, "400;"):], sigv4.InvalidSignature},
		"cut within a chunk":         {signedHead, signedSeed, signedBody[:1000], ""},
		"no signature":               {signedHead, signedSeed, "1\r\na\r\n0\r\n\r\n", sigv4.InvalidBody},
		"no size":                    {signedHead, signedSeed, "x;chunk-signature=00\r\n", sigv4.InvalidBody},
		"a size beyond all":          {signedHead, signedSeed, "ffffffffffffffff;chunk-signature=00\r\n", sigv4.InvalidBody},
		"a line without an end":      {signedHead, signedSeed, strings.Repeat("0", 5000), sigv4.InvalidBody},
		"empty":                      {signedHead, signedSeed, "", ""},
		"a chunk longer than said":   {signedHead, signedSeed, strings.Replace(signedBody, "10000;", "ffff;", 1), sigv4.InvalidSignature},
		"another trailer":            {trailerHead, trailerSeed, strings.Replace(trailerBody, "sOO8", "sOO9", 1), sigv4.InvalidSignature},
		"a trailer not signed":       {trailerHead, trailerSeed, strings.Replace(trailerBody, "x-amz-trailer-signature", "x", 1), sigv4.InvalidSignature},
		"a trailer that is no field": {trailerHead, trailerSeed, strings.Replace(trailerBody, "x-amz-checksum-crc32c:", "x", 1), sigv4.InvalidBody},
		"a trailer without end":      {trailerHead, trailerSeed, strings.Replace(trailerBody, "x-amz-ch", strings.Repeat("a:b\r\n", 20), 1), sigv4.InvalidBody},
	} {
		t.Run(name, func(t *testing.T) {
			_, body, err := objectVerifier().VerifyHead(examplePut(test.head, test.seed), exampleAt)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.ReadAll(body.Reader(strings.NewReader(test.body)))
			refused, ok := errors.AsType[*sigv4.Error](err)
			switch {
			case test.code == "" && !errors.Is(err, io.ErrUnexpectedEOF):
				t.Errorf("the body ends with %v, want an unexpected end", err)
			case test.code != "" && (!ok || refused.Code != test.code):
				t.Errorf("the body ends with %v, want %s", err, test.code)
			}
		})
	}
}

func TestVerifyHead(t *testing.T) {
	hello := hashOf("hello")
	for name, test := range map[string]struct {
		change func(r *http.Request)
		after  time.Duration
		code   sigv4.Code // of VerifyHead
		body   string     // what comes; "hello" if empty
		bad    bool       // the body is refused
	}{
		"a signed body":         {},
		"another body":          {body: "hallo", bad: true},
		"a clock slightly off":  {after: 14 * time.Minute},
		"a clock too far off":   {after: 16 * time.Minute, code: sigv4.RequestSkewed},
		"a clock too far ahead": {after: -16 * time.Minute, code: sigv4.RequestSkewed},
		"another path":          {change: func(r *http.Request) { r.RequestURI = "/lab/other" }, code: sigv4.InvalidSignature},
		"no hash":               {change: func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, code: sigv4.IncompleteSignature},
		"no hash at all":        {change: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "x") }, code: sigv4.IncompleteSignature},
		"another hash":          {change: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", hashOf("x")) }, code: sigv4.InvalidSignature},
		"no signature":          {change: func(r *http.Request) { r.Header.Del("Authorization") }, code: sigv4.MissingAuthenticationToken},
		"another region": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "us-east-1", "eu-west-1", 1))
		}, code: sigv4.WrongScope},
		"another service": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/s3/", "/iot/", 1))
		}, code: sigv4.WrongScope},
		"another key": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "AKIAI", "AKIAX", 1))
		}, code: sigv4.UnrecognizedClient},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest(t, "PUT", "http://127.0.0.1/lab/a%20b/..//c%2Bd?x-id=PutObject", "hello")
			r.Header.Set("X-Amz-Content-Sha256", hello)
			sigv4.Sign(r, nil, example, "us-east-1", "s3", exampleAt)
			got, _ := overTheWire(t, r, "hello")
			if test.change != nil {
				test.change(got)
			}
			_, body, err := objectVerifier().VerifyHead(got, exampleAt.Add(test.after))
			refused, _ := errors.AsType[*sigv4.Error](err)
			switch {
			case test.code != "" && (refused == nil || refused.Code != test.code):
				t.Errorf("VerifyHead() = %v, want %s", err, test.code)
				return
			case test.code != "":
				return
			case err != nil:
				t.Fatalf("VerifyHead() = %v, want no error", err)
			}
			if test.body == "" {
				test.body = "hello"
			}
			_, err = io.ReadAll(body.Reader(strings.NewReader(test.body)))
			if refused, _ := errors.AsType[*sigv4.Error](err); (refused != nil && refused.Code == sigv4.InvalidBody) != test.bad {
				t.Errorf("the body ends with %v, want a refusal: %v", err, test.bad)
			}
		})
	}
}

func TestPresignedObject(t *testing.T) {
	for name, test := range map[string]struct {
		life, after time.Duration
		code        sigv4.Code
	}{
		"at once":               {time.Hour, 0, ""},
		"at its end":            {time.Hour, time.Hour, ""},
		"a second after":        {time.Hour, time.Hour + time.Second, sigv4.RequestExpired},
		"long before":           {time.Hour, -16 * time.Minute, sigv4.RequestExpired},
		"after days":            {7 * 24 * time.Hour, 6 * 24 * time.Hour, ""},
		"longer than it can be": {30 * 24 * time.Hour, 8 * 24 * time.Hour, sigv4.RequestExpired},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest(t, "PUT", "http://127.0.0.1/lab/k", "")
			sigv4.Presign(r, example, "us-east-1", "s3", test.life, exampleAt)
			got, _ := overTheWire(t, r, "any body")
			s, body, err := objectVerifier().VerifyHead(got, exampleAt.Add(test.after))
			refused, _ := errors.AsType[*sigv4.Error](err)
			if test.code != "" && (refused == nil || refused.Code != test.code) || test.code == "" && err != nil {
				t.Errorf("VerifyHead() = %v, want %q", err, test.code)
			}
			if err == nil && (!s.UnsignedPayload || body.Chunked) {
				t.Errorf("VerifyHead() = %+v, %+v; want any body to do", s, body)
			}
		})
	}
}

// Unsigned chunks are either refused or read as the bytes that they hold.
func FuzzUnsignedChunks(f *testing.F) {
	f.Add("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n")
	f.Add("5\r\nhello\r\n0\r\n")
	f.Add("ffffffffffffffff\r\n")
	r := newRequest(f, "PUT", "http://127.0.0.1/lab/k", "")
	r.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
	sigv4.Sign(r, nil, example, "us-east-1", "s3", exampleAt)
	f.Fuzz(func(t *testing.T, sent string) {
		_, body, err := objectVerifier().VerifyHead(r, exampleAt)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body.Reader(strings.NewReader(sent)))
		if err != nil {
			return
		}
		again := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(got), got)
		_, body, _ = objectVerifier().VerifyHead(r, exampleAt)
		if len(got) == 0 {
			again = "0\r\n\r\n"
		}
		if same, err := io.ReadAll(body.Reader(strings.NewReader(again))); err != nil || string(same) != string(got) {
			t.Errorf("%q is %q in chunks, and that in one chunk is %q, %v", sent, got, same, err)
		}
	})
}

func BenchmarkSignedChunks(b *testing.B) {
	b.SetBytes(66560)
	for b.Loop() {
		_, body, err := objectVerifier().VerifyHead(examplePut(signedHead, signedSeed), exampleAt)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, body.Reader(strings.NewReader(signedBody))); err != nil {
			b.Fatal(err)
		}
	}
}
