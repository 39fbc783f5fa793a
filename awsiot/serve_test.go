package awsiot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

func TestWhatIsNoOperation(t *testing.T) {
	tests := map[string]struct {
		method, target string
		status         int
		errorType      string
		message        string
	}{
		"a path that nobody knows":         {"GET", "/nothing", 404, "UnknownOperationException", "no operation has the path /nothing"},
		"the root":                         {"GET", "/", 404, "UnknownOperationException", "no operation has the path /"},
		"a final slash":                    {"GET", "/jobs/fw/", 404, "UnknownOperationException", "/jobs/fw/"},
		"a method that the path has not":   {"POST", "/jobs/fw", 405, "MethodNotAllowedException", "DELETE, GET, PATCH, PUT"},
		"a HEAD":                           {"HEAD", "/jobs/fw", 405, "MethodNotAllowedException", ""},
		"an operation that nobody built":   {"POST", "/security-profiles/x", 501, "NotImplementedException", "CreateSecurityProfile"},
		"a data plane that is not plugged": {"PUT", "/things/lamp/jobs/$next", 501, "NotImplementedException", "StartNextPendingJobExecution"},
		"a data plane that nobody built":   {"POST", "/topics/a", 501, "NotImplementedException", "Publish"},
		"a shape that only the edge knows": {"GET", "/audit/findings/x", 501, "NotImplementedException", "DescribeAuditFinding"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			r := httptest.NewRequest(test.method, test.target, nil)
			got := env.serve(env.sign(r, "", "iot"))
			if got.status != test.status || got.errorType() != test.errorType {
				t.Errorf("%s %s = %d %s %s, want %d %s", test.method, test.target, got.status, got.errorType(), got.body, test.status, test.errorType)
			}
			if !strings.Contains(got.body, test.message) || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("body is %s %s, want JSON with %q", got.header.Get("Content-Type"), got.body, test.message)
			}
			if test.status == http.StatusMethodNotAllowed && got.header.Get("Allow") == "" {
				t.Errorf("a 405 without Allow")
			}
		})
	}
}

func TestWhoMayCome(t *testing.T) {
	const path = "/jobs"
	tests := map[string]struct {
		change    func(*http.Request)
		status    int
		errorType string
	}{
		"nobody":              {func(r *http.Request) { r.Header.Del("Authorization") }, 403, "MissingAuthenticationTokenException"},
		"a stranger":          {func(r *http.Request) { swap(r, admin.AccessKeyID, "AKIDNOBODY") }, 403, "UnrecognizedClientException"},
		"a wrong signature":   {func(r *http.Request) { r.Method = "PUT"; r.URL.Path = "/jobs/x"; r.RequestURI = "/jobs/x" }, 403, "InvalidSignatureException"},
		"a malformed header":  {func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x") }, 403, "IncompleteSignatureException"},
		"another service":     {func(r *http.Request) { swap(r, "/iot/", "/iotwireless/") }, 403, "InvalidSignatureException"},
		"a changed parameter": {func(r *http.Request) { r.RequestURI = path + "?maxResults=1" }, 403, "InvalidSignatureException"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			r := env.sign(httptest.NewRequest("GET", path, nil), "", "iot")
			test.change(r)
			got := env.serve(r)
			if got.status != test.status || got.errorType() != test.errorType || !strings.Contains(got.body, `"message":"`) {
				t.Errorf("got %d %s %s, want %d %s and a message", got.status, got.errorType(), got.body, test.status, test.errorType)
			}
		})
	}
}

func swap(r *http.Request, from, to string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
}

// dataPlane answers with the caller and the body that it got.
type dataPlane struct{}

func (dataPlane) ServeCaller(w http.ResponseWriter, r *http.Request, caller identity.Caller) {
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path == "/things/lamp/jobs/teapot" {
		w.Header().Set("X-Amzn-Errortype", "TeapotException")
		w.WriteHeader(http.StatusTeapot)
	}
	_, _ = io.WriteString(w, "data "+r.Method+" "+r.URL.Path+" "+caller.ARN+" "+string(body))
}

