package awsiot

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

const (
	queryForm   = "application/x-www-form-urlencoded; charset=utf-8"
	whoIsAsked  = "Action=GetCallerIdentity&Version=2011-06-15"
	whoAnswered = "<Arn>arn:aws:iam::111122223333:user/AKIDADMIN</Arn><UserId>AIDA"
)

// foreignRequest is a request signed for another service.
type foreignRequest struct {
	method, target, service, body string
	kind, amzTarget               string
	key                           sigv4.Credential // admin's by default
	region                        string           // the account's by default
	presigned, unsigned           bool
	change                        func(*http.Request) // after it is signed
}

func (f foreignRequest) make(now time.Time) *http.Request {
	r := httptest.NewRequest(f.method, f.target, strings.NewReader(f.body))
	if f.kind != "" {
		r.Header.Set("Content-Type", f.kind)
	}
	if f.amzTarget != "" {
		r.Header.Set("X-Amz-Target", f.amzTarget)
	}
	if f.key.AccessKeyID == "" {
		f.key = admin
	}
	if f.region == "" {
		f.region = testAccount.Region
	}
	switch {
	case f.presigned:
		r.RequestURI = ""
		sigv4.Presign(r, f.key, f.region, f.service, time.Minute, now)
		r.RequestURI = r.URL.RequestURI()
	case !f.unsigned:
		sigv4.Sign(r, []byte(f.body), f.key, f.region, f.service, now)
	}
	if f.change != nil {
		f.change(r)
	}
	return r
}

