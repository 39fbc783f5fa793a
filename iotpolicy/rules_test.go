package iotpolicy_test

import (
	"testing"

	"github.com/muster-iot/muster/iotpolicy"
)

// The rules of identity-and-auth.md section B that this package decides, by number. Each case
// is a policy of one statement for the action iot:Publish, and its decision about a resource.

const publishARN = "arn:aws:iot:us-east-1:123456789012:topic/"

type ruling struct {
	name     string
	pattern  string // the statement's resource, below publishARN unless it is an ARN
	resource string // asked for, below publishARN
	vars     map[string]string
	want     bool
}

// rule checks each case as an Allow, and as a Deny next to an Allow of everything.
func rule(t *testing.T, cases []ruling) {
	t.Helper()
	for _, c := range cases {
		pattern := c.pattern
		if len(pattern) < 4 || pattern[:4] != "arn:" {
			pattern = publishARN + pattern
		}
		vars := func(key string) ([]string, bool) {
			v, ok := c.vars[key]
			return []string{v}, ok
		}
		r := iotpolicy.Request{Action: iotpolicy.Publish, Resource: publishARN + c.resource, Vars: vars}
		if got := (iotpolicy.Set{statementOf(t, "Allow", pattern)}).Decide(r).Allowed(); got != c.want {
			t.Errorf("%s: Allow %s of %s is %v, want %v", c.name, pattern, c.resource, got, c.want)
		}
		denied := iotpolicy.Set{statementOf(t, "Allow", "*"), statementOf(t, "Deny", pattern)}.Decide(r).Outcome == iotpolicy.ExplicitDeny
		if denied != c.want {
			t.Errorf("%s: Deny %s of %s is %v, want %v", c.name, pattern, c.resource, denied, c.want)
		}
	}
}

