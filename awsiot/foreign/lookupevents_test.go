package foreign_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/awsiot/foreign"
)

var account = muster.Account{ID: "111122223333", Region: "eu-west-1"}

// created and the others are records as the service keeps them.
var (
	created = audit.Record{
		At: 1790003600123, RequestID: "6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02", AccessKeyID: "AKIDANN", User: "ann", Address: "192.0.2.7", Service: "iot", Operation: "CreateJob",
		Resources: []string{"arn:aws:iot:eu-west-1:111122223333:job/fw", "arn:aws:iot:eu-west-1:111122223333:thing/lamp"}, Outcome: audit.Done,
		Changes: []audit.Change{{Resource: "job/fw", Field: "description", New: "a < b"}},
	}
	refused = audit.Record{
		At: 1790003601000, RequestID: "r2", AccessKeyID: "AKIDBOB", User: "bob", Service: "s3", Operation: "GetObject", Resources: []string{"arn:aws:s3:::files/fw/1.bin"},
		Outcome: audit.Refused, Error: "AccessDenied", Message: "no", Count: 7,
	}
	byHand = audit.Record{At: 1790003602000, RequestID: "r3", User: "local:root", Service: "muster", Operation: "AddKey", Resources: []string{"arn:aws:iam::111122223333:user/ci"}, Outcome: audit.Begun}
	all    = []audit.Record{created, refused, byHand}
)

func TestAnEventAsItIsSent(t *testing.T) {
	w := httptest.NewRecorder()
	foreign.WriteEvents(w, audit.Page{Records: []audit.Record{created}, Next: "more"}, account)
	const id = "01a0c487-5afb-8"
	var out struct {
		Events    []map[string]any
		NextToken string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.Events) != 1 || out.NextToken != "more" || w.Header().Get("Content-Type") != "application/x-amz-json-1.1" {
		t.Fatalf("the answer is %s, %v", w.Body, err)
	}
	e := out.Events[0]
	trail := e["CloudTrailEvent"].(string)
	delete(e, "CloudTrailEvent")
	eventID := e["EventId"].(string)
	delete(e, "EventId")
	rest, _ := json.Marshal(e)
	if want := `{"AccessKeyId":"AKIDANN","EventName":"CreateJob","EventSource":"iot.amazonaws.com","EventTime":1790003600,"ReadOnly":"false","Resources":[` +
		`{"ResourceName":"arn:aws:iot:eu-west-1:111122223333:job/fw","ResourceType":"AWS::IoT::Job"},{"ResourceName":"arn:aws:iot:eu-west-1:111122223333:thing/lamp","ResourceType":"AWS::IoT::Thing"}],"Username":"ann"}`; string(rest) != want {
		t.Errorf("an event is\n%s\nwant\n%s", rest, want)
	}
	want := `{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"` + foreign.UserID("arn:aws:iam::111122223333:user/ann") + `","arn":"arn:aws:iam::111122223333:user/ann",` +
		`"accountId":"111122223333","accessKeyId":"AKIDANN","userName":"ann"},"eventTime":"2026-09-21T15:13:20Z","eventSource":"iot.amazonaws.com","eventName":"CreateJob","awsRegion":"eu-west-1",` +
		`"sourceIPAddress":"192.0.2.7","requestParameters":null,"responseElements":null,"additionalEventData":{"outcome":"done","changes":[{"resource":"job/fw","field":"description","new":"a < b"}]},` +
		`"requestID":"6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02","eventID":"` + eventID + `","readOnly":false,"resources":[{"accountId":"111122223333","type":"AWS::IoT::Job","ARN":"arn:aws:iot:eu-west-1:111122223333:job/fw"},` +
		`{"accountId":"111122223333","type":"AWS::IoT::Thing","ARN":"arn:aws:iot:eu-west-1:111122223333:thing/lamp"}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}`
	if trail != want {
		t.Errorf("its record is\n%s\nwant\n%s", trail, want)
	}
	if !strings.HasPrefix(eventID, id) {
		t.Errorf("its id is %s, want a UUID of the form 8 that begins with its instant, %s…", eventID, id)
	}
}

func TestErrorsAndUnknownUsersInEvents(t *testing.T) {
	w := httptest.NewRecorder()
	foreign.WriteEvents(w, audit.Page{Records: []audit.Record{refused, byHand}}, account)
	for _, want := range []string{
		`"EventSource":"s3.amazonaws.com"`, `\"errorCode\":\"AccessDenied\",\"errorMessage\":\"no\"`, `\"count\":7`, `"ReadOnly":"true"`, `"ResourceType":"AWS::S3::Object"`,
		`\"userIdentity\":{\"type\":\"Unknown\",\"userName\":\"local:root\"}`, `\"outcome\":\"unknown\"`, `"ResourceType":"AWS::IAM::User"`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the answer lacks %s:\n%s", want, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), "NextToken") {
		t.Errorf("the last page has a token:\n%s", w.Body)
	}
}

