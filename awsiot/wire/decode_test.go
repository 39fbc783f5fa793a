package wire

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// decodeJob decodes a CreateJob request with the given body.
func decodeJob(body string) (*CreateJobRequest, error) {
	in := new(CreateJobRequest)
	return in, in.Decode(&Request{Labels: Labels{{"jobId", "fw-12"}}, Body: []byte(body)})
}

// mustFail fails t unless err is an *InputError with that fault and message.
func mustFail(t *testing.T, call string, err error, fault Fault, message string) {
	t.Helper()
	e, ok := errors.AsType[*InputError](err)
	if !ok {
		t.Fatalf("%s = %v, want an *InputError", call, err)
	}
	if e.Fault != fault || e.Message != message {
		t.Errorf("%s\n got %d %q\nwant %d %q", call, e.Fault, e.Message, fault, message)
	}
}

const createJob = `{"targets":["arn:aws:iot:eu-west-1:111122223333:thing/sensor-7"],
 "document":"{\"do\":\"flash\"}","description":"September firmware","targetSelection":"SNAPSHOT",
 "timeoutConfig":{"inProgressTimeoutInMinutes":100},
 "jobExecutionsRolloutConfig":{"maximumPerMinute":100},
 "abortConfig":{"criteriaList":[{"failureType":"FAILED","action":"CANCEL","thresholdPercentage":20,"minNumberOfExecutedThings":100}]},
 "jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"FAILED","numberOfRetries":3}]},
 "documentParameters":{"version":"7","empty":"-"},
 "tags":[{"Key":"team","Value":""}]}`

func TestDecodeEveryKindOfMember(t *testing.T) {
	in, err := decodeJob(createJob)
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	want := &CreateJobRequest{
		JobID:           new("fw-12"),
		Targets:         []string{"arn:aws:iot:eu-west-1:111122223333:thing/sensor-7"},
		Document:        new(`{"do":"flash"}`),
		Description:     new("September firmware"),
		TargetSelection: new("SNAPSHOT"),
		TimeoutConfig:   &TimeoutConfig{InProgressTimeoutInMinutes: new(int64(100))},
		JobExecutionsRolloutConfig: &JobExecutionsRolloutConfig{
			MaximumPerMinute: new(100),
		},
		AbortConfig: &AbortConfig{CriteriaList: []AbortCriteria{{
			FailureType: new("FAILED"), Action: new("CANCEL"), ThresholdPercentage: new(20.0), MinNumberOfExecutedThings: new(100),
		}}},
		JobExecutionsRetryConfig: &JobExecutionsRetryConfig{CriteriaList: []RetryCriteria{{
			FailureType: new("FAILED"), NumberOfRetries: new(3),
		}}},
		DocumentParameters: map[string]string{"version": "7", "empty": "-"},
		Tags:               []Tag{{Key: new("team"), Value: new("")}},
	}
	if !reflect.DeepEqual(in, want) {
		got, _ := json.Marshal(in)
		wanted, _ := json.Marshal(want)
		t.Errorf("Decode\n got %s\nwant %s", got, wanted)
	}
}

func TestDecodeKeepsPresence(t *testing.T) {
	thing := func(body string) *UpdateThingRequest {
		t.Helper()
		in := new(UpdateThingRequest)
		if err := in.Decode(&Request{Labels: Labels{{"thingName", "lamp"}}, Body: []byte(body)}); err != nil {
			t.Fatalf("Decode(%s): %v", body, err)
		}
		return in
	}
	attributes := func(m map[string]string) *UpdateThingRequest {
		return &UpdateThingRequest{ThingName: new("lamp"), AttributePayload: &AttributePayload{Attributes: m}}
	}
	for body, want := range map[string]*UpdateThingRequest{
		``:                         {ThingName: new("lamp")},
		`{}`:                       {ThingName: new("lamp")},
		` { } `:                    {ThingName: new("lamp")},
		`{"expectedVersion":null}`: {ThingName: new("lamp")},
		`{"expectedVersion":0}`:    {ThingName: new("lamp"), ExpectedVersion: new(int64(0))},
		`{"expectedVersion":-9223372036854775808}`:  {ThingName: new("lamp"), ExpectedVersion: new(int64(-1 << 63))},
		`{"removeThingType":false}`:                 {ThingName: new("lamp"), RemoveThingType: new(false)},
		`{"removeThingType":true,"x":{"y":[1,{}]}}`: {ThingName: new("lamp"), RemoveThingType: new(true)},
		`{"RemoveThingType":true}`:                  {ThingName: new("lamp")},
		`{"attributePayload":{}}`:                   attributes(nil),
		`{"attributePayload":{"attributes":null}}`:  attributes(nil),
		`{"attributePayload":{"attributes":{}}}`:    attributes(map[string]string{}),
		`{"thingName":"other"}`:                     {ThingName: new("lamp")},
		// The last of duplicates replaces the others as a whole, not member by member.
		`{"attributePayload":{"merge":true},"attributePayload":{"attributes":{"a":"1","a":"2"}}}`: attributes(map[string]string{"a": "2"}),
		`{"expectedVersion":1,"expectedVersion":null}`:                                            {ThingName: new("lamp")},
	} {
		if got := thing(body); !reflect.DeepEqual(got, want) {
			t.Errorf("Decode(%s) = %+v, want %+v", body, got, want)
		}
	}
}

