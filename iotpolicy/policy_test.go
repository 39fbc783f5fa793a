package iotpolicy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/muster-iot/muster/iotpolicy"
)

const arn = "arn:aws:iot:us-east-1:123456789012:"

func parse(t testing.TB, name, document string) *iotpolicy.Policy {
	t.Helper()
	p, err := iotpolicy.Parse(name, document)
	if err != nil {
		t.Fatalf("Parse(%s) = %v", document, err)
	}
	return p
}

// statements wraps statements, separated by commas, into a policy.
func statements(t testing.TB, list string) iotpolicy.Set {
	t.Helper()
	return iotpolicy.Set{parse(t, "p", `{"Version":"2012-10-17","Statement":[`+list+`]}`)}
}

// known makes Vars of pairs; a key given twice has two values.
func known(pairs ...string) iotpolicy.Vars {
	values := map[string][]string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = append(values[pairs[i]], pairs[i+1])
	}
	return func(key string) ([]string, bool) {
		v, ok := values[key]
		return v, ok
	}
}

func TestDecide(t *testing.T) {
	const (
		allowAll  = `{"Sid":"open","Effect":"Allow","Action":"*","Resource":"*"}`
		denyTopic = `{"Effect":"Deny","Action":"iot:Publish","Resource":"` + arn + `topic/secret/*"}`
	)
	for name, test := range map[string]struct {
		list     string
		action   string
		resource string
		want     iotpolicy.Decision
	}{
		"nothing applies": {denyTopic, "iot:Publish", arn + "topic/a", iotpolicy.Decision{}},
		"one statement allows": {allowAll, "iot:Publish", arn + "topic/a",
			iotpolicy.Decision{Outcome: iotpolicy.Allowed, Policy: "p", Statement: "open"}},
		"a deny wins over an earlier allow": {allowAll + "," + denyTopic, "iot:Publish", arn + "topic/secret/a",
			iotpolicy.Decision{Outcome: iotpolicy.ExplicitDeny, Policy: "p", Statement: "#1"}},
		"a deny wins over a later allow": {denyTopic + "," + allowAll, "iot:Publish", arn + "topic/secret/a",
			iotpolicy.Decision{Outcome: iotpolicy.ExplicitDeny, Policy: "p", Statement: "#0"}},
		"a deny of something else does not": {denyTopic + "," + allowAll, "iot:Publish", arn + "topic/a",
			iotpolicy.Decision{Outcome: iotpolicy.Allowed, Policy: "p", Statement: "open"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := statements(t, test.list).Decide(iotpolicy.Request{Action: test.action, Resource: test.resource})
			if got != test.want {
				t.Errorf("Decide(%s, %s) = %+v, want %+v", test.action, test.resource, got, test.want)
			}
		})
	}
}

func TestDecideAcrossPolicies(t *testing.T) {
	allow := parse(t, "allow", `{"Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`)
	deny := parse(t, "deny", `{"Statement":{"Sid":"no","Effect":"Deny","Action":"iot:Connect","Resource":"*"}}`)
	request := iotpolicy.Request{Action: iotpolicy.Connect, Resource: arn + "client/a"}
	for name, test := range map[string]struct {
		set  iotpolicy.Set
		want string
	}{
		"no policy at all":            {nil, "no statement allows it"},
		"an allowing one":             {iotpolicy.Set{allow}, "allowed by statement #0 of policy allow"},
		"both, whatever the order":    {iotpolicy.Set{allow, deny}, "denied by statement no of policy deny"},
		"both, in the opposite order": {iotpolicy.Set{deny, allow}, "denied by statement no of policy deny"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.set.Decide(request); got.String() != test.want || got.Allowed() != strings.HasPrefix(test.want, "allowed") {
				t.Errorf("Decide() = %v, want %s", got, test.want)
			}
		})
	}
}