// idOf returns the EventId of a record.
func idOf(t *testing.T, r audit.Record) string {
	t.Helper()
	w := httptest.NewRecorder()
	foreign.WriteEvents(w, audit.Page{Records: []audit.Record{r}}, account)
	var out struct {
		Events []struct {
			EventID string `json:"EventId"`
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	return out.Events[0].EventID
}

// find returns the operations of the records that a request chooses, as audit.Log finds them.
func find(t *testing.T, body string) []string {
	t.Helper()
	l, err := foreign.ReadLookup([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	found := []string{}
	for _, r := range all {
		q := l.Query
		if l.None || r.At < q.From || q.To > 0 && r.At >= q.To || q.Operation != "" && q.Operation != r.Operation ||
			q.Principal != "" && q.Principal != r.AccessKeyID && q.Principal != r.User || q.Resource != "" && !slices.Contains(r.Resources, q.Resource) || q.Chooses != nil && !q.Chooses(r) {
			continue
		}
		found = append(found, r.Operation)
	}
	return found
}

func TestWhatLookupEventsFinds(t *testing.T) {
	attribute := func(key, value string) string {
		return `{"LookupAttributes":[{"AttributeKey":"` + key + `","AttributeValue":"` + value + `"}]}`
	}
	for body, want := range map[string][]string{
		`{}`: {"CreateJob", "GetObject", "AddKey"},
		`{"MaxResults":1,"NextToken":"","Unknown":[1]}`:                                  {"CreateJob", "GetObject", "AddKey"},
		`{"EventCategory":"insight"}`:                                                    {},
		`{"StartTime":1790003601}`:                                                       {"GetObject", "AddKey"},
		`{"StartTime":1790003600,"EndTime":1790003601}`:                                  {"CreateJob", "GetObject"},
		`{"EndTime":1790003600}`:                                                         {"CreateJob"},
		`{"StartTime":1790003600.5,"EndTime":1790003601.25}`:                             {"GetObject"},
		`{"EndTime":-1}`:                                                                 {},
		`{"StartTime":-5}`:                                                               {"CreateJob", "GetObject", "AddKey"},
		attribute("EventId", idOf(t, refused)):                                           {"GetObject"},
		attribute("EventId", "6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02"):                     {},
		attribute("EventId", "no"):                                                       {},
		attribute("EventName", "AddKey"):                                                 {"AddKey"},
		attribute("ReadOnly", "true"):                                                    {"GetObject"},
		attribute("ReadOnly", "false"):                                                   {"CreateJob", "AddKey"},
		attribute("Username", "ann"):                                                     {"CreateJob"},
		attribute("Username", "AKIDANN"):                                                 {},
		attribute("AccessKeyId", "AKIDBOB"):                                              {"GetObject"},
		attribute("AccessKeyId", "bob"):                                                  {},
		attribute("ResourceType", "AWS::IoT::Thing"):                                     {"CreateJob"},
		attribute("ResourceName", "arn:aws:iot:eu-west-1:111122223333:thing/lamp"):       {"CreateJob"},
		attribute("ResourceName", "lamp"):                                                {"CreateJob"},
		attribute("ResourceName", "fw/1.bin"):                                            {"GetObject"},
		attribute("EventSource", "iot.amazonaws.com"):                                    {"CreateJob", "AddKey"},
		`{"EndTime":1790003600,` + attribute("EventId", idOf(t, refused))[1:]:            {},
		`{"StartTime":1790003601,` + attribute("EventId", idOf(t, refused))[1:]:          {"GetObject"},
		`{"StartTime":1790003602,` + attribute("EventSource", "iot.amazonaws.com")[1:]:   {"AddKey"},
		`{"LookupAttributes":[],"StartTime":null,"EndTime":null,"EventCategory":null}`:   {"CreateJob", "GetObject", "AddKey"},
		`{"LookupAttributes":null,"MaxResults":null,"NextToken":null,"StartTime":17e8} `: {"CreateJob", "GetObject", "AddKey"},
	} {
		if got := find(t, body); !slices.Equal(got, want) {
			t.Errorf("%s finds %q, want %q", body, got, want)
		}
	}
}

func TestWhatLookupEventsRefuses(t *testing.T) {
	const one = `{"AttributeKey":"EventName","AttributeValue":"x"}`
	for body, want := range map[string]string{
		``:                            "SerializationException",
		`[]`:                          "SerializationException",
		`{"StartTime":"2026"}`:        "SerializationException",
		`{"MaxResults":1.5}`:          "SerializationException",
		`{"MaxResults":0}`:            "InvalidMaxResultsException",
		`{"MaxResults":51}`:           "InvalidMaxResultsException",
		`{"EventCategory":""}`:        "InvalidEventCategoryException",
		`{"StartTime":2,"EndTime":1}`: "InvalidTimeRangeException",
		`{"StartTime":1e300}`:         "InvalidTimeRangeException",
		`{"EndTime":-1e300}`:          "InvalidTimeRangeException",
		`{"LookupAttributes":[` + one + `,` + one + `]}`:                                                           "InvalidLookupAttributesException",
		`{"LookupAttributes":[{"AttributeKey":"EventName"}]}`:                                                      "InvalidLookupAttributesException",
		`{"LookupAttributes":[{"AttributeKey":"eventName","AttributeValue":"x"}]}`:                                 "InvalidLookupAttributesException",
		`{"LookupAttributes":[{"AttributeKey":"ReadOnly","AttributeValue":"yes"}]}`:                                "InvalidLookupAttributesException",
		`{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"` + strings.Repeat("ü", 2001) + `"}]}`: "InvalidLookupAttributesException",
	} {
		_, err := foreign.ReadLookup([]byte(body))
		if e, ok := errors.AsType[*foreign.TrailError](err); !ok || e.Name != want || e.Message == "" {
			t.Errorf("%.80s: %v, want %s", body, err, want)
		}
	}
}
