package authz

import (
	"errors"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/rights"
)

// withSpellings allows everything except some resources. Its Deny names each of
// them in one spelling only.
const withSpellings = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":"iot:*","Resource":"*"},
	{"Effect":"Deny","Action":"iot:Subscribe","Resource":["arn:aws:iot:*:*:topicfilter/secret/*","arn:aws:iot:*:*:topicfilter/$share/closed/*"]},
	{"Effect":"Deny","Action":"iotdata:Receive","Resource":"arn:aws:iot:*:*:topic/secret/*"},
	{"Effect":"Deny","Action":"iot:RetainPublish","Resource":"arn:aws:iot:*:*:topic/status/*"},
	{"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/$aws/things/pump/jobs/$next/get"}]}`

// TestEverySpellingIsHeldToTheSamePolicy has a device and the holder of an access
// key, with the same policy, ask for one thing in all its spellings.
func TestEverySpellingIsHeldToTheSamePolicy(t *testing.T) {
	w := newWorld(t)
	der, id := w.device("d", muster.CertificateActive, w.now.Add(time.Hour), nil)
	w.allow("spellings", withSpellings, rights.PolicyTarget{Certificate: id})
	device, err := w.connect(der, "hub")
	w.ok(err)
	parsed, err := iotpolicy.Parse("spellings", withSpellings)
	w.ok(err)
	w.a.o.Keys = func(string) (identity.Caller, error) {
		return identity.Caller{ARN: "x", Policies: iotpolicy.Set{parsed}}, nil
	}
	holder, err := w.a.Connect(t.Context(), gateway.Connect{ClientID: "hub", Peer: gateway.Peer{Principal: "AKIA1", Transport: "wss"}})
	w.ok(err)
	for who, a := range map[string]gateway.Grant{"a device": device, "the holder of a key": holder} {
		for _, test := range []struct {
			name string
			got  error
			want bool
		}{
			{"the filter", a.Subscribe("secret/a"), false},
			{"the filter, shared", a.Subscribe("$share/g/secret/a"), false},
			{"the filter with a wildcard, shared", a.Subscribe("$share/g/secret/#"), false},
			{"a group", a.Subscribe("$share/closed/open/a"), false},
			{"the group's filter without it", a.Subscribe("open/a"), true},
			{"another group", a.Subscribe("$share/open/open/a"), true},
			// AUTH-65: a filter is compared as text, so a wider one is another filter ...
			{"a wider filter", a.Subscribe("+/a"), true},
			{"a wider filter, shared", a.Subscribe("$share/g/#"), true},
			{"a plain publish", a.Publish("status/a", false), true},
			{"a retained publish", a.Publish("status/a", true), false},
			// ... and $next is another topic than the job's own.
			{"the next job", a.Publish("$aws/things/pump/jobs/$next/get", false), false},
			{"the job by its id", a.Publish("$aws/things/pump/jobs/fw/get", false), true},
		} {
			if (test.got == nil) != test.want || test.got != nil && !errors.Is(test.got, gateway.ErrRefused) {
				t.Errorf("%s, %s: %v, want it allowed: %v", who, test.name, test.got, test.want)
			}
		}
		if a.Receive("secret/a") || !a.Receive("open/a") { // which holds however the topic was subscribed to
			t.Errorf("%s: what arrives is not held to iot:Receive", who)
		}
	}
	for filter, want := range map[string]bool{"secret/a": false, "$share/g/secret/a": false, "$share/open/open/a": true} {
		e, err := w.a.Explain(t.Context(), iotpolicy.Question{Who: string(id), ClientID: "hub", Action: iotpolicy.Subscribe, Resource: "topicfilter/" + filter})
		w.ok(err)
		if e.Allowed != want {
			t.Errorf("Explain says of %s: %+v", filter, e)
		}
	}
}