func TestActions(t *testing.T) {
	for _, test := range []struct {
		element, action string
		want            bool
	}{
		{`"Action":"iot:Publish"`, "iot:Publish", true},
		{`"Action":"IOT:publish"`, "iot:Publish", true},
		{`"Action":"iot:Publish"`, "iot:RetainPublish", false},
		{`"Action":["iot:Connect","iot:Publish"]`, "iot:Publish", true},
		{`"Action":"*"`, "iot:CreateJob", true},
		{`"Action":"iot:*"`, "iot:CreateJob", true},
		{`"Action":"iot:Get*"`, "iot:GetRetainedMessage", true},
		{`"Action":"iot:get*MESSAGE"`, "iot:GetRetainedMessage", true},
		{`"Action":"iot:Get*Mess?ge"`, "iot:GetRetainedMessage", true},
		{`"Action":"iot:Get*"`, "iot:CreateJob", false},
		{`"Action":"iot:P?blish"`, "iot:Publish", true},
		{`"Action":"iot:Publish?"`, "iot:Publish", false},
		{`"Action":"s3:*"`, "iot:Publish", false},
		{`"Action":"nonsense"`, "iot:Publish", false},
		{`"NotAction":"iot:Publish"`, "iot:Publish", false},
		{`"NotAction":"iot:Publish"`, "iot:Connect", true},
		{`"NotAction":["iot:Publish","iot:Con*"]`, "iot:Connect", false},
		// The jobs and data actions have two names.
		{`"Action":"iot:UpdateJobExecution"`, "iotjobsdata:UpdateJobExecution", true},
		{`"Action":"iotjobsdata:UpdateJobExecution"`, "iotjobsdata:UpdateJobExecution", true},
		{`"Action":"iotjobsdata:UpdateJobExecution"`, "iot:UpdateJobExecution", true},
		{`"Action":"iotjobsdata:*"`, "iotjobsdata:StartNextPendingJobExecution", true},
		{`"Action":"iot:*"`, "iotjobsdata:GetPendingJobExecutions", true},
		{`"Action":"iotdata:Publish"`, "iot:Publish", true},
		{`"NotAction":"iot:UpdateJobExecution"`, "iotjobsdata:UpdateJobExecution", false},
		// No other action has.
		{`"Action":"iotjobsdata:*"`, "iot:CreateJob", false},
		{`"Action":"iotjobsdata:*"`, "iot:Publish", false},
		{`"Action":"iotdata:*"`, "iot:CreateJob", false},
		{`"Action":"iotdata:*"`, "iotjobsdata:UpdateJobExecution", false},
		{`"Action":"iotjobsdata:CreateJob"`, "iot:CreateJob", false},
	} {
		set := statements(t, `{"Effect":"Allow",`+test.element+`,"Resource":"*"}`)
		if got := set.Decide(iotpolicy.Request{Action: test.action, Resource: "*"}).Allowed(); got != test.want {
			t.Errorf("%s allows %s: %t, want %t", test.element, test.action, got, test.want)
		}
	}
}