func TestDecodeStrings(t *testing.T) {
	for text, want := range map[string]string{
		`""`:                  "",
		`"plain"`:             "plain",
		`"\"\\\/\b\f\n\r\t"`:  "\"\\/\b\f\n\r\t",
		`"a\u0062\u00e9"`:     "abé",
		`"\ud83d\ude00!"`:     "😀!",
		`"😀é"`:                "😀é",
		`"\u0000"`:            "\x00",
		`"tab follows:\tend"`: "tab follows:\tend",
	} {
		in, err := decodeJob(`{"targets":["t"],"document":` + text + `}`)
		if err != nil || *in.Document != want {
			t.Errorf("Decode(document %s) = %q, %v, want %q", text, Or(in.Document, "(absent)"), err, want)
		}
	}
}

func TestDecodeRefusesWhatIsNotJSON(t *testing.T) {
	const invalid = "The request body is not valid JSON at line 1, column "
	for body, message := range map[string]string{
		`x`:                            invalid + "1: unexpected 'x', expected a value",
		`null`:                         "The request body must be a JSON object",
		`[]`:                           "The request body must be a JSON object",
		`"{}"`:                         "The request body must be a JSON object",
		` `:                            invalid + "2: unexpected end of the text, expected a value",
		"\ufeff{}":                     invalid + "1: unexpected byte order mark, expected a value",
		"{\"document\":\"\xff\"}":      "The request body is not valid JSON in UTF-8 at line 1, column 14: unexpected byte that is not UTF-8",
		`{`:                            invalid + "2: unexpected end of the text, expected a name in double quotes or '}'",
		`{}}`:                          invalid + "3: unexpected '}', expected the end of the text",
		`{} {}`:                        invalid + "4: unexpected '{', expected the end of the text",
		`{,}`:                          invalid + "2: unexpected ',', expected a name in double quotes or '}'",
		`{"a"}`:                        invalid + "5: unexpected '}', expected ':'",
		`{"a":}`:                       invalid + "6: unexpected '}', expected a value",
		`{"a":1,}`:                     invalid + "8: unexpected '}', expected a name in double quotes",
		`{"a":1 "b":2}`:                invalid + `8: unexpected '"', expected ',' or '}'`,
		`{a:1}`:                        invalid + "2: unexpected 'a', expected a name in double quotes or '}'",
		`{'a':1}`:                      invalid + "2: unexpected single quote, expected a name in double quotes or '}'",
		`{"a":[1,]}`:                   invalid + "9: unexpected ']', expected a value",
		`{"a":[1}`:                     invalid + "8: unexpected '}', expected ',' or ']'",
		`{"a":01}`:                     invalid + "7: unexpected '1', expected ',' or '}'",
		`{"a":1.}`:                     invalid + "8: unexpected '}', expected a digit",
		`{"a":.5}`:                     invalid + "6: unexpected '.', expected a value",
		`{"a":1e}`:                     invalid + "8: unexpected '}', expected a digit",
		`{"a":-}`:                      invalid + "7: unexpected '}', expected a digit",
		`{"a":NaN}`:                    invalid + "6: unexpected 'N', expected a value",
		`{"a":nul}`:                    invalid + "9: unexpected '}', expected null",
		`{"document":tru}`:             invalid + "16: unexpected '}', expected true",
		"{\"document\":\"a\nb\"}":      invalid + `15: unexpected line break, expected '"'`,
		"{\"document\":\"\\t\n\"}":     invalid + `16: unexpected line break, expected '"'`,
		`{"document":"abc`:             invalid + `17: unexpected end of the text, expected '"'`,
		`{"document":"\`:               invalid + `15: unexpected end of the text, expected one of " \ / b f n r t u`,
		`{"document":"\x41"}`:          invalid + `15: unexpected 'x', expected one of " \ / b f n r t u`,
		`{"document":"\u12g4"}`:        invalid + "18: unexpected 'g', expected four hexadecimal digits",
		`{"document":"\u12`:            invalid + "18: unexpected end of the text, expected four hexadecimal digits",
		`{"document":"\ud83d"}`:        invalid + "20: half of a surrogate pair",
		`{"document":"\ud83d\n"}`:      invalid + "21: half of a surrogate pair",
		`{"document":"\ude00\ud83d"}`:  invalid + "26: half of a surrogate pair",
		`{"description":7,"document":`: invalid + "29: unexpected end of the text, expected a value",
		// The type of description is wrong, too, but a body that is not JSON is reported first.
		`{"description":7,"document":"}`:                                invalid + `31: unexpected end of the text, expected '"'`,
		`{"a":` + strings.Repeat("[", 40) + `}`:                         "The request body is nested deeper than 32 levels",
		`{"document":"` + strings.Repeat("x", MaxBody) + `"}`:           "The request body is larger than 2097152 bytes",
		`{"a":` + strings.Repeat(`{"a":`, 40) + strings.Repeat("}", 41): "The request body is nested deeper than 32 levels",
	} {
		_, err := decodeJob(body)
		mustFail(t, "Decode("+shown(body)+")", err, NotJSON, message)
	}
}

