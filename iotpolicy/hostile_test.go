package iotpolicy_test

import (
	"strings"
	"testing"

	"github.com/muster-iot/muster/iotpolicy"
)

// All variables whose values come from a client, a certificate or a thing.
var variables = []string{
	iotpolicy.ClientID, iotpolicy.SourceIP, iotpolicy.ThingName, iotpolicy.ThingTypeName, iotpolicy.ThingIsAttached,
	iotpolicy.CertificateID, iotpolicy.LastWillTopic, iotpolicy.DomainName, iotpolicy.ThingAttribute("site"),
	iotpolicy.RequestTag("team"), iotpolicy.ResourceTag("team"),
	"iot:Certificate.Subject.CommonName", "iot:Certificate.Subject.Organization.1", "iot:Certificate.Issuer.CommonName",
	"iot:Certificate.Subject.AlternativeName.DNSName", "iot:Certificate.SerialNumber", "aws:username", "aws:PrincipalTag/x",
}

// Values with a special meaning in MQTT, in the policy language or in an ARN.
var hostile = []string{
	"+", "#", "a+", "+/+", "a/#", "*", "?", "a*", "??", "**", "$", "${iot:ClientId}", "${*}", "{", "}", "${", "$share/g/a", "$aws",
	"a/b", "/", "a:b", "arn:aws:iot:*:*:topic/*", "a\x00b", "ä", "\xff",
}

// TestNoVariableCarriesAWildcardIntoAMatch tries every value in every variable: an Allow
// allows the value itself and nothing else, and never a filter with MQTT wildcards.
func TestNoVariableCarriesAWildcardIntoAMatch(t *testing.T) {
	asked := append([]string{"lamp", "a", "b", "x", "+", "#", "aa", "ab", "a/b/c"}, hostile...)
	for _, key := range variables {
		for _, suffix := range []string{"", "/x", "/*"} {
			allow := statements(t, `{"Effect":"Allow","Action":"*","Resource":"`+arn+`topicfilter/d/${`+key+`}`+suffix+`"}`)
			deny := statements(t, `{"Effect":"Allow","Action":"*","Resource":"*"},
				{"Effect":"Deny","Action":"*","Resource":"`+arn+`topicfilter/d/${`+key+`}`+suffix+`"}`)
			for _, value := range hostile {
				for _, other := range asked {
					r := iotpolicy.Request{Action: iotpolicy.Subscribe, Vars: known(key, value),
						Resource: arn + "topicfilter/d/" + other + strings.Replace(suffix, "*", "y", 1)}
					own := other == value || suffix == "/*" && strings.HasPrefix(other, value+"/")
					if allow.Decide(r).Allowed() && (!own || strings.ContainsAny(value, "+#")) {
						t.Errorf("%s=%q: %s allows %q", key, value, suffix, r.Resource)
					}
					certificate := strings.HasPrefix(key, "iot:Certificate.") && strings.ContainsAny(value, "*$+?#") // AUTH-58
					if denied := !deny.Decide(r).Allowed(); denied != (own && !certificate) {
						t.Errorf("%s=%q: %s denies %q: %v", key, value, suffix, r.Resource, denied)
					}
				}
			}
		}
	}
}