func TestResources(t *testing.T) {
	vars := known(iotpolicy.ClientID, "pump-7", iotpolicy.ThingName, "pump-7", iotpolicy.ThingAttribute("site"), "a*b",
		iotpolicy.SourceIP, "", "iot:Certificate.Subject.CommonName", "pump?", "iot:Certificate.Subject.Country", "DE",
		"iot:Certificate.Subject.Organization", strings.Repeat("o", 1025), "iot:Certificate.Issuer.State", strings.Repeat("é", 1024),
		iotpolicy.TagKeys, "one", iotpolicy.TagKeys, "two")
	for _, test := range []struct {
		pattern, resource string
		want              bool
	}{
		{"topic/a", "topic/a", true},
		{"topic/a", "topic/a/b", false},
		{"topic/a", "topic/A", false},
		// Wildcards (AUTH-56).
		{"topic/*", "topic/a/b/c", true},
		{"topic/*", "topic/", true},
		{"topic/*/c", "topic/a/b/c", true},
		{"topic/*/c", "topic/a/b/cc", false},
		{"topic/*a*b*", "topic/xxaxxbxx", true},
		{"topic/*ab*ab", "topic/abab", true},
		{"topic/*ab*ab", "topic/ab", false},
		{"topic/a?c", "topic/abc", true},
		{"topic/a?c", "topic/a/c", true},
		{"topic/a?c", "topic/ac", false},
		{"topic/a?c", "topic/aéc", true},
		{"topic/a??c", "topic/aéc", false},
		{"topic/*??c", "topic/éc", false},
		{"topic/**", "topic/a", true},
		// MQTT wildcards are plain characters, the match is textual (AUTH-65).
		{"topicfilter/a/*", "topicfilter/a/+", true},
		{"topicfilter/a/*", "topicfilter/a/#", true},
		{"topicfilter/a/*", "topicfilter/a/b", true},
		{"topicfilter/a/+", "topicfilter/a/+", true},
		{"topicfilter/a/+", "topicfilter/a/b", false},
		{"topicfilter/#", "topicfilter/a", false},
		{"topic/a/b", "topicfilter/a/b", false},
		// $ is plain unless a brace follows; fixed variables (AUTH-57).
		{"topic/$aws/things/x", "topic/$aws/things/x", true},
		{"topic/${*}", "topic/*", true},
		{"topic/${*}", "topic/a", false},
		{"topic/${?}", "topic/?", true},
		{"topic/${?}", "topic/a", false},
		{"topic/${$}{iot:ClientId}", "topic/${iot:ClientId}", true},
		{"topic/${open", "topic/${open", true},
		// Variables.
		{"client/${iot:ClientId}", "client/pump-7", true},
		{"client/${iot:ClientId}", "client/pump-8", false},
		{"client/${iot:clientid}", "client/pump-7", true},
		{"topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*", "topic/$aws/things/pump-7/jobs/x/update", true},
		{"topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*", "topic/$aws/things/pump-8/jobs/x/update", false},
		{"topic/${iot:ClientId}/${iot:ClientId}", "topic/pump-7/pump-7", true},
		{"topic/*${iot:ClientId}", "topic/pump-pump-7", true},
		// The value of a variable is literal (AUTH-58).
		{"topic/${iot:Connection.Thing.Attributes[site]}", "topic/a*b", true},
		{"topic/${iot:Connection.Thing.Attributes[site]}", "topic/axb", false},
		{"topic/${IOT:connection.thing.attributes[site]}", "topic/a*b", true},
		{"topic/${iot:Connection.Thing.Attributes[Site]}", "topic/a*b", false},
		{"topic/${iot:Certificate.Subject.Country}", "topic/DE", true},
		{"topic/${iot:Certificate.Subject.CommonName}", "topic/pump?", false},
		{"topic/${iot:Certificate.Subject.Organization}", "topic/" + strings.Repeat("o", 1025), false},
		{"topic/${iot:Certificate.Issuer.State}", "topic/" + strings.Repeat("é", 1024), true},
		// A variable without exactly one value matches nothing (AUTH-59).
		{"topic/${iot:Connection.Thing.ThingTypeName}", "topic/", false},
		{"topic/${iot:Connection.Thing.ThingTypeName}", "topic/${iot:Connection.Thing.ThingTypeName}", false},
		{"topic/${iot:Connection.Thing.ThingTypeName}*", "topic/a", false},
		{"topic/*${iot:Connection.Thing.ThingTypeName}*", "topic/a", false},
		{"topic/${aws:SourceIp}", "topic/", false},
		{"topic/${aws:TagKeys}", "topic/one", false},
		{"topic/${}", "topic/", false},
	} {
		set := statements(t, fmt.Sprintf(`{"Effect":"Allow","Action":"*","Resource":%q}`, arn+test.pattern))
		if got := set.Decide(iotpolicy.Request{Action: "iot:Publish", Resource: arn + test.resource, Vars: vars}).Allowed(); got != test.want {
			t.Errorf("%s matches %s: %t, want %t", test.pattern, test.resource, got, test.want)
		}
	}
}

func TestResourceElements(t *testing.T) {
	const unresolved = `"arn:aws:iot:us-east-1:123456789012:client/${iot:Connection.Thing.ThingName}"`
	for name, test := range map[string]struct {
		element string
		want    bool
	}{
		"one of a list":                                {`"Resource":["arn:x","` + arn + `client/a"]`, true},
		"none of a list":                               {`"Resource":["arn:x","arn:y"]`, false},
		"wildcards in region and account":              {`"Resource":"arn:aws:iot:*:*:client/a"`, true},
		"everything but something else":                {`"NotResource":"` + arn + `client/b"`, true},
		"everything but this":                          {`"NotResource":["arn:x","` + arn + `client/a"]`, false},
		"everything but what an unknown variable says": {`"NotResource":` + unresolved, false},
		"an unknown variable beside what matches":      {`"Resource":[` + unresolved + `,"` + arn + `client/a"]`, true},
	} {
		t.Run(name, func(t *testing.T) {
			set := statements(t, `{"Effect":"Allow","Action":"*",`+test.element+`}`)
			if got := set.Decide(iotpolicy.Request{Action: iotpolicy.Connect, Resource: arn + "client/a"}).Allowed(); got != test.want {
				t.Errorf("%s allows client/a: %t, want %t", test.element, got, test.want)
			}
		})
	}
}

