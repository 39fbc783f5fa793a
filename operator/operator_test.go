package operator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/flood"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
)

// env is a server with one route of each kind, and what it logs and counts.
type env struct {
	t       *testing.T
	server  *Server
	keys    *identity.Keys
	admin   identity.Key
	log     bytes.Buffer
	counted []string
	served  int
}

func newEnv(t *testing.T, guard *flood.Guard) *env {
	t.Helper()
	e := &env{t: t}
	var err error
	e.keys, err = identity.OpenKeys(identity.KeysOptions{Path: filepath.Join(t.TempDir(), "keys.json"), Account: account, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	e.admin = e.keys.List()[0]
	serve := func(said any, err error) func(context.Context, *Call) (any, error) {
		return func(context.Context, *Call) (any, error) { e.served++; return said, err }
	}
	e.server = New(Options{
		Keys: e.keys, Region: region, Now: time.Now, Flood: guard, Log: slog.New(slog.NewTextHandler(&e.log, nil)),
		Observe: func(action, code string, _ time.Duration) { e.counted = append(e.counted, action+" "+code) },
		Routes: []Route{
			{Method: "GET", Path: "/metrics", Action: "muster:ReadMetrics", Serve: func(_ context.Context, c *Call) (any, error) {
				_, err := io.WriteString(c.Writer, "plain")
				return Taken, err
			}},
			{Method: "GET", Path: "/muster/v1/clock", Action: "muster:ReadClock", Serve: serve(map[string]int{"now": 1}, nil)},
			{Method: "POST", Path: "/muster/v1/clock", Action: "muster:MoveClock", BodyMax: 20, Serve: func(_ context.Context, c *Call) (any, error) {
				var order struct {
					Set int `json:"set"`
				}
				return order, c.Decode(&order)
			}},
			{Method: "GET", Path: "/muster/v1/jobs/{job}/options", Action: "muster:DescribeJobOptions",
				Resources: named("job"), Serve: func(_ context.Context, c *Call) (any, error) { return c.Names, nil }},
			{Method: "GET", Path: "/muster/v1/jobs/{job}/things/{thing}", Action: "muster:Explain",
				Resources: append(named("job"), named("thing")...), Serve: func(_ context.Context, c *Call) (any, error) { return c.Names, nil }},
			{Method: "GET", Path: "/muster/v1/missing", Action: "muster:A", Serve: serve(nil, muster.Errorf(muster.NotFound, "not there"))},
			{Method: "GET", Path: "/muster/v1/broken", Action: "muster:B", Serve: serve(nil, errors.New("disk on fire"))},
			{Method: "GET", Path: "/muster/v1/internal", Action: "muster:B", Serve: serve(nil, &muster.Error{Msg: "a secret"})},
			{Method: "GET", Path: "/muster/v1/panics", Action: "muster:C", Serve: func(context.Context, *Call) (any, error) { panic("oops") }},
		},
	})
	return e
}

// key adds a key with one statement.
func (e *env) key(statement string) identity.Key {
	e.t.Helper()
	key := identity.NewKey(account, "ann")
	key.Policies = []string{`{"Version":"2012-10-17","Statement":` + statement + `}`}
	if err := e.keys.Add(key); err != nil {
		e.t.Fatal(err)
	}
	return key
}

// send sends a request that key signs; with the zero key it is not signed.
func (e *env) send(key identity.Key, method, target, body string) *httptest.ResponseRecorder {
	e.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if key.AccessKeyID != "" {
		sigv4.Sign(r, []byte(body), key.Credential, region, "iot", time.Now())
	}
	w := httptest.NewRecorder()
	e.server.ServeHTTP(w, r)
	return w
}

// named returns the resource of a kind that is named in the path.
func named(kind string) []func(map[string]string) (string, error) {
	return []func(map[string]string) (string, error){func(names map[string]string) (string, error) {
		if strings.Contains(names[kind], "/") {
			return "", muster.Errorf(muster.Invalid, "no id of a %s", kind)
		}
		return "arn:aws:iot:eu-west-1:111122223333:" + kind + "/" + names[kind], nil
	}}
}

func TestEachRequestIsAnsweredCountedAndLogged(t *testing.T) {
	nobody := identity.Key{}
	stranger := identity.NewKey(account, "stranger")
	for name, tt := range map[string]struct {
		method, target, body string
		key                  *identity.Key // admin's when nil
		statement            string        // of a key that is made for it
		status               int
		code, want           string
		action               string
	}{
		"an answer":                      {method: "GET", target: "/muster/v1/clock", status: 200, want: `{"now":1}`, action: "muster:ReadClock"},
		"an answer that a route writes":  {method: "GET", target: "/metrics", status: 200, want: "plain", action: "muster:ReadMetrics"},
		"a name in the path":             {method: "GET", target: "/muster/v1/jobs/f%77/options", status: 200, want: `{"job":"fw"}`, action: "muster:DescribeJobOptions"},
		"a name that is none":            {method: "GET", target: "/muster/v1/jobs/a%2Fb/options", status: 400, code: "InvalidRequestException", want: "no id of a job", action: "muster:DescribeJobOptions"},
		"no name":                        {method: "GET", target: "/muster/v1/jobs//options", status: 404, code: "UnknownOperationException", action: "unknown"},
		"an unknown path":                {method: "GET", target: "/muster/v1/no", status: 404, code: "UnknownOperationException", want: "/muster/v1/no", action: "unknown"},
		"another spelling of a path":     {method: "GET", target: "/muster/v1/cl%6fck", status: 404, code: "UnknownOperationException", action: "unknown"},
		"an unknown path, of nobody":     {method: "GET", target: "/muster/v1/no", key: &nobody, status: 404, code: "UnknownOperationException", action: "unknown"},
		"another method":                 {method: "DELETE", target: "/muster/v1/clock", status: 405, code: "MethodNotAllowedException", want: "only GET, POST", action: "unknown"},
		"no key":                         {method: "GET", target: "/muster/v1/clock", key: &nobody, status: 403, code: "MissingAuthenticationTokenException", action: "muster:ReadClock"},
		"an unknown key":                 {method: "GET", target: "/metrics", key: &stranger, status: 403, code: "UnrecognizedClientException", action: "muster:ReadMetrics"},
		"a key that may":                 {method: "GET", target: "/muster/v1/clock", statement: `{"Effect":"Allow","Action":"muster:ReadClock","Resource":"*"}`, status: 200, action: "muster:ReadClock"},
		"a key that may do another":      {method: "POST", target: "/muster/v1/clock", body: "{}", statement: `{"Effect":"Allow","Action":"muster:ReadClock","Resource":"*"}`, status: 403, code: "AccessDeniedException", want: "not authorized to perform: muster:MoveClock", action: "muster:MoveClock"},
		"a key of the contract":          {method: "GET", target: "/metrics", statement: `{"Effect":"Allow","Action":["iot:*","s3:*"],"Resource":"*"}`, status: 403, code: "AccessDeniedException", action: "muster:ReadMetrics"},
		"a key that may do it elsewhere": {method: "GET", target: "/muster/v1/clock", statement: `{"Effect":"Allow","Action":"muster:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`, status: 403, code: "AccessDeniedException", action: "muster:ReadClock"},
		"a key that may do it from here": {method: "GET", target: "/muster/v1/clock", statement: `{"Effect":"Allow","Action":"muster:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`, status: 200, action: "muster:ReadClock"},
		"a key for one job":              {method: "GET", target: "/muster/v1/jobs/fw/options", statement: `{"Effect":"Allow","Action":"muster:*","Resource":"arn:aws:iot:*:*:job/fw"}`, status: 200, action: "muster:DescribeJobOptions"},
		"a key for another job":          {method: "GET", target: "/muster/v1/jobs/fw2/options", statement: `{"Effect":"Allow","Action":"muster:*","Resource":"arn:aws:iot:*:*:job/fw"}`, status: 403, code: "AccessDeniedException", action: "muster:DescribeJobOptions"},
		"a key for a job and a thing":    {method: "GET", target: "/muster/v1/jobs/fw/things/lamp", statement: `{"Effect":"Allow","Action":"muster:*","Resource":["arn:aws:iot:*:*:job/fw","arn:aws:iot:*:*:thing/lamp"]}`, status: 200, action: "muster:Explain"},
		"a key for the job only":         {method: "GET", target: "/muster/v1/jobs/fw/things/lamp", statement: `{"Effect":"Allow","Action":"muster:*","Resource":"arn:aws:iot:*:*:job/fw"}`, status: 403, code: "AccessDeniedException", action: "muster:Explain"},
		"a key for the thing only":       {method: "GET", target: "/muster/v1/jobs/fw/things/lamp", statement: `{"Effect":"Allow","Action":"muster:*","Resource":"arn:aws:iot:*:*:thing/lamp"}`, status: 403, code: "AccessDeniedException", action: "muster:Explain"},
		"a body":                         {method: "POST", target: "/muster/v1/clock", body: `{"set":7}`, status: 200, want: `{"set":7}`, action: "muster:MoveClock"},
		"a body that is too long":        {method: "POST", target: "/muster/v1/clock", body: `{"set":77777777777777}`, status: 413, code: "RequestEntityTooLargeException", want: "larger than 20 bytes", action: "muster:MoveClock"},
		"a body that is no JSON":         {method: "POST", target: "/muster/v1/clock", body: `{`, status: 400, code: "InvalidRequestException", want: "must be a JSON object", action: "muster:MoveClock"},
		"a body with a comma too many":   {method: "POST", target: "/muster/v1/clock", body: `{"set":7,}`, status: 400, code: "InvalidRequestException", want: "at line 1, column 10: unexpected '}'", action: "muster:MoveClock"},
		"a body that is an array":        {method: "POST", target: "/muster/v1/clock", body: `[1]`, status: 400, code: "InvalidRequestException", want: `{"message":"The body must be a JSON object: it is an array"}`, action: "muster:MoveClock"},
		"a member of another type":       {method: "POST", target: "/muster/v1/clock", body: `{"set":"7"}`, status: 400, code: "InvalidRequestException", want: `{"message":"The body must be a JSON object: \"set\" cannot be a string"}`, action: "muster:MoveClock"},
		"a number that is too large":     {method: "POST", target: "/muster/v1/clock", body: `{"set":1e99}`, status: 400, code: "InvalidRequestException", want: `{"message":"The body must be a JSON object: \"set\" cannot be a number 1e99"}`, action: "muster:MoveClock"},
		"a body with more":               {method: "POST", target: "/muster/v1/clock", body: `{} {}`, status: 400, code: "InvalidRequestException", want: "one JSON object", action: "muster:MoveClock"},
		"a member twice":                 {method: "POST", target: "/muster/v1/clock", body: `{"set":1,"set":2}`, status: 400, code: "InvalidRequestException", want: "more than once", action: "muster:MoveClock"},
		"a body with another member":     {method: "POST", target: "/muster/v1/clock", body: `{"sot":7}`, status: 400, code: "InvalidRequestException", want: "unknown field", action: "muster:MoveClock"},
		"an error of the caller":         {method: "GET", target: "/muster/v1/missing", status: 404, code: "ResourceNotFoundException", want: "not there", action: "muster:A"},
		"an error of ours":               {method: "GET", target: "/muster/v1/broken", status: 500, code: "InternalFailureException", want: internalText, action: "muster:B"},
		"an error of ours with a kind":   {method: "GET", target: "/muster/v1/internal", status: 500, code: "InternalFailureException", want: internalText, action: "muster:B"},
		"a panic":                        {method: "GET", target: "/muster/v1/panics", status: 500, code: "InternalFailureException", want: internalText, action: "muster:C"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, nil)
			key := e.admin
			if tt.key != nil {
				key = *tt.key
			} else if tt.statement != "" {
				key = e.key(tt.statement)
			}
			w := e.send(key, tt.method, tt.target, tt.body)
			if w.Code != tt.status || w.Header().Get("X-Amzn-Errortype") != tt.code || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("%d %s %s, want %d %s …%s…", w.Code, w.Header().Get("X-Amzn-Errortype"), w.Body, tt.status, tt.code, tt.want)
			}
			if w.Header().Get("X-Amzn-Requestid") == "" {
				t.Error("the answer has no request id")
			}
			code := tt.code
			if code == "" {
				code = "ok"
			}
			if len(e.counted) != 1 || e.counted[0] != tt.action+" "+code {
				t.Errorf("counted as %q, want %q", e.counted, tt.action+" "+code)
			}
			line := e.log.String()
			for _, part := range []string{"msg=request", "plane=operator", "operation=" + tt.action, "code=" + code, "remote=192.0.2.1:1234", "method=" + tt.method} {
				if strings.Count(line, "msg=request") != 1 || !strings.Contains(line, part) {
					t.Errorf("the log is %q, want one line with %s", line, part)
				}
			}
			if tt.status == 500 != strings.Contains(line, "level=ERROR") {
				t.Errorf("the log is %q", line)
			}
			if key.AccessKeyID != "" && tt.action != "unknown" && tt.status != 413 && !strings.Contains(line, "access_key="+key.AccessKeyID) {
				t.Errorf("the log is %q, want the access key in it", line)
			}
		})
	}
}

