package wire

import (
	"encoding/json"
	"math"
	"testing"
)

func TestEncode(t *testing.T) {
	tests := map[string]struct {
		out  Output
		want string
	}{
		"nothing":                     {&DescribeJobResponse{}, `{}`},
		"an empty structure":          {&DescribeJobResponse{Job: &Job{PresignedURLConfig: &PresignedUrlConfig{}}}, `{"job":{"presignedUrlConfig":{}}}`},
		"zero is not absent":          {&DescribeThingResponse{Version: new(int64(0)), ThingName: new("")}, `{"thingName":"","version":0}`},
		"empty lists and maps":        {&DescribeThingResponse{Attributes: map[string]string{}}, `{"attributes":{}}`},
		"an empty list":               {&ListThingsResponse{Things: []ThingAttribute{}}, `{"things":[]}`},
		"maps in order of their keys": {&DescribeThingResponse{Attributes: map[string]string{"b": "2", "a": "1", "c": "\"3\""}}, `{"attributes":{"a":"1","b":"2","c":"\"3\""}}`},
		"lists of structures":         {&ListThingsResponse{Things: []ThingAttribute{{ThingName: new("a")}, {}}, NextToken: new("t")}, `{"nextToken":"t","things":[{"thingName":"a"},{}]}`},
		"maps of structures": {&DescribeEventConfigurationsResponse{EventConfigurations: map[string]Configuration{"JOB": {Enabled: new(true)}, "CERTIFICATE": {Enabled: new(false)}}},
			`{"eventConfigurations":{"CERTIFICATE":{"Enabled":false},"JOB":{"Enabled":true}}}`},
		"a timestamp with milliseconds": {&DescribeJobResponse{Job: &Job{CreatedAt: new(Timestamp(1790000009014))}}, `{"job":{"createdAt":1790000009.014}}`},
		"a whole second":                {&DescribeJobResponse{Job: &Job{CreatedAt: new(Timestamp(1790000009000))}}, `{"job":{"createdAt":1790000009}}`},
		"before the epoch":              {&DescribeJobResponse{Job: &Job{CreatedAt: new(Timestamp(-1))}}, `{"job":{"createdAt":-0.001}}`},
		"doubles without an exponent": {&DescribeJobResponse{Job: &Job{AbortConfig: &AbortConfig{CriteriaList: []AbortCriteria{{ThresholdPercentage: new(1e7)}, {ThresholdPercentage: new(33.33)}}}}},
			`{"job":{"abortConfig":{"criteriaList":[{"thresholdPercentage":10000000},{"thresholdPercentage":33.33}]}}}`},
		"what is no number": {&DescribeJobResponse{Job: &Job{AbortConfig: &AbortConfig{CriteriaList: []AbortCriteria{{ThresholdPercentage: new(math.NaN())}}}}},
			`{"job":{"abortConfig":{"criteriaList":[{"thresholdPercentage":0}]}}}`},
		"a blob":                {&GetRetainedMessageResponse{Payload: []byte("\x00hi")}, `{"payload":"AGhp"}`},
		"an empty blob":         {&GetRetainedMessageResponse{Payload: []byte{}}, `{"payload":""}`},
		"text unescaped":        {&GetJobDocumentResponse{Document: new("{\"a\":\"<é&😀>\"}\r\n\t\x00\x1f\u2028\\")}, "{\"document\":\"{\\\"a\\\":\\\"<é&😀>\\\"}\\r\\n\\t\\u0000\\u001f\u2028\\\\\"}"},
		"text that is no UTF-8": {&GetJobDocumentResponse{Document: new("a\xffb\xc3")}, `{"document":"a` + "\uFFFD" + `b` + "\uFFFD" + `"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := string(test.out.AppendJSON(nil))
			if got != test.want {
				t.Errorf("AppendJSON = %s\nwant         %s", got, test.want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("AppendJSON = %s, which is not JSON", got)
			}
			if appended := string(test.out.AppendJSON([]byte("x,"))); appended != "x,"+test.want {
				t.Errorf("AppendJSON(x,) = %s, want what was there kept", appended)
			}
		})
	}
}