// A Deny has no effect if a variable in its Resource has no value. With NotResource it then
// denies everything (AUTH-59).
func TestUnresolvedDeny(t *testing.T) {
	const allow = `{"Effect":"Allow","Action":"*","Resource":"*"},`
	for element, want := range map[string]bool{
		`"Resource":"` + arn + `client/${iot:Connection.Thing.ThingName}*"`:   true,
		`"NotResource":"` + arn + `client/${iot:Connection.Thing.ThingName}"`: false,
	} {
		set := statements(t, allow+`{"Effect":"Deny","Action":"*",`+element+`}`)
		if got := set.Decide(iotpolicy.Request{Action: iotpolicy.Connect, Resource: arn + "client/a"}).Allowed(); got != want {
			t.Errorf("beside Deny %s client/a is allowed: %t, want %t", element, got, want)
		}
	}
}

// minimal is the device policy of identity-and-auth.md B.6.
const minimal = `{ "Version": "2012-10-17", "Statement": [
  {"Effect":"Allow","Action":"iot:Connect",
   "Resource":"arn:aws:iot:us-east-1:123456789012:client/${iot:Connection.Thing.ThingName}"},
  {"Effect":"Allow","Action":"iot:Publish",
   "Resource":["arn:aws:iot:us-east-1:123456789012:topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"]},
  {"Effect":"Allow","Action":"iot:Subscribe",
   "Resource":["arn:aws:iot:us-east-1:123456789012:topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"]},
  {"Effect":"Allow","Action":"iot:Receive",
   "Resource":["arn:aws:iot:us-east-1:123456789012:topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"]},
  {"Effect":"Allow",
   "Action":["iotjobsdata:DescribeJobExecution","iotjobsdata:GetPendingJobExecutions",
             "iotjobsdata:StartNextPendingJobExecution","iotjobsdata:UpdateJobExecution"],
   "Resource":["arn:aws:iot:us-east-1:123456789012:thing/${iot:Connection.Thing.ThingName}"]} ] }`

// With the minimal policy a device may use its own jobs and no others.
func TestMinimalDevicePolicy(t *testing.T) {
	set := iotpolicy.Set{parse(t, "minimal", minimal)}
	does := []struct{ action, resource string }{
		{iotpolicy.Connect, "client/%s"},
		{iotpolicy.Publish, "topic/$aws/things/%s/jobs/start-next"},
		{iotpolicy.Publish, "topic/$aws/things/%s/jobs/x/update"},
		{iotpolicy.Subscribe, "topicfilter/$aws/things/%s/jobs/notify-next"},
		{iotpolicy.Subscribe, "topicfilter/$aws/things/%s/jobs/+/update/accepted"},
		{iotpolicy.Receive, "topic/$aws/things/%s/jobs/notify"},
		{iotpolicy.DescribeJobExecution, "thing/%s"},
		{iotpolicy.GetPendingJobExecutions, "thing/%s"},
		{iotpolicy.StartNextPendingJobExecution, "thing/%s"},
		{iotpolicy.UpdateJobExecution, "thing/%s"},
	}
	things := []string{"pump-7", "pump-70", "pump", "*", "+"}
	for _, self := range append(things, "") {
		vars := known()
		if self != "" {
			vars = known(iotpolicy.ThingName, self)
		}
		for _, other := range things {
			for _, do := range does {
				resource := arn + fmt.Sprintf(do.resource, other)
				got := set.Decide(iotpolicy.Request{Action: do.action, Resource: resource, Vars: vars}).Allowed()
				if want := self == other && self != "+"; got != want { // no value becomes an MQTT wildcard
					t.Errorf("thing %q may %s on %s: %t, want %t", self, do.action, resource, got, want)
				}
			}
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	set := iotpolicy.Set{parse(b, "minimal", minimal)}
	vars := known(iotpolicy.ThingName, "pump-7", iotpolicy.ClientID, "pump-7")
	for name, request := range map[string]iotpolicy.Request{
		"publish": {Action: iotpolicy.Publish, Resource: arn + "topic/$aws/things/pump-7/jobs/update-2026/update", Vars: vars},
		"receive": {Action: iotpolicy.Receive, Resource: arn + "topic/$aws/things/pump-7/jobs/notify-next", Vars: vars},
		"https":   {Action: iotpolicy.UpdateJobExecution, Resource: arn + "thing/pump-7", Vars: vars},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !set.Decide(request).Allowed() {
					b.Fatal("denied")
				}
			}
		})
	}
}