// A flood of requests that prove nothing leaves few lines, and those of holders of
// keys all of theirs.
func TestAFloodOfFailuresIsCountedInTheLog(t *testing.T) {
	e := newEnv(t, flood.New(time.Now))
	for range 500 {
		e.send(identity.Key{}, "GET", "/muster/v1/clock", "")
	}
	if n := strings.Count(e.log.String(), "msg=request"); n == 0 || n > 50 {
		t.Errorf("500 requests without a key left %d lines", n)
	}
	e.log.Reset()
	weak := e.key(`{"Effect":"Deny","Action":"*","Resource":"*"}`)
	for range 100 {
		e.send(e.admin, "GET", "/muster/v1/clock", "")
		e.send(weak, "GET", "/muster/v1/clock", "")
	}
	if n := strings.Count(e.log.String(), "msg=request"); n != 200 {
		t.Errorf("200 requests of known keys left %d lines, want 200", n)
	}
	if len(e.counted) != 700 {
		t.Errorf("%d requests were counted, want 700", len(e.counted))
	}
}

func TestClaims(t *testing.T) {
	e := newEnv(t, nil)
	for target, want := range map[string]bool{
		"/metrics": true, "/muster/v1/": true, "/muster/v1/anything": true, "/muster/v1/jobs/a%2Fb/options": true,
		"/": false, "/muster/v1": false, "/muster": false, "/jobs": false, "/metrics/": false, "/met%72ics": false, "//metrics": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "http://h"+target, nil)
		if got := e.server.Claims(r); got != want {
			t.Errorf("Claims(%s) = %t, want %t", target, got, want)
		}
	}
}

// Each kind of failure has a word of its own in the table.
func TestEveryKindHasAWord(t *testing.T) {
	for kind, w := range words {
		if w.name == "" || w.status < 400 {
			t.Errorf("kind %d is %+v", kind, w)
		}
	}
}
