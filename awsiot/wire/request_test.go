package wire

import (
	"net/http"
	"net/url"
	"reflect"
	"testing"
)

func TestDecodeParameters(t *testing.T) {
	tests := map[string]struct {
		in   Input
		r    Request
		want Input
	}{
		"labels, query and nothing else": {
			new(DeleteJobExecutionRequest),
			Request{
				Labels: Labels{{"thingName", "lamp"}, {"jobId", "fw"}, {"executionNumber", "2"}},
				Query:  url.Values{"force": {"true"}, "namespaceId": {"ns"}, "unknown": {"x"}},
			},
			&DeleteJobExecutionRequest{ThingName: new("lamp"), JobID: new("fw"), ExecutionNumber: new(int64(2)), Force: new(true), NamespaceID: new("ns")},
		},
		"a boolean in any letter case": {
			new(CancelJobRequest),
			Request{Labels: Labels{{"jobId", "fw"}}, Query: url.Values{"force": {"TruE"}}},
			&CancelJobRequest{JobID: new("fw"), Force: new(true)},
		},
		"false is not absent": {
			new(CancelJobRequest),
			Request{Labels: Labels{{"jobId", "fw"}}, Query: url.Values{"force": {"FALSE"}}},
			&CancelJobRequest{JobID: new("fw"), Force: new(false)},
		},
		"the last of duplicates": {
			new(ListJobsRequest),
			Request{Query: url.Values{"maxResults": {"1", "250"}}},
			&ListJobsRequest{MaxResults: new(250)},
		},
		"an empty text is not absent": {
			new(ListThingsRequest),
			Request{Query: url.Values{"nextToken": {""}}},
			&ListThingsRequest{NextToken: new("")},
		},
		"a header": {
			new(AttachThingPrincipalRequest),
			Request{Labels: Labels{{"thingName", "lamp"}}, Header: http.Header{"X-Amzn-Principal": {"arn:aws:iot:::cert/a"}}},
			&AttachThingPrincipalRequest{ThingName: new("lamp"), Principal: new("arn:aws:iot:::cert/a")},
		},
		"a body that no member is bound to": {
			new(DescribeThingRequest),
			Request{Labels: Labels{{"thingName", "lamp"}}, Body: []byte("garbage")},
			&DescribeThingRequest{ThingName: new("lamp")},
		},
		"a raw payload": {
			new(PublishRequest),
			Request{Labels: Labels{{"topic", "a/b"}}, Query: url.Values{"qos": {"1"}, "retain": {"true"}}, Body: []byte("\x00hi"),
				Header: http.Header{"X-Amz-Mqtt5-User-Properties": {"W3siYSI6ImIifV0="}}},
			&PublishRequest{Topic: new("a/b"), QoS: new(1), Retain: new(true), Payload: []byte("\x00hi"), UserProperties: new(`[{"a":"b"}]`)},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := test.in.Decode(&test.r); err != nil {
				t.Fatalf("Decode: %v", err)
			}
			if !reflect.DeepEqual(test.in, test.want) {
				t.Errorf("Decode = %+v, want %+v", test.in, test.want)
			}
		})
	}
}

func TestDecodeRefusesParameters(t *testing.T) {
	tests := map[string]struct {
		in   Input
		r    Request
		want string
	}{
		"no boolean":       {new(CancelJobRequest), Request{Query: url.Values{"force": {"yes"}}}, "Value 'yes' at 'force' must be true or false"},
		"no integer":       {new(ListJobsRequest), Request{Query: url.Values{"maxResults": {"ten"}}}, "Value 'ten' at 'maxResults' must be an integer"},
		"half an integer":  {new(ListJobsRequest), Request{Query: url.Values{"maxResults": {"2.5"}}}, "Value '2.5' at 'maxResults' must be an integer"},
		"an empty integer": {new(ListJobsRequest), Request{Query: url.Values{"maxResults": {""}}}, "Value '' at 'maxResults' must be an integer"},
		"too large an integer": {new(ListJobsRequest), Request{Query: url.Values{"maxResults": {"2147483648"}}},
			"Value '2147483648' at 'maxResults' must be a 32-bit integer"},
		"no integer in the path": {new(DeleteJobExecutionRequest), Request{Labels: Labels{{"executionNumber", "x"}}},
			"Value 'x' at 'executionNumber' must be an integer"},
		"no UTF-8": {new(ListThingsRequest), Request{Query: url.Values{"nextToken": {"\xff"}}}, "Value '\xff' at 'nextToken' must be valid UTF-8"},
		"no base64": {new(PublishRequest), Request{Header: http.Header{"X-Amz-Mqtt5-User-Properties": {"{}"}}},
			"Value '{}' at 'x-amz-mqtt5-user-properties' must be JSON in base64"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			mustFail(t, "Decode", test.in.Decode(&test.r), WrongType, test.want)
		})
	}
}

func TestLabels(t *testing.T) {
	labels := Labels{{"thingName", "lamp"}}
	if got := labels.Get("thingName"); got != "lamp" {
		t.Errorf("Get(thingName) = %q, want lamp", got)
	}
	if got := labels.Get("jobId"); got != "" {
		t.Errorf("Get(jobId) = %q, want nothing", got)
	}
}

func TestOr(t *testing.T) {
	if got := Or(new(0), 7); got != 0 {
		t.Errorf("Or(&0, 7) = %d, want 0", got)
	}
	if got := Or(nil, 7); got != 7 {
		t.Errorf("Or(nil, 7) = %d, want 7", got)
	}
}
