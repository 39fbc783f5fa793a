package wire

import (
	"reflect"
	"testing"
)

func TestDecodePayload(t *testing.T) {
	update := func(in UpdateJobExecutionRequest) UpdateJobExecutionRequest {
		in.JobID, in.ThingName = new("fw"), new("lamp")
		return in
	}
	tests := map[string]struct {
		payload string
		want    UpdateJobExecutionRequest
		token   *string
	}{
		"numbers and booleans as such": {
			`{"status":"IN_PROGRESS","expectedVersion":2,"includeJobDocument":true,"clientToken":"t-4"}`,
			update(UpdateJobExecutionRequest{Status: new("IN_PROGRESS"), ExpectedVersion: new(int64(2)), IncludeJobDocument: new(true)}), new("t-4"),
		},
		"numbers and booleans as strings": {
			`{"status":"FAILED","expectedVersion":"2","executionNumber":"-1","includeJobExecutionState":"false","includeJobDocument":"true"}`,
			update(UpdateJobExecutionRequest{Status: new("FAILED"), ExpectedVersion: new(int64(2)), ExecutionNumber: new(int64(-1)),
				IncludeJobExecutionState: new(false), IncludeJobDocument: new(true)}), nil,
		},
		"the topic wins over the payload": {
			`{"jobId":"other","thingName":"other","status":"SUCCEEDED"}`,
			update(UpdateJobExecutionRequest{Status: new("SUCCEEDED")}), nil,
		},
		"program output in the details": {
			`{"status":"FAILED","statusDetails":{"log":"line 1\r\n\tline 2"},"clientToken":null}`,
			update(UpdateJobExecutionRequest{Status: new("FAILED"), StatusDetails: map[string]string{"log": "line 1\r\n\tline 2"}}), nil,
		},
		"numbers and booleans in the details": {
			`{"status":"FAILED","statusDetails":{"a":0, "b":1.50 ,"c":1e3,"d":-0,"e":true,"f":false}}`,
			update(UpdateJobExecutionRequest{Status: new("FAILED"), StatusDetails: map[string]string{"a": "0", "b": "1.50", "c": "1e3", "d": "-0", "e": "true", "f": "false"}}), nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := update(UpdateJobExecutionRequest{})
			token, err := in.DecodePayload([]byte(test.payload))
			if err != nil {
				t.Fatalf("DecodePayload(%s): %v", test.payload, err)
			}
			if !reflect.DeepEqual(in, test.want) {
				t.Errorf("DecodePayload(%s) = %+v, want %+v", test.payload, in, test.want)
			}
			if !reflect.DeepEqual(token, test.token) {
				t.Errorf("DecodePayload(%s) has token %q, want %q", test.payload, Or(token, "(none)"), Or(test.token, "(none)"))
			}
		})
	}
}

func TestDecodePayloadReadsWhatHTTPHasInTheQuery(t *testing.T) {
	in := DataDescribeJobExecutionRequest{JobID: new("$next"), ThingName: new("lamp")}
	token, err := in.DecodePayload([]byte(`{"executionNumber":"3","includeJobDocument":false,"clientToken":"c"}`))
	want := DataDescribeJobExecutionRequest{JobID: new("$next"), ThingName: new("lamp"), ExecutionNumber: new(int64(3)), IncludeJobDocument: new(false)}
	if err != nil || !reflect.DeepEqual(in, want) || Or(token, "") != "c" {
		t.Errorf("DecodePayload = %+v, %q, %v", in, Or(token, "(none)"), err)
	}
}

func TestDecodePayloadWithoutMembers(t *testing.T) {
	in := GetPendingJobExecutionsRequest{ThingName: new("lamp")}
	for payload, want := range map[string]string{``: "(none)", `{}`: "(none)", `{"x":[1],"clientToken":"c"}`: "c"} {
		token, err := in.DecodePayload([]byte(payload))
		if got := Or(token, "(none)"); err != nil || got != want {
			t.Errorf("DecodePayload(%s) = %q, %v, want %q", payload, got, err, want)
		}
	}
}

func TestDecodePayloadFaults(t *testing.T) {
	tests := map[string]struct {
		payload string
		fault   Fault
		message string
		token   string
	}{
		"the token stands behind the wrong type": {`{"status":5,"clientToken":"c"}`, WrongType, "Value at 'status' must be a string, not a number", "c"},
		"the token has the wrong type":           {`{"status":"FAILED","clientToken":5}`, WrongType, "Value at 'clientToken' must be a string, not a number", ""},
		"an object in the details":               {`{"status":"FAILED","statusDetails":{"a":{}},"clientToken":"c"}`, WrongType, "Value at 'statusDetails.a.member' must be a string, a number or a boolean, not an object", "c"},
		"a list in the details":                  {`{"status":"FAILED","statusDetails":{"a":[1]},"clientToken":"c"}`, WrongType, "Value at 'statusDetails.a.member' must be a string, a number or a boolean, not a list", "c"},
		"null in the details":                    {`{"status":"FAILED","statusDetails":{"a":null},"clientToken":"c"}`, WrongType, "Value at 'statusDetails.a.member' must be a string, a number or a boolean, not null", "c"},
		"a number in the details that is none":   {`{"status":"FAILED","statusDetails":{"a":01},"clientToken":"c"}`, NotJSON, "The request body is not valid JSON at line 1, column 42: unexpected '1', expected ',' or '}'", ""},
		"a value that the model refuses": {`{"clientToken":"c","statusDetails":{"a":"\u0000"},"status":"FAILED"}`, Violation,
			"1 validation error detected: Value '{a=\x00}' at 'statusDetails' failed to satisfy constraint: Map value must satisfy constraint: " +
				`[Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ([^\p{C}]|[\n\r\t])+]`, "c"},
		"a member that is missing": {`{"clientToken":"c"}`, Violation,
			"1 validation error detected: Value null at 'status' failed to satisfy constraint: Member must not be null", "c"},
		"not JSON, so no token": {`{"clientToken":"c","status":5`, NotJSON, "The request body is not valid JSON at line 1, column 30: unexpected end of the text, expected ',' or '}'", ""},
		"not an object":         {`["c"]`, NotJSON, "The request body must be a JSON object", ""},
		"no number in a string": {`{"status":"FAILED","expectedVersion":"two"}`, WrongType, "Value at 'expectedVersion' must be an integer of 64 bits", ""},
		"no boolean in a string": {`{"status":"FAILED","includeJobDocument":"TRUE"}`, WrongType,
			"Value at 'includeJobDocument' must be a boolean, not a string", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := UpdateJobExecutionRequest{JobID: new("fw"), ThingName: new("lamp")}
			token, err := in.DecodePayload([]byte(test.payload))
			mustFail(t, "DecodePayload("+test.payload+")", err, test.fault, test.message)
			if got := Or(token, ""); got != test.token {
				t.Errorf("DecodePayload(%s) has token %q, want %q", test.payload, got, test.token)
			}
		})
	}
}
