package dataplane

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

// shown returns a request as text, without the names that come from the topic.
func (r *request) shown() string {
	number := func(n *int64) string {
		if n == nil {
			return "-"
		}
		return fmt.Sprint(*n)
	}
	return fmt.Sprintf("token=%s status=%v details=%v step=%d version=%s number=%s state=%v document=%v",
		r.token, r.status, r.details, r.stepMinutes, number(r.expectedVersion), number(r.number), r.withState, r.withDocument)
}

func TestReadRequest(t *testing.T) {
	const none = "token= status= details=map[] step=0 version=- number=- state=false document="
	const progress = "token= status=IN_PROGRESS details=map[] step=0 version=- number=- state=false document=false"
	tests := []struct {
		name string
		kind Kind
		body string
		want string // what was read
		fail string // or how it was refused
	}{
		{"an empty payload is an empty object", Describe, ``, none + "true", ""},
		{"an empty object", StartNext, ` {} `, none + "false", ""},
		{"the document is described unless refused", Describe, `{"includeJobDocument":false}`, none + "false", ""},
		{"a boolean may be a string", Describe, `{"includeJobDocument":"false"}`, none + "false", ""},
		{"null is absent", Describe, `{"includeJobDocument":null,"executionNumber":null,"clientToken":null}`, none + "true", ""},
		{"unknown members are skipped, also deep ones", StartNext, `{"jobId":"x","a":[{"b":[1e+5,-0.1,true,null,"]}\"\\"]},[]],"thingName":{}}`, none + "false", ""},
		{"names are matched exactly", StartNext, `{"StepTimeoutInMinutes":"x","STATUS":1}`, none + "false", ""},
		{"names may be escaped", Update, `{"stat\u0075s":"IN_PROGRESS"}`, progress, ""},
		{"members of other operations are skipped", GetPending, `{"status":1,"statusDetails":[],"executionNumber":{}}`, none + "false", ""},
		{
			"everything at once", Update,
			"{ \"clientToken\" : \"a\\u00e9\" ,\n\"status\":\"FAILED\", \"statusDetails\":{\"a\":\"x\\ny\",\"b\\u002d\":\"ü\"},\t\"expectedVersion\":\"2\",\"executionNumber\":7,\"includeJobExecutionState\":\"true\",\"includeJobDocument\":true,\"stepTimeoutInMinutes\":\"-1\"}",
			`token="a\u00e9" status=FAILED details=map[a:x` + "\n" + `y b-:ü] step=-1 version=2 number=7 state=true document=true`, "",
		},
		{"integers may be strings", Update, `{"status":"IN_PROGRESS","expectedVersion":"-3","executionNumber":"9223372036854775807"}`,
			"token= status=IN_PROGRESS details=map[] step=0 version=-3 number=9223372036854775807 state=false document=false", ""},

		{"numbers and booleans in the details as they are written", StartNext,
			`{"statusDetails":{"a":0, "b":1.50 ,"c":1e3,"d":-0,"e":true,"f":false,"g":12345678901234567890123,"h":"1"}}`,
			"token= status= details=map[a:0 b:1.50 c:1e3 d:-0 e:true f:false g:12345678901234567890123 h:1] step=0 version=- number=- state=false document=false", ""},

		{"a key twice", Update, `{"status":"FAILED","status":"SUCCEEDED"}`, "",
			`InvalidJson: the request payload is ambiguous: it has the key "status" twice in one object`},
		{"a key twice, once escaped", Update, `{"status":"FAILED","stat\u0075s":"SUCCEEDED"}`, "", `InvalidJson: the request payload is ambiguous: it has the key "status" twice in one object`},
		{"a key twice in the details", StartNext, `{"statusDetails":{"a":"1","a":"2"}}`, "", `InvalidJson: the request payload is ambiguous: it has the key "a" twice in one object`},
		{"a key twice in what nobody reads", GetPending, `{"x":[{"y":1,"y":2}]}`, "", `InvalidJson: the request payload is ambiguous: it has the key "y" twice in one object`},

		{"a list is not an object", GetPending, `[]`, "", "InvalidJson"},
		{"a string is not an object", GetPending, `"x"`, "", "InvalidJson"},
		{"a number is not an object", GetPending, `1`, "", "InvalidJson"},
		{"half an object", GetPending, `{`, "", "InvalidJson"},
		{"a trailing comma", GetPending, `{"clientToken":"t",}`, "", "InvalidJson"},
		{"two objects", GetPending, `{}{}`, "", "InvalidJson"},
		{"only white space", GetPending, ` `, "", "InvalidJson"},
		{"bytes that are not UTF-8", GetPending, "{\"a\":\"\xff\"}", "", "InvalidJson"},
		{"a control character in a string", GetPending, "{\"a\":\"\n\"}", "", "InvalidJson"},
		{"very deep", GetPending, `{"a":` + strings.Repeat("[", 60_000) + strings.Repeat("]", 60_000) + `}`, "", "InvalidJson"},

		{"a token that is not a string", GetPending, `{"clientToken":5}`, "", "InvalidRequest: Value at 'clientToken' must be a string"},
		{"no status", Update, `{}`, "", "InvalidRequest: Value null at 'status' failed to satisfy constraint: Member must not be null"},
		{"status null", Update, `{"status":null}`, "", "InvalidRequest: Value null at 'status' failed to satisfy constraint: Member must not be null"},
		{"an unknown status", Update, `{"status":"SUCCESS"}`, "", "InvalidRequest: 1 validation error detected: Value 'SUCCESS' at 'status' failed to satisfy constraint: " +
			"Member must satisfy enum value set: [QUEUED, IN_PROGRESS, SUCCEEDED, FAILED, TIMED_OUT, REJECTED, REMOVED, CANCELED]"},
		{"a status that is a number", Update, `{"status":3}`, "", "InvalidRequest: Value at 'status' must be a string"},
		{"details that are a list", StartNext, `{"statusDetails":[]}`, "", "InvalidRequest: Value at 'statusDetails' must be an object"},
		{"a detail that is null", StartNext, `{"statusDetails":{"a":null}}`, "", "InvalidRequest: Value at 'statusDetails.a' must be a string, a number or a boolean"},
		{"a detail that is an object", StartNext, `{"statusDetails":{"a":{"b":1}}}`, "", "InvalidRequest: Value at 'statusDetails.a' must be a string, a number or a boolean"},
		{"a detail that is a list", Update, `{"status":"FAILED","statusDetails":{"n":1,"a":[1]}}`, "", "InvalidRequest: Value at 'statusDetails.a' must be a string, a number or a boolean"},
		{"a detail that is no number", StartNext, `{"statusDetails":{"a":01}}`, "", "InvalidJson"},
		{"a detail that is no word of JSON", StartNext, `{"statusDetails":{"a":True}}`, "", "InvalidJson"},
		{"a step of zero", StartNext, `{"stepTimeoutInMinutes":0}`, "", "InvalidRequest: stepTimeoutInMinutes must be 1 to 10080, or -1 to discard the timer; it is 0"},
		{"a negative step", StartNext, `{"stepTimeoutInMinutes":-2}`, "", "InvalidRequest: stepTimeoutInMinutes must be 1 to 10080, or -1 to discard the timer; it is -2"},
		{"a step beyond a week", StartNext, `{"stepTimeoutInMinutes":10081}`, "", "InvalidRequest: 1 validation error detected: Value '10081' at 'stepTimeoutInMinutes' failed to satisfy constraint: Member must have value less than or equal to 10080"},
		{"a step that fits no int", StartNext, `{"stepTimeoutInMinutes":9223372036854775807}`, "", "InvalidRequest: 1 validation error detected: Value '9223372036854775807' at 'stepTimeoutInMinutes' failed to satisfy constraint: Member must have value less than or equal to 10080"},
		{"a version with a fraction", Update, `{"status":"FAILED","expectedVersion":2.0}`, "", "InvalidRequest: Value at 'expectedVersion' must be an integer of 64 bits"},
		{"a version that is no number", Update, `{"status":"FAILED","expectedVersion":"two"}`, "", "InvalidRequest: Value at 'expectedVersion' must be an integer of 64 bits"},
		{"a version beyond 64 bits", Update, `{"status":"FAILED","expectedVersion":9223372036854775808}`, "", "InvalidRequest: Value at 'expectedVersion' must be an integer of 64 bits"},
		{"a number that is a list", Describe, `{"executionNumber":[]}`, "", "InvalidRequest: Value at 'executionNumber' must be an integer of 64 bits"},
		{"a boolean that is a number", Describe, `{"includeJobDocument":0}`, "", "InvalidRequest: Value at 'includeJobDocument' must be true or false"},
		{"a long unknown status is not repeated whole", Update, `{"status":"` + strings.Repeat("é", 5000) + `"}`, "",
			"InvalidRequest: 1 validation error detected: Value '" + strings.Repeat("é", clipMax/2) + "…' at 'status' failed to satisfy constraint: " +
				"Member must satisfy enum value set: [QUEUED, IN_PROGRESS, SUCCEEDED, FAILED, TIMED_OUT, REJECTED, REMOVED, CANCELED]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &request{Topic: Topic{Kind: tt.kind, Thing: "lamp", Job: "fw"}}
			err := r.read([]byte(tt.body))
			if tt.fail != "" {
				checkRefusal(t, fmt.Sprintf("read(%.80q)", tt.body), err, tt.fail)
				return
			}
			if got := r.shown(); err != nil || got != tt.want {
				t.Errorf("read(%q) = %s, %v\nwant %s", tt.body, got, err, tt.want)
			}
		})
	}
}