func TestRequestsForOtherServices(t *testing.T) {
	const json10, json11 = "application/x-amz-json-1.0", "application/x-amz-json-1.1"
	const lookupTarget = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"
	stranger := sigv4.Credential{AccessKeyID: "AKIDNOBODY", Secret: "x"}
	thief := sigv4.Credential{AccessKeyID: admin.AccessKeyID, Secret: "guess"}
	otherBody := func(r *http.Request) { r.Body = http.NoBody; r.ContentLength = 0 }
	for name, test := range map[string]struct {
		foreignRequest
		status    int
		code      string // as the log and the metrics have it
		operation string
		want      []string
	}{
		"who is calling": {foreignRequest{method: "POST", target: "/", service: "sts", body: whoIsAsked, kind: queryForm},
			200, "ok", "GetCallerIdentity", []string{whoAnswered, "<Account>111122223333</Account>"}},
		"who is calling, by GET": {foreignRequest{method: "GET", target: "/?" + whoIsAsked, service: "sts"},
			200, "ok", "GetCallerIdentity", []string{whoAnswered}},
		"who is calling, presigned": {foreignRequest{method: "GET", target: "/?" + whoIsAsked, service: "sts", presigned: true},
			200, "ok", "GetCallerIdentity", []string{whoAnswered}},
		"who is calling, in the region of the global endpoint": {foreignRequest{method: "POST", target: "/", service: "sts", body: whoIsAsked, kind: queryForm, region: "us-east-1"},
			200, "ok", "GetCallerIdentity", []string{whoAnswered}},
		"a key that may do nothing knows who it is": {foreignRequest{method: "POST", target: "/", service: "sts", body: whoIsAsked, kind: queryForm, key: limited},
			200, "ok", "GetCallerIdentity", []string{"user/AKIDLIMITED"}},
		"another version": {foreignRequest{method: "POST", target: "/", service: "sts", body: "Action=GetCallerIdentity&Version=2010-01-01", kind: queryForm},
			400, "UnknownOperationException", "unknown", []string{"<Code>InvalidAction</Code>", "2011-06-15"}},
		"another operation of sts": {foreignRequest{method: "POST", target: "/", service: "sts", body: "Action=AssumeRole&Version=2011-06-15", kind: queryForm},
			400, "UnknownOperationException", "unknown", []string{"<Code>InvalidAction</Code>", "only GetCallerIdentity", "AssumeRole"}},
		"no operation": {foreignRequest{method: "POST", target: "/", service: "sts", body: "Version=2011-06-15", kind: queryForm},
			400, "MissingAction", "unknown", []string{"<Code>MissingAction</Code>"}},
		"the operation of another service": {foreignRequest{method: "POST", target: "/", service: "iam", body: whoIsAsked, kind: queryForm},
			400, "UnknownOperationException", "unknown", []string{"<Code>InvalidAction</Code>", "service iam"}},
		"dynamodb": {foreignRequest{method: "POST", target: "/", service: "dynamodb", body: "{}", kind: json10, amzTarget: "DynamoDB_20120810.ListTables"},
			400, "UnknownOperationException", "unknown", []string{`"__type":"UnknownOperationException"`, "the operation ListTables of the service dynamodb"}},
		"cloudtrail": {foreignRequest{method: "POST", target: "/", service: "cloudtrail", body: "{}", kind: json10, amzTarget: "a.b.ListTrails"},
			400, "UnknownOperationException", "unknown", []string{"ListTrails of the service cloudtrail"}},
		"events": {foreignRequest{method: "POST", target: "/", service: "cloudtrail", body: "{}", kind: json11, amzTarget: lookupTarget},
			200, "ok", "LookupEvents", []string{`{"Events":[]}`}},
		"events, by a key that may do nothing": {foreignRequest{method: "POST", target: "/", service: "cloudtrail", body: "{", kind: json11, amzTarget: lookupTarget, key: limited},
			403, "AccessDeniedException", "LookupEvents", []string{`"__type":"AccessDeniedException"`, "cloudtrail:LookupEvents"}},
		"events, asked wrongly": {foreignRequest{method: "POST", target: "/", service: "cloudtrail", body: `{"MaxResults":51}`, kind: json11, amzTarget: lookupTarget},
			400, "InvalidMaxResultsException", "LookupEvents", []string{`"__type":"InvalidMaxResultsException"`}},
		"events, with a token of something else": {foreignRequest{method: "POST", target: "/", service: "cloudtrail", body: `{"NextToken":"x"}`, kind: json11, amzTarget: lookupTarget},
			400, "InvalidNextTokenException", "LookupEvents", []string{`"__type":"InvalidNextTokenException"`}},
		"events at another path": {foreignRequest{method: "POST", target: "/things", service: "cloudtrail", body: "{}", kind: json11, amzTarget: lookupTarget},
			400, "UnknownOperationException", "unknown", []string{"LookupEvents of the service cloudtrail"}},
		"events, signed for another service": {foreignRequest{method: "POST", target: "/", service: "cloudwatch", body: "{}", kind: json11, amzTarget: lookupTarget},
			400, "UnknownOperationException", "unknown", []string{"LookupEvents of the service cloudwatch"}},
		"lambda": {foreignRequest{method: "GET", target: "/2015-03-31/functions", service: "lambda"},
			404, "UnknownOperationException", "unknown", []string{"service lambda"}},
		"a path of ours, signed for another service": {foreignRequest{method: "GET", target: "/things/lamp/jobs", service: "iotwireless"},
			404, "UnknownOperationException", "unknown", []string{"service iotwireless"}},
		"s3, when job files are elsewhere": {foreignRequest{method: "PUT", target: "/b/k", service: "s3", body: strings.Repeat("x", foreignBodyMax+1)},
			501, "UnknownOperationException", "unknown", []string{"<Code>NotImplemented</Code>", "service s3"}},
		"a body that is longer than it takes to verify": {foreignRequest{method: "POST", target: "/", service: "dynamodb", body: strings.Repeat("x", foreignBodyMax+1), kind: json10, amzTarget: "D.PutItem", key: thief},
			400, "UnknownOperationException", "unknown", []string{"PutItem of the service dynamodb"}},
		"the same of an unknown length": {foreignRequest{method: "POST", target: "/", service: "dynamodb", body: strings.Repeat("x", foreignBodyMax+1), kind: json10, amzTarget: "D.PutItem", change: func(r *http.Request) { r.ContentLength = -1 }},
			413, "RequestEntityTooLargeException", "unknown", nil},

		"an unknown key": {foreignRequest{method: "POST", target: "/", service: "sts", body: whoIsAsked, kind: queryForm, key: stranger},
			403, "UnrecognizedClientException", "unknown", []string{"<Code>InvalidClientTokenId</Code>"}},
		"a wrong secret": {foreignRequest{method: "POST", target: "/", service: "sts", body: whoIsAsked, kind: queryForm, key: thief},
			403, "InvalidSignatureException", "unknown", []string{"<Code>SignatureDoesNotMatch</Code>"}},
		"another body": {foreignRequest{method: "POST", target: "/", service: "sts", body: whoIsAsked, kind: queryForm, change: otherBody},
			403, "InvalidSignatureException", "unknown", []string{"<Code>SignatureDoesNotMatch</Code>"}},
		"another query": {foreignRequest{method: "GET", target: "/?" + whoIsAsked, service: "sts", change: func(r *http.Request) { r.URL.RawQuery += "&x=1"; r.RequestURI += "&x=1" }},
			403, "InvalidSignatureException", "unknown", []string{"<Code>SignatureDoesNotMatch</Code>"}},
		"an old signature": {foreignRequest{method: "POST", target: "/", service: "sts", body: whoIsAsked, kind: queryForm, change: func(r *http.Request) { r.Header.Set("X-Amz-Date", "20260101T000000Z") }},
			403, "InvalidSignatureException", "unknown", []string{"<Code>SignatureDoesNotMatch</Code>"}},
		"no signature": {foreignRequest{method: "POST", target: "/", body: whoIsAsked, kind: queryForm, unsigned: true},
			403, "MissingAuthenticationTokenException", "unknown", []string{"<Code>MissingAuthenticationToken</Code>"}},
		"a wrong secret for a service that is not served": {foreignRequest{method: "POST", target: "/", service: "dynamodb", body: "{}", kind: json10, amzTarget: "D.L", key: thief},
			403, "InvalidSignatureException", "unknown", []string{`"__type":"InvalidSignatureException"`}},
		"an unknown key for a service that is not served": {foreignRequest{method: "POST", target: "/", service: "dynamodb", body: strings.Repeat("x", foreignBodyMax+1), kind: json10, amzTarget: "D.L", key: stranger},
			403, "UnrecognizedClientException", "unknown", nil},
		"a wrong secret for s3": {foreignRequest{method: "PUT", target: "/b/k", service: "s3", body: "x", key: thief},
			403, "InvalidSignatureException", "unknown", []string{"<Error><Code>SignatureDoesNotMatch</Code>"}},
		"a URI that is too long": {foreignRequest{method: "GET", target: "/?" + strings.Repeat("x", maxURI), service: "sts"},
			414, "InvalidRequestException", "unknown", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			var counted []string
			env := newEnvWith(t, Options{
				Keys: testKeys{`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`},
				Log:  slog.New(slog.NewTextHandler(&log, nil)), Observe: func(plane, operation, code string, _ time.Duration) {
					counted = append(counted, plane+" "+operation+" "+code)
				},
			})
			rec := httptest.NewRecorder()
			env.server.ServeHTTP(rec, test.make(env.clock().Time()))
			if rec.Code != test.status || rec.Header().Get("X-Amzn-Requestid") == "" {
				t.Errorf("%d %v %s, want %d and a request id", rec.Code, rec.Header(), rec.Body, test.status)
			}
			for _, want := range test.want {
				if !strings.Contains(rec.Body.String(), want) {
					t.Errorf("the answer is %s, want %s in it", rec.Body, want)
				}
			}
			if len(counted) != 1 || counted[0] != "control "+test.operation+" "+test.code {
				t.Errorf("counted as %q, want %s", counted, test.code)
			}
			if strings.Count(log.String(), "msg=request") != 1 || !strings.Contains(log.String(), "service="+test.service) || strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("the log is %q", log.String())
			}
			if strings.Contains(rec.Body.String(), "xxxxx") || log.Len() > 3000 {
				t.Errorf("the answer %.300s or the log %.300s repeats what was sent", rec.Body, log.String())
			}
		})
	}
}