func statementOf(t *testing.T, effect, resource string) *iotpolicy.Policy {
	t.Helper()
	p, err := iotpolicy.Parse(effect, `{"Version":"2012-10-17","Statement":{"Effect":"`+effect+`","Action":"iot:Publish","Resource":"`+resource+`"}}`)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAUTH56WildcardsOfResources(t *testing.T) {
	rule(t, []ruling{
		{name: "a star is any run, slashes too", pattern: "a*d", resource: "a/b/c/d", want: true},
		{name: "a star is nothing too", pattern: "a*b", resource: "ab", want: true},
		{name: "a question mark is one character", pattern: "a?c", resource: "a/c", want: true},
		{name: "and no less", pattern: "a?c", resource: "ac"},
		{name: "MQTT's plus is a plus", pattern: "a/+", resource: "a/b"},
		{name: "and only that", pattern: "a/+", resource: "a/+", want: true},
		{name: "MQTT's hash is a hash", pattern: "a/#", resource: "a/b"},
		{name: "region and account may be wild", pattern: "arn:aws:iot:*:1234*:topic/a", resource: "a", want: true},
	})
}

func TestAUTH57FixedVariables(t *testing.T) {
	rule(t, []ruling{
		{name: "a star as it is", pattern: "a/${*}", resource: "a/*", want: true},
		{name: "is not a wildcard", pattern: "a/${*}", resource: "a/b"},
		{name: "nor a question mark", pattern: "a/${?}", resource: "a/b"},
		{name: "a dollar", pattern: "${$}aws/a", resource: "$aws/a", want: true},
		{name: "a dollar without a brace needs nothing", pattern: "$aws/a", resource: "$aws/a", want: true},
	})
}

func TestAUTH58ValuesAreText(t *testing.T) {
	client := func(id string) map[string]string { return map[string]string{"iot:ClientId": id} }
	certificate := func(cn string) map[string]string { return map[string]string{"iot:Certificate.Subject.CommonName": cn} }
	rule(t, []ruling{
		{name: "a client called *", pattern: "${iot:ClientId}/a", resource: "lamp/a", vars: client("*")},
		{name: "has its own topics", pattern: "${iot:ClientId}/a", resource: "*/a", vars: client("*"), want: true},
		{name: "a client called ?", pattern: "${iot:ClientId}", resource: "a", vars: client("?")},
		{name: "a client called ${iot:ClientId}", pattern: "${iot:ClientId}", resource: "${iot:ClientId}", vars: client("${iot:ClientId}"), want: true},
		{name: "a certificate's name", pattern: "${iot:Certificate.Subject.CommonName}", resource: "lamp", vars: certificate("lamp"), want: true},
		{name: "with a wildcard counts for nothing", pattern: "${iot:Certificate.Subject.CommonName}", resource: "la*", vars: certificate("la*")},
		{name: "nor with a plus", pattern: "${iot:Certificate.Subject.CommonName}", resource: "la+", vars: certificate("la+")},
	})
}

func TestAUTH59AVariableWithoutAValueMatchesNothing(t *testing.T) {
	rule(t, []ruling{
		{name: "not the empty text", pattern: "${iot:Connection.Thing.ThingName}", resource: ""},
		{name: "not anything", pattern: "${iot:Connection.Thing.ThingName}/*", resource: "lamp/a"},
		{name: "not a topic that begins with a slash", pattern: "${iot:Connection.Thing.ThingName}/*", resource: "/a"},
		{name: "not its own text", pattern: "${iot:Connection.Thing.ThingName}", resource: "${iot:Connection.Thing.ThingName}"},
		{name: "an empty value neither", pattern: "${iot:ClientId}/a", resource: "/a", vars: map[string]string{"iot:ClientId": ""}},
	})
}

func TestAUTH60ADenyWinsOverAnyAllow(t *testing.T) {
	allow, deny := statementOf(t, "Allow", "*"), statementOf(t, "Deny", publishARN+"secret")
	for name, test := range map[string]struct {
		set      iotpolicy.Set
		resource string
		want     iotpolicy.Outcome
	}{
		"nothing said":        {nil, "a", iotpolicy.ImplicitDeny},
		"allowed":             {iotpolicy.Set{allow}, "a", iotpolicy.Allowed},
		"denied after":        {iotpolicy.Set{allow, deny}, "secret", iotpolicy.ExplicitDeny},
		"denied before":       {iotpolicy.Set{deny, allow}, "secret", iotpolicy.ExplicitDeny},
		"denied elsewhere":    {iotpolicy.Set{deny, allow}, "a", iotpolicy.Allowed},
		"denied, not allowed": {iotpolicy.Set{deny}, "secret", iotpolicy.ExplicitDeny},
	} {
		if got := test.set.Decide(iotpolicy.Request{Action: iotpolicy.Publish, Resource: publishARN + test.resource}); got.Outcome != test.want {
			t.Errorf("%s: %s, want %s", name, got.Outcome, test.want)
		}
	}
}

func TestAUTH65AUTH66FiltersAreTextAndNeedTheirOwnResource(t *testing.T) {
	const account = "arn:aws:iot:us-east-1:123456789012:"
	for name, test := range map[string]struct {
		allowed, filter string
		want            bool
	}{
		"a star allows wildcards":                  {"topicfilter/a/*", "a/+", true},
		"and hashes":                               {"topicfilter/a/*", "a/#", true},
		"and topics":                               {"topicfilter/a/*", "a/b", true},
		"a plus allows the plus":                   {"topicfilter/a/+", "a/+", true},
		"and nothing under it":                     {"topicfilter/a/+", "a/b", false},
		"a topic resource allows no subscriptions": {"topic/a/*", "a/b", false},
	} {
		p, err := iotpolicy.Parse("p", `{"Statement":{"Effect":"Allow","Action":"iot:Subscribe","Resource":"`+account+test.allowed+`"}}`)
		if err != nil {
			t.Fatal(err)
		}
		if got := (iotpolicy.Set{p}).Decide(iotpolicy.Request{Action: iotpolicy.Subscribe, Resource: account + "topicfilter/" + test.filter}).Allowed(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
