package foreign_test

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/muster-iot/muster/awsiot/foreign"
	"github.com/muster-iot/muster/sigv4"
)

const form = "application/x-www-form-urlencoded; charset=utf-8"

// request returns a request that is signed for service, or unsigned if service is "".
// headers are pairs of names and values.
func request(method, target, service, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if service != "" {
		key := sigv4.Credential{AccessKeyID: "AKIDEXAMPLE", Secret: "secret"}
		sigv4.Sign(r, []byte(body), key, "eu-west-1", service, time.Unix(1770000000, 0))
	}
	return r
}

func TestARequestTellsItsProtocolAndOperation(t *testing.T) {
	const json10, json11 = "application/x-amz-json-1.0", "application/x-amz-json-1.1"
	for name, test := range map[string]struct {
		r         *http.Request
		body      string
		protocol  foreign.Protocol // "" for a request that is none of another service
		operation string
		version   string
	}{
		"sts":                     {request("POST", "/", "sts", "", "Content-Type", form), "Action=GetCallerIdentity&Version=2011-06-15", foreign.Query, "GetCallerIdentity", "2011-06-15"},
		"sts by GET":              {request("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "sts", ""), "", foreign.Query, "GetCallerIdentity", "2011-06-15"},
		"sts without a parameter": {request("POST", "/", "sts", "", "Content-Type", form), "", foreign.Query, "", ""},
		"a body that is no form":  {request("POST", "/", "sns", "", "Content-Type", form), "Action=%zz&;", foreign.Query, "", ""},
		"sts, not signed":         {request("POST", "/", "", "", "Content-Type", form), "Action=GetCallerIdentity", foreign.Query, "GetCallerIdentity", ""},
		"dynamodb":                {request("POST", "/", "dynamodb", "", "Content-Type", json10, "X-Amz-Target", "DynamoDB_20120810.ListTables"), "{}", foreign.JSON, "ListTables", ""},
		"cloudtrail":              {request("POST", "/", "cloudtrail", "", "Content-Type", json11, "X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"), "{}", foreign.JSON, "LookupEvents", ""},
		"a target without a dot":  {request("POST", "/", "sqs", "", "X-Amz-Target", "ListQueues"), "{}", foreign.JSON, "ListQueues", ""},
		"lambda":                  {request("GET", "/2015-03-31/functions", "lambda", ""), "", foreign.RESTJSON, "", ""},
		"ec2":                     {request("POST", "/", "ec2", "", "Content-Type", form), "Action=DescribeInstances&Version=2016-11-15", foreign.EC2, "DescribeInstances", "2016-11-15"},
		"cloudwatch":              {request("POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", "monitoring", "", "Smithy-Protocol", "rpc-v2-cbor"), "\xa0", foreign.CBOR, "ListMetrics", ""},
		"s3":                      {request("PUT", "/bucket/key", "s3", ""), "x", foreign.S3, "", ""},
		"route53":                 {request("GET", "/2013-04-01/hostedzone", "route53", ""), "", foreign.RESTXML, "", ""},
		"a path of AWS IoT":       {request("GET", "/things/lamp/jobs", "iotwireless", ""), "", foreign.RESTJSON, "", ""},

		"AWS IoT":                 {r: request("GET", "/things", "iot", "")},
		"its other name":          {r: request("GET", "/things", "execute-api", "")},
		"jobs of devices":         {r: request("GET", "/things/lamp/jobs", "iot-jobs-data", "")},
		"AWS IoT, with a target":  {r: request("POST", "/", "iot", "", "X-Amz-Target", "A.B")},
		"AWS IoT, with a form":    {r: request("POST", "/", "iotdata", "", "Content-Type", form)},
		"not signed":              {r: request("POST", "/", "", "", "X-Amz-Target", "A.B")},
		"a form of another path":  {r: request("POST", "/things", "", "", "Content-Type", form)},
		"a form that is put":      {r: request("PUT", "/", "", "", "Content-Type", form)},
		"a form and another sign": {r: request("POST", "/", "", "", "Content-Type", form, "Authorization", "Bearer x")},
	} {
		t.Run(name, func(t *testing.T) {
			q := foreign.Of(test.r)
			if (q != nil) != (test.protocol != "") {
				t.Fatalf("Of() = %+v, want the protocol %q", q, test.protocol)
			}
			if q == nil {
				return
			}
			operation, version := q.Call(test.r.URL.Query(), []byte(test.body))
			if q.Protocol != test.protocol || operation != test.operation || version != test.version {
				t.Errorf("%s, %q of version %q; want %s, %q of %q", q.Protocol, operation, version, test.protocol, test.operation, test.version)
			}
		})
	}
}

func TestErrorsHaveTheFormOfTheProtocol(t *testing.T) {
	const unserved, signature = foreign.Unserved, "InvalidSignatureException"
	for name, test := range map[string]struct {
		r          *http.Request
		name       string
		status     int
		kind, body string
		header     string // X-Amzn-Errortype
	}{
		"JSON 1.0": {request("POST", "/", "dynamodb", "", "Content-Type", "application/x-amz-json-1.0", "X-Amz-Target", "D.L"), unserved, 400,
			"application/x-amz-json-1.0", `{"__type":"UnknownOperationException","message":"no <b> & no \u0001"}`, unserved},
		"JSON 1.1, a signature": {request("POST", "/", "ssm", "", "Content-Type", "application/x-amz-json-1.1", "X-Amz-Target", "D.L"), signature, 403,
			"application/x-amz-json-1.1", `{"__type":"InvalidSignatureException","message":"no <b> & no \u0001"}`, signature},
		"rest-json": {request("GET", "/functions", "lambda", ""), unserved, 404,
			"application/json", `{"message":"no <b> & no \u0001"}`, unserved},
		"query": {request("POST", "/", "sns", "", "Content-Type", form), unserved, 400,
			"text/xml", `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>no &lt;b&gt; &amp; no ` + "\uFFFD" + `</Message></Error><RequestId>id</RequestId></ErrorResponse>`, ""},
		"query, a signature": {request("POST", "/", "sts", "", "Content-Type", form), signature, 403,
			"text/xml", `<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>no &lt;b&gt; &amp; no ` + "\uFFFD" + `</Message></Error><RequestId>id</RequestId></ErrorResponse>`, ""},
		"query, a fault of ours": {request("POST", "/", "sts", "", "Content-Type", form), "InternalFailureException", 500,
			"text/xml", `<ErrorResponse><Error><Type>Receiver</Type><Code>InternalFailure</Code><Message>no &lt;b&gt; &amp; no ` + "\uFFFD" + `</Message></Error><RequestId>id</RequestId></ErrorResponse>`, ""},
		"query, a name without a row": {request("POST", "/", "sts", "", "Content-Type", form), "ThrottlingException", 400,
			"text/xml", `<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>no &lt;b&gt; &amp; no ` + "\uFFFD" + `</Message></Error><RequestId>id</RequestId></ErrorResponse>`, ""},
		"rest-xml": {request("GET", "/", "cloudfront", ""), unserved, 400,
			"text/xml", `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>no &lt;b&gt; &amp; no ` + "\uFFFD" + `</Message></Error><RequestId>id</RequestId></ErrorResponse>`, ""},
		"ec2": {request("POST", "/", "ec2", "", "Content-Type", form), unserved, 400,
			"text/xml", `<Response><Errors><Error><Code>InvalidAction</Code><Message>no &lt;b&gt; &amp; no ` + "\uFFFD" + `</Message></Error></Errors><RequestID>id</RequestID></Response>`, ""},
		"s3": {request("PUT", "/b/k", "s3", ""), unserved, 501,
			"text/xml", `<Error><Code>NotImplemented</Code><Message>no &lt;b&gt; &amp; no ` + "\uFFFD" + `</Message><RequestId>id</RequestId></Error>`, ""},
		"cbor": {request("POST", "/service/S/operation/O", "monitoring", "", "Smithy-Protocol", "rpc-v2-cbor"), unserved, 400,
			"application/cbor", "\xa2\x66__type\x79\x00\x19UnknownOperationException\x67message\x6dno <b> & no \x01", ""},
	} {
		t.Run(name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			status := http.StatusForbidden
			switch {
			case strings.HasPrefix(test.name, "Internal"):
				status = http.StatusInternalServerError
			case test.name != signature:
				status = http.StatusBadRequest
			}
			foreign.Of(test.r).WriteError(rec, status, test.name, "no <b> & no \x01", "id")
			body := strings.TrimPrefix(rec.Body.String(), xml.Header)
			body = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(body)
			if rec.Code != test.status || rec.Header().Get("Content-Type") != test.kind || body != test.body || rec.Header().Get("X-Amzn-Errortype") != test.header {
				t.Errorf("%d %v\n%q, want %d %s %s\n%q", rec.Code, rec.Header(), body, test.status, test.kind, test.header, test.body)
			}
		})
	}
}

func TestWhoIsCalling(t *testing.T) {
	rec := httptest.NewRecorder()
	foreign.WriteCallerIdentity(rec, "arn:aws:iam::111122223333:user/a&b:c", "id")
	const want = xml.Header + `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">` +
		`<GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/a&amp;b:c</Arn><UserId>`
	got := rec.Body.String()
	if rec.Code != 200 || !strings.HasPrefix(got, want) || !strings.HasSuffix(got,
		`</UserId><Account>111122223333</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetCallerIdentityResponse>`) {
		t.Errorf("%d %s", rec.Code, got)
	}
	ann, bob := foreign.UserID("arn:aws:iam::111122223333:user/ann"), foreign.UserID("arn:aws:iam::111122223333:user/bob")
	if ann == bob || len(ann) != 21 || ann != foreign.UserID("arn:aws:iam::111122223333:user/ann") {
		t.Errorf("the users have the ids %s and %s", ann, bob)
	}
}

// For any request, an error can be written in a form that its client can read.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/", "sts", form, "", "", "Action=GetCallerIdentity")
	f.Add("POST", "/", "dynamodb", "application/x-amz-json-1.0", "D.L", "", "{}")
	f.Add("POST", "/service/S/operation/O", "monitoring", "application/cbor", "", "rpc-v2-cbor", "\xa0")
	f.Add("GET", "/?Action=X", "e\xffc2", "", ".", "", "")
	f.Fuzz(func(t *testing.T, method, target, service, kind, amzTarget, smithy, body string) {
		r, err := http.NewRequest(method, "http://h"+target, nil)
		if err != nil {
			t.Skip()
		}
		r.Header = http.Header{"Content-Type": {kind}, "X-Amz-Target": {amzTarget}, "Smithy-Protocol": {smithy},
			"Authorization": {"AWS4-HMAC-SHA256 Credential=A/20260102/r/" + service + "/aws4_request, SignedHeaders=host, Signature=00"}}
		q := foreign.Of(r)
		if q == nil {
			return
		}
		operation, _ := q.Call(r.URL.Query(), []byte(body))
		rec := httptest.NewRecorder()
		q.WriteError(rec, http.StatusBadRequest, foreign.Unserved, q.Service+operation, "id")
		got := rec.Body.Bytes()
		switch q.Protocol {
		case foreign.Query, foreign.EC2, foreign.RESTXML, foreign.S3:
			var any struct{ XMLName xml.Name }
			if err := xml.Unmarshal(got, &any); err != nil {
				t.Errorf("%q: %v", got, err)
			}
		case foreign.JSON, foreign.RESTJSON:
			if !utf8.Valid(got) {
				t.Errorf("%q is no UTF-8", got)
			}
		case foreign.CBOR:
			if len(got) > 2000 || got[0] != 0xa2 {
				t.Errorf("%q is no map of two", got)
			}
		}
	})
}
