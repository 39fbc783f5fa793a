package awsiot

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/sigv4"
)

// FuzzServeHTTP sends any request that the holder of a key can send. The server must
// not panic or fail, and the answer must have the form of the service.
func FuzzServeHTTP(f *testing.F) {
	for _, op := range wire.Operations() {
		if op.Service == wire.ControlPlane && op.Shaped {
			path := strings.NewReplacer("{", "", "}", "").Replace(op.Path)
			f.Add(op.Method, path, `{"targets":["arn:aws:iot:eu-west-1:111122223333:thing/lamp"],"document":"{}"}`)
		}
	}
	f.Add("PUT", "/jobs/fw", `{"targets":["arn:aws:iot:eu-west-1:111122223333:thing/lamp"],"document":"{}","tags":[{"Key":"a"}]}`)
	f.Add("GET", "/jobs?nextToken=AAAA&maxResults=1&status=COMPLETED", "")
	f.Add("GET", "/things/lamp/jobs/%24next", "\xff")
	f.Add("BREW", "//jobs/%zz", "{")
	env := newEnv(f)
	env.thing("lamp")
	env.job("fw", "lamp")
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r := &http.Request{Method: method, RequestURI: target, Host: "x", Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
		var err error
		if r.URL, err = url.ParseRequestURI(target); err != nil {
			t.Skip("net/http refuses it")
		}
		sigv4.Sign(r, []byte(body), env.key, testAccount.Region, "iot", env.clock().Time())
		rec := &output{header: http.Header{}}
		env.server.ServeHTTP(rec, r)
		if rec.status >= 500 && rec.status != http.StatusNotImplemented {
			t.Fatalf("%s %q %q = %d %s", method, target, body, rec.status, &rec.body)
		}
		if rec.status != http.StatusOK && (rec.header.Get("x-amzn-ErrorType") == "" || !strings.HasPrefix(rec.body.String(), `{"message":"`)) {
			t.Fatalf("%s %q %q = %d %v %s, want a modeled error", method, target, body, rec.status, rec.header, &rec.body)
		}
	})
}

// output records an answer; unlike httptest's recorder it takes any status.
type output struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (o *output) Header() http.Header         { return o.header }
func (o *output) WriteHeader(status int)      { o.status = status }
func (o *output) Write(b []byte) (int, error) { return o.body.Write(b) }