func TestDecodeNamesTheMemberOfTheWrongType(t *testing.T) {
	for body, message := range map[string]string{
		`{"description":7}`:                                    "Value at 'description' must be a string, not a number",
		`{"description":{}}`:                                   "Value at 'description' must be a string, not an object",
		`{"description":["x"]}`:                                "Value at 'description' must be a string, not a list",
		`{"description":false}`:                                "Value at 'description' must be a string, not a boolean",
		`{"targets":"arn"}`:                                    "Value at 'targets' must be a list, not a string",
		`{"targets":["a",null]}`:                               "Value at 'targets.2.member' must be a string, not null",
		`{"documentParameters":[]}`:                            "Value at 'documentParameters' must be an object, not a list",
		`{"documentParameters":{"a":1}}`:                       "Value at 'documentParameters.a.member' must be a string, not a number",
		`{"documentParameters":{"a":null}}`:                    "Value at 'documentParameters.a.member' must be a string, not null",
		`{"abortConfig":[]}`:                                   "Value at 'abortConfig' must be an object, not a list",
		`{"tags":[{"Key":1}]}`:                                 "Value at 'tags.1.member.key' must be a string, not a number",
		`{"tags":[{"Key":"a"},{"Key":["b"]}]}`:                 "Value at 'tags.2.member.key' must be a string, not a list",
		`{"tags":[null]}`:                                      "Value at 'tags.1.member' must be an object, not null",
		`{"timeoutConfig":{"inProgressTimeoutInMinutes":"5"}}`: "Value at 'timeoutConfig.inProgressTimeoutInMinutes' must be an integer, not a string",
		`{"timeoutConfig":{"inProgressTimeoutInMinutes":5.0}}`: "Value at 'timeoutConfig.inProgressTimeoutInMinutes' must be an integer of 64 bits",
		`{"timeoutConfig":{"inProgressTimeoutInMinutes":1e2}}`: "Value at 'timeoutConfig.inProgressTimeoutInMinutes' must be an integer of 64 bits",
		`{"timeoutConfig":{"inProgressTimeoutInMinutes":9223372036854775808}}`: "Value at 'timeoutConfig.inProgressTimeoutInMinutes' must be an integer of 64 bits",
		`{"jobExecutionsRolloutConfig":{"maximumPerMinute":2147483648}}`:       "Value at 'jobExecutionsRolloutConfig.maximumPerMinute' must be a 32-bit integer",
		`{"abortConfig":{"criteriaList":[{"thresholdPercentage":"20"}]}}`:      "Value at 'abortConfig.criteriaList.1.member.thresholdPercentage' must be a number, not a string",
		`{"abortConfig":{"criteriaList":[{"thresholdPercentage":1e999}]}}`:     "Value at 'abortConfig.criteriaList.1.member.thresholdPercentage' must be a number that fits a double",
	} {
		_, err := decodeJob(body)
		mustFail(t, "Decode("+body+")", err, WrongType, message)
	}
	in := new(AddThingToThingGroupRequest)
	err := in.Decode(&Request{Body: []byte(`{"overrideDynamicGroups":"true"}`)})
	mustFail(t, "Decode", err, WrongType, "Value at 'overrideDynamicGroups' must be a boolean, not a string")
}

func TestDecodeLeavesNoHoldOnTheBody(t *testing.T) {
	body := []byte(createJob)
	in := new(CreateJobRequest)
	if err := in.Decode(&Request{Labels: Labels{{"jobId", "fw-12"}}, Body: body}); err != nil {
		t.Fatal(err)
	}
	clear(body)
	if got := *in.Description; got != "September firmware" {
		t.Errorf("description is %q after the body was reused", got)
	}
}