func TestTheSigningServiceTellsThePlanesApart(t *testing.T) { // jobs-control-plane.md section 11, line 15
	env := newEnvWith(t, Options{DataPlane: dataPlane{}})
	env.thing("lamp")
	tests := map[string]struct {
		service, method, target, body string
		want                          string // the beginning of the answer
	}{
		"a list for iot":           {"iot", "GET", "/things/lamp/jobs", "", `{"executionSummaries":[]}`},
		"a list for iot-jobs-data": {"iot-jobs-data", "GET", "/things/lamp/jobs", "", "data GET /things/lamp/jobs arn:aws:iam::111122223333:user/AKIDADMIN"},
		"a list for execute-api":   {"execute-api", "GET", "/things/lamp/jobs", "", `{"executionSummaries":[]}`},
		"one for execute-api":      {"execute-api", "GET", "/things/lamp/jobs/fw", "", `{"message":`},
		"a list for iotjobsdata":   {"iotjobsdata", "GET", "/things/lamp/jobs", "", "data GET"},
		"a list for iotdata":       {"iotdata", "GET", "/things/lamp/jobs", "", "data GET"},
		"one for iot":              {"iot", "GET", "/things/lamp/jobs/fw", "", `{"message":`},
		"one for iot-jobs-data":    {"iot-jobs-data", "GET", "/things/lamp/jobs/%24next", "", "data GET /things/lamp/jobs/$next"},
		"a path of one plane only": {"iot", "PUT", "/things/lamp/jobs/$next", `{"a":1}`, `data PUT /things/lamp/jobs/$next arn:aws:iam::111122223333:user/AKIDADMIN {"a":1}`},
		"and of the other":         {"iot-jobs-data", "GET", "/jobs", "", `{"jobs":[]}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			env.server.ServeHTTP(rec, env.sign(httptest.NewRequest(test.method, test.target, strings.NewReader(test.body)), test.body, test.service))
			if got := rec.Body.String(); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s %s for %s = %d %s, want %s", test.method, test.target, test.service, rec.Code, got, test.want)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	big := strings.Repeat(" ", wire.MaxBody+1)
	headers := func(n int) http.Header {
		h := http.Header{}
		for i := range n {
			h.Set("X-H-"+strings.Repeat("a", i+1), "v")
		}
		return h
	}
	tests := map[string]struct {
		target, body string
		header       http.Header
		length       int64
		status       int
		errorType    string
	}{
		"a body that is too large":         {"/jobs/fw", big, nil, int64(len(big)), 413, "RequestEntityTooLargeException"},
		"one that does not say so":         {"/jobs/fw", big, nil, -1, 413, "RequestEntityTooLargeException"},
		"one that fits":                    {"/jobs/fw", "{}" + big[:wire.MaxBody-2], nil, -1, 400, "InvalidRequestException"},
		"too many headers":                 {"/jobs/fw", "", headers(maxHeaders), 0, 431, "InvalidRequestException"},
		"a URI that is too long":           {"/jobs/fw?x=" + strings.Repeat("y", maxURI), "", nil, 0, 414, "InvalidRequestException"},
		"a query with too many parameters": {"/jobs/fw?" + strings.Repeat("a&", 2000), "", nil, 0, 403, "IncompleteSignatureException"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			r := httptest.NewRequest("PUT", test.target, strings.NewReader(test.body))
			r.ContentLength = test.length
			if test.header != nil {
				r.Header = test.header
			}
			rec := httptest.NewRecorder()
			env.server.ServeHTTP(rec, env.sign(r, test.body, "iot"))
			if got := rec.Header().Get("x-amzn-ErrorType"); rec.Code != test.status || got != test.errorType {
				t.Errorf("got %d %s, want %d %s", rec.Code, got, test.status, test.errorType)
			}
		})
	}
}

func TestAPanicEndsOneRequestOnly(t *testing.T) {
	var log bytes.Buffer
	env := newEnvWith(t, Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	real := env.server.operations[wire.ListJobs]
	env.server.operations[wire.ListJobs] = operation{Operation: wire.ListJobs, run: func(context.Context, *call) ([]byte, error) { panic("boom") }}
	got := env.wantError("GET", "/jobs", "", 503, "ServiceUnavailableException")
	if strings.Contains(got.body, "boom") {
		t.Errorf("the caller was shown the panic: %s", got.body)
	}
	id := got.header.Get("x-amzn-RequestId")
	for _, part := range []string{id, "boom", "serve_test.go", `"level":"ERROR"`} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log is %s, want it to hold %q", log.String(), part)
		}
	}
	env.server.operations[wire.ListJobs] = real
	env.must("GET", "/jobs", "")
}

func TestTheLogTellsTheStoryWithoutSecrets(t *testing.T) {
	var log bytes.Buffer
	type observed struct{ plane, operation, code string }
	var seen []observed
	env := newEnvWith(t, Options{
		Log:       slog.New(slog.NewTextHandler(&log, nil)),
		DataPlane: dataPlane{},
		Observe: func(plane, operation, code string, took time.Duration) {
			seen = append(seen, observed{plane, operation, code})
		},
	})
	env.send("GET", "/things/lamp/jobs/fw", "")
	for _, part := range []string{
		"operation=DescribeJobExecution", "plane=control", "code=ResourceNotFoundException", "status=404",
		"access_key=AKIDADMIN", "thingName=lamp", "jobId=fw", "request_id=", "took=", "level=INFO",
	} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log is %s, want it to hold %s", log.String(), part)
		}
	}
	env.send("GET", "/jobs", "")
	env.send("GET", "/wp-login.php", "")
	env.server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/things/lamp/jobs", nil))
	if strings.Contains(log.String(), string(admin.Secret)) || strings.Contains(log.String(), "Signature=") {
		t.Errorf("the log holds a secret: %s", log.String())
	}
	log.Reset()
	env.server.ServeHTTP(httptest.NewRecorder(), env.sign(httptest.NewRequest("GET", "/things/lamp/jobs/teapot", nil), "", "iot-jobs-data"))
	for _, part := range []string{"plane=data", "code=TeapotException", "status=418"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log of what the data plane answered is %s, want it to hold %s", log.String(), part)
		}
	}
	log.Reset()
	env.server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/jobs/"+strings.Repeat("x", 10_000), nil))
	if log.Len() > 2_000 {
		t.Errorf("a long name makes a log entry of %d bytes", log.Len())
	}
	want := []observed{
		{"control", "DescribeJobExecution", "ResourceNotFoundException"},
		{"control", "ListJobs", "ok"},
		{"control", "unknown", "UnknownOperationException"},
		{"data", "GetPendingJobExecutions", "MissingAuthenticationTokenException"},
		{"control", "DescribeJob", "MissingAuthenticationTokenException"},
	}
	if len(seen) != len(want) {
		t.Fatalf("observed %v, want %v", seen, want)
	}
	for i := range want {
		if seen[i] != want[i] {
			t.Errorf("observed %v, want %v", seen[i], want[i])
		}
	}
}

func TestWithoutAuthentication(t *testing.T) {
	tests := map[string]struct {
		host, origin, service string
		method, target        string
		status                int
	}{
		"an unsigned request":                         {"127.0.0.1:8080", "", "", "GET", "/jobs", 200},
		"by the name of this machine":                 {"localhost:8080", "", "", "GET", "/jobs", 200},
		"over IPv6":                                   {"[::1]:8080", "", "", "GET", "/jobs", 200},
		"a signature of any key":                      {"localhost", "", "iot", "GET", "/jobs", 200},
		"the service still tells the planes apart":    {"localhost", "", "iot", "GET", "/things/lamp/jobs", 200},
		"without one it is the data plane":            {"localhost", "", "", "GET", "/things/lamp/jobs", 501},
		"a page of another site":                      {"localhost", "https://evil.example", "", "PUT", "/jobs/x/cancel", 403},
		"a name that somebody pointed at the machine": {"evil.example:8080", "", "", "GET", "/jobs", 403},
		"an address of another machine":               {"192.0.2.7:8080", "", "", "GET", "/jobs", 403},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := newEnvWith(t, Options{AuthNone: true})
			env.thing("lamp")
			r := httptest.NewRequest(test.method, test.target, nil)
			r.Host = test.host
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			if test.service != "" {
				sigv4.Sign(r, nil, sigv4.Credential{AccessKeyID: "any", Secret: "thing"}, "mars", test.service, env.clock().Time())
			}
			rec := httptest.NewRecorder()
			env.server.ServeHTTP(rec, r)
			if rec.Code != test.status {
				t.Errorf("%s %s at %s = %d %s, want %d", test.method, test.target, test.host, rec.Code, rec.Body, test.status)
			}
		})
	}
}

func TestTheTableHasEachOperationOnce(t *testing.T) {
	seen := map[*wire.Operation]bool{}
	for _, op := range table(Options{}) {
		if seen[op.Operation] {
			t.Errorf("%s has two rows", op.Name)
		}
		seen[op.Operation] = true
		if own := op.Service == wire.ControlPlane; own != (op.run != nil) {
			t.Errorf("%s is of %s, and is handed over: %v", op.Name, op.Service, op.run == nil)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	env := newEnv(t)
	for name, spoil := range map[string]func(*Options){
		"nothing":     func(o *Options) { *o = Options{} },
		"no keys":     func(o *Options) { o.Keys = nil },
		"no clock":    func(o *Options) { o.Now = nil },
		"no account":  func(o *Options) { o.Account = muster.Account{} },
		"no catalog":  func(o *Options) { o.Catalog = nil },
		"no events":   func(o *Options) { o.Events = nil },
		"no jobs":     func(o *Options) { o.Jobs = nil },
		"no registry": func(o *Options) { o.Registry = nil },
		"no rights":   func(o *Options) { o.Rights = nil },
		"no tags":     func(o *Options) { o.Tags = nil },
	} {
		o := env.server.o
		if _, err := New(o); err != nil {
			t.Fatalf("New with everything = %v", err)
		}
		spoil(&o)
		if _, err := New(o); err == nil {
			t.Errorf("New with %s succeeded", name)
		}
	}
}

func TestDescribeEndpoint(t *testing.T) {
	env := newEnvWith(t, Options{Endpoints: Endpoints{Data: "data.example", Jobs: "jobs.example"}})
	for query, want := range map[string]string{
		"":                           "data.example",
		"?endpointType=iot:Data":     "data.example",
		"?endpointType=iot:Data-ATS": "data.example",
		"?endpointType=iot:Jobs":     "jobs.example",
	} {
		env.want("DescribeEndpoint"+query, env.must("GET", "/endpoint"+query, ""), `{"endpointAddress":"`+want+`"}`)
	}
	env.wantError("GET", "/endpoint?endpointType=iot:CredentialProvider", "", 400, "InvalidRequestException")
	env.wantError("GET", "/endpoint?endpointType=iot:Else", "", 400, "InvalidRequestException")
	one := newEnvWith(t, Options{Endpoints: Endpoints{Data: "data.example"}})
	one.want("DescribeEndpoint of jobs, with one host", one.must("GET", "/endpoint?endpointType=iot:Jobs", ""), `{"endpointAddress":"data.example"}`)
}

// JSON parsers differ in which of two members of the same name they use, so a body
// with such members is refused, at any depth and in any spelling of the name.
func TestABodyHasNoNameTwice(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	lamp := quoted([]string{"lamp"})
	for name, test := range map[string]struct{ method, target, body, key string }{
		"a member":             {"PUT", "/jobs/a", `{"targets":[` + lamp + `],"targets":[],"document":"{}"}`, "targets"},
		"an escaped member":    {"PUT", "/jobs/a", `{"targets":[` + lamp + `],"document":"{}","docu\u006dent":"{\"do\":\"harm\"}"}`, "document"},
		"a member of a member": {"PUT", "/jobs/a", `{"targets":[` + lamp + `],"document":"{}","timeoutConfig":{"inProgressTimeoutInMinutes":5,"inProgressTimeoutInMinutes":6}}`, "inProgressTimeoutInMinutes"},
		"a member unknown":     {"PUT", "/jobs/a", `{"targets":[` + lamp + `],"document":"{}","x":{"y":1,"y":2}}`, "y"},
		"a document's":         {"PUT", "/jobs/a", `{"targets":[` + lamp + `],"document":"{\"do\":[{\"a\":1,\"\\u0061\":2}]}"}`, "a"},
		"a template's":         {"PUT", "/job-templates/a", `{"description":"d","document":"{\"a\":1,\"a\":2}"}`, "a"},
		"an attribute":         {"POST", "/things/a", `{"attributePayload":{"attributes":{"k":"v","k":"w"}}}`, "k"},
		"a tag":                {"POST", "/thing-groups/a", `{"tags":[{"Key":"k","Key":"l","Value":"v"}]}`, "Key"},
	} {
		got := env.wantError(test.method, test.target, test.body, 400, "InvalidRequestException")
		if want := fmt.Sprintf(`the key \"%s\" twice`, test.key); !strings.Contains(got.body, want) {
			t.Errorf("%s: %s, want one with %s", name, got.body, want)
		}
	}
	got := env.wantError("PUT", "/packages/a", `{"tags":{"k":"v","k":"w"}}`, 400, "ValidationException")
	if !strings.Contains(got.body, `the key \"k\" twice`) {
		t.Errorf("a package's tags: %s", got.body)
	}
	for _, document := range []string{`{\"Version\":\"2012-10-17\",\"Version\":\"2008-10-17\",\"Statement\":[]}`,
		`{\"Statement\":{\"Effect\":\"Deny\",\"\\u0045ffect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}`,
		`{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"Bool\":{\"a\":\"true\",\"a\":\"false\"}}}}`} {
		got := env.wantError("POST", "/policies/p", `{"policyDocument":"`+document+`"}`, 400, "MalformedPolicyException")
		if !strings.Contains(got.body, "appears twice") {
			t.Errorf("the policy %s: %s", document, got.body)
		}
	}
}
