package awsiot

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/muster-iot/muster/audit"
)

// eventNames asks for events with the members of a JSON object, page by page, and returns the names of each page.
func (env *env) eventNames(members string) (pages [][]string) {
	env.t.Helper()
	for token := ""; ; {
		body := fmt.Sprintf(`{"NextToken":%q%s}`, token, members)
		rec := httptest.NewRecorder()
		env.server.ServeHTTP(rec, foreignRequest{
			method: "POST", target: "/", service: "cloudtrail", body: body, kind: "application/x-amz-json-1.1", amzTarget: "CloudTrail_20131101.LookupEvents",
		}.make(env.clock().Time()))
		var out struct {
			Events    []struct{ EventName string }
			NextToken string
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code != 200 {
			env.t.Fatalf("%s: %d %s", body, rec.Code, rec.Body)
		}
		var names []string
		for _, e := range out.Events {
			names = append(names, e.EventName)
		}
		if pages = append(pages, names); out.NextToken == "" {
			return pages
		}
		token = out.NextToken
	}
}

func TestEventsComeInPages(t *testing.T) {
	env := newEnv(t)
	for i := range 5 {
		intent, err := env.service.Audit.Begin(t.Context(), audit.Attempt{
			RequestID: fmt.Sprint("r", i), AccessKeyID: "AKIDADMIN", User: "admin", Service: "iot", Operation: fmt.Sprint("Do", i%2), Resources: []string{fmt.Sprint("arn:aws:iot:eu-west-1:111122223333:job/", i)},
		})
		if err == nil {
			err = intent.End(t.Context(), audit.Done, "", "")
		}
		if err != nil {
			t.Fatal(err)
		}
		env.pass(1000)
	}
	for _, tt := range []struct {
		members string
		want    [][]string
	}{
		{``, [][]string{{"Do0", "Do1", "Do0", "Do1", "Do0"}}},
		{`,"MaxResults":2`, [][]string{{"Do0", "Do1"}, {"Do0", "Do1"}, {"Do0"}}},
		{`,"MaxResults":2,"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"Do0"}]`, [][]string{{"Do0", "Do0"}, {"Do0"}}},
		{`,"LookupAttributes":[{"AttributeKey":"ResourceName","AttributeValue":"3"}]`, [][]string{{"Do1"}}},
		{`,"EventCategory":"insight"`, [][]string{nil}},
	} {
		if got := env.eventNames(tt.members); !slices.EqualFunc(got, tt.want, slices.Equal) {
			t.Errorf("%s: the pages are %q, want %q", tt.members, got, tt.want)
		}
	}
}

func TestWhoMayNotLookUpEventsIsRecorded(t *testing.T) {
	env := newEnvWith(t, Options{Keys: testKeys{`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`}})
	env.server.ServeHTTP(httptest.NewRecorder(), foreignRequest{
		method: "POST", target: "/", service: "cloudtrail", body: "{}", kind: "application/x-amz-json-1.1", amzTarget: "CloudTrail_20131101.LookupEvents", key: limited,
	}.make(env.clock().Time()))
	env.pass(2000)
	if _, err := env.service.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := env.eventNames(`,"LookupAttributes":[{"AttributeKey":"EventSource","AttributeValue":"cloudtrail.amazonaws.com"}]`); !slices.EqualFunc(got, [][]string{{"LookupEvents"}}, slices.Equal) {
		t.Errorf("the refused requests are %q, want one", got)
	}
}