// checkRefusal fails t unless err is shown to a device as "code" or
// "code: message".
func checkRefusal(t *testing.T, call string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s succeeds, want %s", call, want)
	}
	f := refusalOf(err)
	got := f.code
	if strings.Contains(want, ": ") {
		got += ": " + f.message
	}
	if got != want {
		t.Errorf("%s fails with\n%s, want\n%s", call, got, want)
	}
}

func TestNamesAreJudgedAfterTheJSON(t *testing.T) {
	long := strings.Repeat("x", 129)
	tests := []struct {
		name  string
		topic Topic
		body  string
		want  string
	}{
		{"a bad job id", Topic{Kind: Describe, Thing: "lamp", Job: "a.b"}, `{}`,
			"InvalidRequest: 1 validation error detected: Value 'a.b' at 'jobId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"},
		{"a bad job id and bad JSON", Topic{Kind: Describe, Thing: "lamp", Job: "a.b"}, `{`, "InvalidJson"},
		{"an empty job id", Topic{Kind: Describe, Thing: "lamp"}, `{}`,
			"InvalidRequest: 1 validation error detected: Value '' at 'jobId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"},
		{"a long job id", Topic{Kind: Update, Thing: "lamp", Job: muster.JobID(long[:65])}, `{"status":"FAILED"}`,
			"InvalidRequest: 1 validation error detected: Value '" + long[:65] + "' at 'jobId' failed to satisfy constraint: Member must have length less than or equal to 64"},
		{"the head of the queue cannot be updated", Topic{Kind: Update, Thing: "lamp", Job: "$next"}, `{"status":"FAILED"}`,
			"InvalidRequest: 1 validation error detected: Value '$next' at 'jobId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"},
		{"a long thing name", Topic{Kind: GetPending, Thing: muster.ThingName(long)}, `{}`,
			"InvalidRequest: 1 validation error detected: Value '" + long + "' at 'thingName' failed to satisfy constraint: Member must have length less than or equal to 128"},
		{"no thing name", Topic{Kind: GetPending}, `{}`,
			"InvalidRequest: 1 validation error detected: Value '' at 'thingName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"},
		{"an unknown topic is told before the JSON", Topic{Thing: "lamp"}, `{`, "InvalidTopic: the topic names no operation"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &request{Topic: tt.topic}
			checkRefusal(t, fmt.Sprintf("read(%q)", tt.body), r.read([]byte(tt.body)), tt.want)
		})
	}
}

