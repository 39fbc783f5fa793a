package iotpolicy_test

import (
	"fmt"
	"testing"

	"github.com/muster-iot/muster/iotpolicy"
)

func TestATrialTellsWhatEachPolicySays(t *testing.T) {
	var set iotpolicy.Set
	for name, document := range []string{
		`{"Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"*"}}`,
		`{"Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}`,
		`{"Statement":[{"Sid":"shut","Effect":"Deny","Action":"iot:*","Resource":"arn:aws:iot:::topic/shut"},
			{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:::topic/${iot:Connection.Thing.ThingName}"}]}`,
	} {
		p, err := iotpolicy.Parse(fmt.Sprint("p", name), document)
		if err != nil {
			t.Fatal(err)
		}
		set = append(set, p)
	}
	for name, test := range map[string]struct{ resource, want, each, missing string }{
		"one policy allows": {"arn:aws:iot:::topic/a", "allowed by statement #0 of policy p0",
			"[ALLOWED IMPLICIT_DENY IMPLICIT_DENY]", "[iot:Connection.Thing.ThingName]"},
		"another denies": {"arn:aws:iot:::topic/shut", "denied by statement shut of policy p2",
			"[ALLOWED IMPLICIT_DENY EXPLICIT_DENY]", "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			got := set.Try(iotpolicy.Request{Action: iotpolicy.Publish, Resource: test.resource})
			var each []iotpolicy.Outcome
			for _, d := range got.Each {
				each = append(each, d.Outcome)
			}
			if got.String() != test.want || fmt.Sprint(each) != test.each || fmt.Sprint(got.Missing) != test.missing {
				t.Errorf("Try() = %s, each %v, missing %v; want %s, %s, %s", got, each, got.Missing, test.want, test.each, test.missing)
			}
		})
	}
	if got := (iotpolicy.Set{}).Try(iotpolicy.Request{Action: iotpolicy.Publish, Resource: "*"}); got.Allowed() || len(got.Each) != 0 {
		t.Errorf("a trial without policies = %+v, want a denial without a policy", got)
	}
}