// In conditions, values are compared with each other and are not filters.
func TestHostileValuesInConditionsAreText(t *testing.T) {
	for _, operator := range []string{"StringEquals", "StringLike", "StringEqualsIgnoreCase", "ArnLike"} {
		set := statements(t, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"`+operator+`":{"iot:ClientId":"${`+iotpolicy.ThingAttribute("x")+`}"}}}`)
		for _, value := range hostile {
			vars := known(iotpolicy.ClientID, "lamp", iotpolicy.ThingAttribute("x"), value)
			if set.Decide(iotpolicy.Request{Action: iotpolicy.Connect, Resource: "*", Vars: vars}).Allowed() {
				t.Errorf("%s: %q is taken for lamp", operator, value)
			}
		}
	}
}

// TestBothSpellingsOfASharedSubscription: a Deny or an Allow of either spelling applies, and an
// Allow with NotResource applies only if neither spelling is listed.
func TestBothSpellingsOfASharedSubscription(t *testing.T) {
	const plain, whole = `"` + arn + `topicfilter/fleet/*"`, `"` + arn + `topicfilter/$share/g/fleet/*"`
	allow := func(element string) string {
		return `{"Effect":"Allow","Action":"iot:Subscribe",` + element + `}`
	}
	deny := func(element string) string {
		return `{"Effect":"Deny","Action":["iotdata:Subscribe"],` + element + `}`
	}
	all := allow(`"Resource":"*"`)
	for _, test := range []struct {
		name, list string
		filter     string
		want       iotpolicy.Outcome
	}{
		{"nothing said", allow(`"Resource":"arn:x"`), "$share/g/fleet/a", iotpolicy.ImplicitDeny},
		{"the filter is allowed", allow(`"Resource":` + plain), "$share/g/fleet/a", iotpolicy.Allowed},
		{"the whole text is allowed", allow(`"Resource":` + whole), "$share/g/fleet/a", iotpolicy.Allowed},
		{"another group is allowed", allow(`"Resource":` + whole), "$share/h/fleet/a", iotpolicy.ImplicitDeny},
		{"the whole text allows no plain filter", allow(`"Resource":` + whole), "fleet/a", iotpolicy.ImplicitDeny},
		{"the filter is denied", all + "," + deny(`"Resource":`+plain), "$share/g/fleet/a", iotpolicy.ExplicitDeny},
		{"the whole text is denied", all + "," + deny(`"Resource":`+whole), "$share/g/fleet/a", iotpolicy.ExplicitDeny},
		{"a group is denied, not the filter", all + "," + deny(`"Resource":`+whole), "fleet/a", iotpolicy.Allowed},
		{"the filter is denied, the whole text allowed", allow(`"Resource":`+whole) + "," + deny(`"Resource":`+plain), "$share/g/fleet/a", iotpolicy.ExplicitDeny},
		{"the whole text is denied, the filter allowed", allow(`"Resource":`+plain) + "," + deny(`"Resource":`+whole), "$share/g/fleet/a", iotpolicy.ExplicitDeny},
		{"all but the filter", allow(`"NotResource":` + plain), "$share/g/fleet/a", iotpolicy.ImplicitDeny},
		{"all but the whole text", allow(`"NotResource":` + whole), "$share/g/fleet/a", iotpolicy.ImplicitDeny},
		{"all but another", allow(`"NotResource":"arn:x"`), "$share/g/fleet/a", iotpolicy.Allowed},
		{"everything is denied but the filter", all + "," + deny(`"NotResource":`+plain), "$share/g/fleet/a", iotpolicy.ExplicitDeny},
		{"everything is denied but both", all + "," + deny(`"NotResource":[`+plain+`,`+whole+`]`), "$share/g/fleet/a", iotpolicy.Allowed},
		{"a filter that only looks shared", allow(`"Resource":` + plain), "x:topicfilter/$share/g/fleet/a", iotpolicy.ImplicitDeny},
		{"a share without a filter", allow(`"Resource":"` + arn + `topicfilter/"`), "$share", iotpolicy.ImplicitDeny},
		{"a share in a share", all + "," + deny(`"Resource":"`+arn+`topicfilter/$share/h/*"`), "$share/g/$share/h/x", iotpolicy.ExplicitDeny},
		{"the filter is denied with a wildcard in it", all + "," + deny(`"Resource":"`+arn+`topicfilter/fleet/#"`), "$share/g/fleet/#", iotpolicy.ExplicitDeny},
	} {
		set := statements(t, test.list)
		r := iotpolicy.Request{Action: iotpolicy.Subscribe, Resource: arn + "topicfilter/" + test.filter}
		if got := set.Decide(r).Outcome; got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		if got := set.Try(r).Outcome; got != test.want {
			t.Errorf("%s: Try says %s, want %s", test.name, got, test.want)
		}
	}
	// Only a subscription has two spellings.
	set := statements(t, all+`,{"Effect":"Allow","Action":"iot:Publish","Resource":`+plain+`}`)
	if set.Decide(iotpolicy.Request{Action: iotpolicy.Publish, Resource: arn + "topicfilter/$share/g/fleet/a"}).Allowed() {
		t.Error("iot:Publish has the second spelling of a filter")
	}
}