func TestAsksCertificate(t *testing.T) {
	statement := func(resource, condition string) string {
		return `{"Effect":"Allow","Action":"*","Resource":"` + resource + `","Condition":{` + condition + `}}`
	}
	const plain = `"StringEquals":{"iot:ClientId":"a"}`
	for name, test := range map[string]struct {
		list string
		want bool
	}{
		"all":                          {statement("*", plain), false},
		"the id of a certificate":      {statement(arn+"topic/${iot:CertificateId}", plain), false},
		"a thing":                      {statement(arn+"topic/${iot:Connection.Thing.ThingName}", plain), false},
		"the name as plain text":       {statement(arn+"topic/iot:Certificate.Subject.CommonName", plain), false},
		"a resource":                   {statement(arn+"topic/${iot:Certificate.Subject.CommonName}", plain), true},
		"another spelling":             {statement(arn+"topic/${IOT:CERTIFICATE.subject.commonname}", plain), true},
		"escaped":                      {statement(arn+`topic/${iot:\u0043ertificate.Issuer.CommonName}`, plain), true},
		"a variable that none ends":    {statement(arn+"topic/${iot:Certificate.SerialNumber", plain), false},
		"a resource in a Deny":         {statement("*", plain) + `,{"Effect":"Deny","Action":"*","Resource":"` + arn + `topic/${iot:Certificate.SerialNumber}"}`, true},
		"a NotResource":                {`{"Effect":"Deny","Action":"*","NotResource":["*","` + arn + `topic/x${iot:Certificate.SerialNumber}"]}`, true},
		"a key":                        {statement("*", `"StringLike":{"iot:certificate.Subject.Organization.List":"*"}`), true},
		"a key that must not be there": {statement("*", `"Null":{"iot:Certificate.Subject.Title":"true"}`), true},
		"a key of a set":               {statement("*", `"ForAnyValue:StringEqualsIfExists":{"iot:Certificate.Subject.OrganizationalUnit.List":["a","b"]}`), true},
		"a value":                      {statement("*", `"StringEquals":{"iot:ClientId":["a","${iot:Certificate.Subject.CommonName}"]}`), true},
		"a value without case":         {statement("*", `"StringEqualsIgnoreCase":{"iot:ClientId":"x${iot:Certificate.Subject.CommonName}"}`), true},
		"a value of wildcards":         {statement("*", `"StringLike":{"iot:ClientId":"*${iot:Certificate.Subject.CommonName}*"}`), true},
		"a value in an ARN":            {statement("*", `"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/${iot:Certificate.Subject.CommonName}"}`), true},
	} {
		set := statements(t, test.list)
		if got := set.AsksCertificate(); got != test.want {
			t.Errorf("%s: AsksCertificate() = %v, want %v", name, got, test.want)
		}
		// Whatever is asked while deciding was announced.
		set.Decide(iotpolicy.Request{Action: "iot:Publish", Resource: arn + "topic/x", Vars: func(key string) ([]string, bool) {
			if strings.HasPrefix(key, "iot:Certificate.") && !test.want {
				t.Errorf("%s: asks for %s", name, key)
			}
			return []string{"a"}, true
		}})
	}
	if both := append(statements(t, statement("*", plain)), statements(t, statement(arn+"topic/${iot:Certificate.SerialNumber}", plain))...); !both.AsksCertificate() {
		t.Error("of two policies the second asks, and AsksCertificate() is false")
	}
	if (iotpolicy.Set{}).AsksCertificate() {
		t.Error("no policy asks")
	}
}