// The server does not read the body of a request that it refuses by its head.
func TestABodyForAnotherServiceIsNotReadForNothing(t *testing.T) {
	long := strings.Repeat("x", foreignBodyMax+1)
	stranger := sigv4.Credential{AccessKeyID: "AKIDNOBODY", Secret: "x"}
	for name, test := range map[string]foreignRequest{
		"a URI that is too long": {method: "POST", target: "/?" + strings.Repeat("x", maxURI), service: "sts", body: long},
		"an unknown key":         {method: "POST", target: "/", service: "dynamodb", body: long, key: stranger},
		"more than is served":    {method: "POST", target: "/", service: "dynamodb", body: long},
		"s3":                     {method: "PUT", target: "/b/k", service: "s3", body: long},
	} {
		env := newEnv(t)
		rec := httptest.NewRecorder()
		env.server.ServeHTTP(rec, test.make(env.clock().Time()))
		if rec.Code < 400 || rec.Header().Get("Connection") != "close" {
			t.Errorf("%s: %d %v, want an error after which the connection ends", name, rec.Code, rec.Header())
		}
	}
}

func TestOtherServicesWithoutAuthentication(t *testing.T) {
	for name, test := range map[string]struct {
		foreignRequest
		host   string
		status int
		want   string
	}{
		"who is calling, unsigned":       {foreignRequest{method: "POST", target: "/", body: whoIsAsked, kind: queryForm, unsigned: true}, "localhost", 200, "user/anonymous"},
		"who is calling, signed anyhow":  {foreignRequest{method: "POST", target: "/", service: "sts", body: whoIsAsked, kind: queryForm, key: limited}, "localhost", 200, "user/anonymous"},
		"another operation, unsigned":    {foreignRequest{method: "POST", target: "/", body: "Action=ListUsers&Version=2010-05-08", kind: queryForm, unsigned: true}, "localhost", 400, "ListUsers"},
		"dynamodb":                       {foreignRequest{method: "POST", target: "/", service: "dynamodb", body: "{}", amzTarget: "D.L"}, "localhost", 400, "dynamodb"},
		"s3":                             {foreignRequest{method: "PUT", target: "/b/k", service: "s3", body: "x"}, "localhost", 501, "s3"},
		"a name that points to loopback": {foreignRequest{method: "POST", target: "/", service: "sts", body: whoIsAsked, kind: queryForm}, "evil.example", 403, "<Code>AccessDenied</Code>"},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnvWith(t, Options{AuthNone: true})
			r := test.make(env.clock().Time())
			r.Host = test.host
			rec := httptest.NewRecorder()
			env.server.ServeHTTP(rec, r)
			if rec.Code != test.status || !strings.Contains(rec.Body.String(), test.want) {
				t.Errorf("%d %s, want %d and %s", rec.Code, rec.Body, test.status, test.want)
			}
		})
	}
}