func TestTheTokenIsKeptWheneverTheBodyIsAnObject(t *testing.T) {
	for body, want := range map[string]string{
		`{"clientToken":"t","status":"BOGUS"}`: `"t"`,
		`{"status":7,"clientToken":"\u0074"}`:  `"\u0074"`,
		`{"clientToken":""}`:                   `""`,
		`{"clientToken":"t"`:                   ``,
		`["clientToken","t"]`:                  ``,
		`{"clientToken":{"a":"t"}}`:            ``,
	} {
		r := &request{Topic: Topic{Kind: Update, Thing: "lamp", Job: "fw"}}
		if err := r.read([]byte(body)); err == nil {
			t.Errorf("read(%s) succeeds, want a refusal", body)
		}
		if got := string(r.token); got != want {
			t.Errorf("read(%s) keeps the token %s, want %s", body, got, want)
		}
	}
}

// FuzzReadRequest compares with what encoding/json makes of the same body.
func FuzzReadRequest(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `[]`, `{"status":"IN_PROGRESS","statusDetails":{"a":"b"},"expectedVersion":"1"}`,
		`{"a":[{"b":1e+5}],"clientToken":"\ud800","stepTimeoutInMinutes":-1}`,
		`{"status":"IN_PROGRESS","statusDetails":{"a":1.50,"b":true,"c":-1e3,"d":[]}}`, "{\"\\u0073tatus\" : \"FAILED\"\n}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &request{Topic: Topic{Kind: Update, Thing: "lamp", Job: "fw"}}
		err := r.read(body)
		var m map[string]json.RawMessage
		isObject := len(body) == 0 || checkObject(body) && json.Unmarshal(body, &m) == nil && m != nil
		if errors.Is(err, errNotJSON) == isObject {
			t.Fatalf("read(%q) = %v, but that it is an object is %v", body, err, isObject)
		}
		var status string
		if err == nil && (json.Unmarshal(m["status"], &status) != nil || status != r.status.String()) {
			t.Errorf("read(%q) finds status %v, encoding/json finds %s", body, r.status, m["status"])
		}
		if details := map[string]json.RawMessage{}; err == nil && json.Unmarshal(m["statusDetails"], &details) == nil {
			for name, value := range details {
				text := string(value)
				if isString(value) {
					json.Unmarshal(value, &text)
				}
				if got, found := r.details[name]; !found || got != text {
					t.Errorf("read(%q) finds %q in the details, encoding/json finds %s", body, got, value)
				}
			}
		}
		if got := string(r.token); isObject && got != "" && got != string(m["clientToken"]) {
			t.Errorf("read(%q) finds token %s, encoding/json finds %s", body, got, m["clientToken"])
		}
	})
}

func BenchmarkReadUpdate(b *testing.B) {
	body := []byte(`{"status":"IN_PROGRESS","statusDetails":{"step":"download","progress":"40"},"expectedVersion":"2","includeJobExecutionState":true,"clientToken":"5f1b7a0e-2d4c-4b8e-9a77-0c5d1e6f7a8b"}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r := request{Topic: Topic{Kind: Update, Thing: "lamp", Job: "fw"}}
		if err := r.read(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadStartNext(b *testing.B) {
	body := []byte(`{"clientToken":"5f1b7a0e-2d4c-4b8e-9a77-0c5d1e6f7a8b"}`)
	b.ReportAllocs()
	for b.Loop() {
		r := request{Topic: Topic{Kind: StartNext, Thing: "lamp"}}
		if err := r.read(body); err != nil {
			b.Fatal(err)
		}
	}
}
