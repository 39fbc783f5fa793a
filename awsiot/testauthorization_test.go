package awsiot

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

// statements makes a policy of statements such as "Allow iot:Publish topic/a".
func statements(lines ...string) string {
	var all []string
	for _, line := range lines {
		f := strings.Fields(line)
		resource := f[2]
		if resource != "*" {
			resource = arnPrefix + resource
		}
		all = append(all, fmt.Sprintf(`{"Effect":%q,"Action":%q,"Resource":%q}`, f[0], f[1], resource))
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(all, ",") + `]}`
}

// lampEnv has a thing lamp, which is in the group room of the group house, and its
// certificate. Each of them has a policy of its name.
func lampEnv(t *testing.T) (*env, string) {
	env := newEnv(t)
	env.must("POST", "/things/lamp", "")
	env.must("POST", "/thing-groups/house", "")
	env.must("POST", "/thing-groups/room", `{"parentGroupName":"house"}`)
	env.must("PUT", "/thing-groups/addThingToThingGroup", `{"thingName":"lamp","thingGroupName":"room"}`)
	id := env.certificate("pump-7", muster.CertificateActive)
	env.mustWith(by(id), "PUT", "/things/lamp/principals", "")
	for name, policy := range map[string]struct{ target, document string }{
		"own":   {certARN(id), statements("Allow iot:Connect client/${iot:Connection.Thing.ThingName}", "Allow iot:Publish topic/a/*", "Allow iot:Publish topic/of/${iot:Certificate.Subject.CommonName}")},
		"room":  {arnPrefix + "thinggroup/room", statements("Allow iot:Subscribe topicfilter/room/#")},
		"house": {arnPrefix + "thinggroup/house", statements("Deny iot:Publish topic/a/secret", "Allow iot:Receive *")},
	} {
		env.must("POST", "/policies/"+name, policyBody(policy.document))
		env.must("PUT", "/target-policies/"+name, target(policy.target))
	}
	return env, id
}

func TestAUTH61GetEffectivePolicies(t *testing.T) {
	env, id := lampEnv(t)
	for name, test := range map[string]struct{ query, principal, want string }{
		"a certificate":                       {"", certARN(id), "own"},
		"a certificate as a thing":            {"?thingName=lamp", certARN(id), "house own room"},
		"a thing":                             {"?thingName=lamp", "", "house room"},
		"a group":                             {"", arnPrefix + "thinggroup/room", "house room"},
		"a group above":                       {"", arnPrefix + "thinggroup/house", "house"},
		"a certificate in loud spelling":      {"", certARN(strings.ToUpper(id)), "own"},
		"a group above, as a thing that's in": {"?thingName=lamp", arnPrefix + "thinggroup/house", "house room"},
	} {
		members := map[string]any{}
		if test.principal != "" {
			members["principal"] = test.principal
		}
		if got := strings.Join(env.namesIn(env.must("POST", "/effective-policies"+test.query, object(members))), " "); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	env.want("one entry", env.must("POST", "/effective-policies", object(map[string]any{"principal": certARN(id)})),
		`{"effectivePolicies":[{"policyArn":"`+arnPrefix+`policy/own","policyDocument":`+
			quotedJSON(statements("Allow iot:Connect client/${iot:Connection.Thing.ThingName}", "Allow iot:Publish topic/a/*", "Allow iot:Publish topic/of/${iot:Certificate.Subject.CommonName}"))+
			`,"policyName":"own"}]}`)
	env.wantError("POST", "/effective-policies", "", 400, "InvalidRequestException")
	env.wantError("POST", "/effective-policies", `{"cognitoIdentityPoolId":"x"}`, 400, "InvalidRequestException")
	env.wantError("POST", "/effective-policies?thingName=none", "", http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("POST", "/effective-policies", object(map[string]any{"principal": certARN(someID)}), http.StatusNotFound, "ResourceNotFoundException")
}

type authResult struct {
	AuthDecision string
	Allowed      struct{ Policies []struct{ PolicyName string } }
	Denied       struct {
		ImplicitDeny, ExplicitDeny struct{ Policies []struct{ PolicyName string } }
	}
	MissingContextValues []string
}

func (r authResult) String() string {
	list := func(all []struct{ PolicyName string }) string {
		var names []string
		for _, p := range all {
			names = append(names, p.PolicyName)
		}
		return strings.Join(names, " ")
	}
	return fmt.Sprintf("%s allowed[%s] denied[%s] silent[%s] missing%v", r.AuthDecision, list(r.Allowed.Policies),
		list(r.Denied.ExplicitDeny.Policies), list(r.Denied.ImplicitDeny.Policies), r.MissingContextValues)
}

func (env *env) tried(query string, members map[string]any, action string, resources ...string) string {
	env.t.Helper()
	arns := []any{}
	for _, r := range resources {
		arns = append(arns, arnPrefix+r)
	}
	members["authInfos"] = []any{map[string]any{"actionType": action, "resources": arns}}
	var answer struct{ AuthResults []authResult }
	if err := json.Unmarshal([]byte(env.must("POST", "/test-authorization"+query, object(members))), &answer); err != nil || len(answer.AuthResults) != 1 {
		env.t.Fatalf("TestAuthorization: %+v, %v", answer, err)
	}
	return answer.AuthResults[0].String()
}

func TestAUTH60TestAuthorization(t *testing.T) {
	env, id := lampEnv(t)
	const asLamp = "?clientId=lamp"
	for name, test := range map[string]struct {
		query, action string
		resources     []string
		want          string
	}{
		"connect as the thing": {asLamp, "CONNECT", []string{"client/lamp"}, "ALLOWED allowed[own] denied[] silent[house room] missing[]"},
		"connect as another":   {asLamp, "CONNECT", []string{"client/pump"}, "IMPLICIT_DENY allowed[] denied[] silent[house own room] missing[]"},
		"connect as no thing (AUTH-59)": {"?clientId=pump", "CONNECT", []string{"client/pump"},
			"IMPLICIT_DENY allowed[] denied[] silent[own] missing[iot:Connection.Thing.ThingName]"},
		"a policy of the group":             {asLamp, "SUBSCRIBE", []string{"topicfilter/room/#"}, "ALLOWED allowed[room] denied[] silent[house own] missing[]"},
		"a filter is text (AUTH-65)":        {asLamp, "SUBSCRIBE", []string{"topicfilter/room/a"}, "IMPLICIT_DENY allowed[] denied[] silent[house own room] missing[]"},
		"a policy of the group above":       {asLamp, "RECEIVE", []string{"topic/x"}, "ALLOWED allowed[house] denied[] silent[own room] missing[]"},
		"a denial wins":                     {asLamp, "PUBLISH", []string{"topic/a/secret"}, "EXPLICIT_DENY allowed[own] denied[house] silent[room] missing[]"},
		"as no thing nothing denies":        {"", "PUBLISH", []string{"topic/a/secret"}, "ALLOWED allowed[own] denied[] silent[] missing[]"},
		"a variable of the certificate":     {"", "PUBLISH", []string{"topic/of/pump-7"}, "ALLOWED allowed[own] denied[] silent[] missing[]"},
		"two resources, one not allowed":    {"", "PUBLISH", []string{"topic/a/b", "topic/c"}, "IMPLICIT_DENY allowed[own] denied[] silent[] missing[]"},
		"two resources, one denied":         {asLamp, "PUBLISH", []string{"topic/a/b", "topic/a/secret"}, "EXPLICIT_DENY allowed[own] denied[house] silent[room] missing[]"},
		"two resources, both allowed":       {"", "PUBLISH", []string{"topic/a/b", "topic/a/c"}, "ALLOWED allowed[own] denied[] silent[] missing[]"},
		"a resource that is no ARN of ours": {"", "PUBLISH", []string{""}, "IMPLICIT_DENY allowed[] denied[] silent[own] missing[]"},
	} {
		if got := env.tried(test.query, map[string]any{"principal": certARN(id)}, test.action, test.resources...); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, test.want)
		}
	}
}

func TestTestAuthorizationWithOtherPolicies(t *testing.T) {
	env, id := lampEnv(t)
	env.must("POST", "/policies/extra", policyBody(statements("Allow iot:Publish topic/x")))
	for name, test := range map[string]struct {
		members map[string]any
		want    string
	}{
		"as it is":    {map[string]any{"principal": certARN(id)}, "IMPLICIT_DENY allowed[] denied[] silent[own] missing[]"},
		"one added":   {map[string]any{"principal": certARN(id), "policyNamesToAdd": []any{"extra", "own"}}, "ALLOWED allowed[extra] denied[] silent[own] missing[]"},
		"one skipped": {map[string]any{"principal": certARN(id), "policyNamesToAdd": []any{"extra"}, "policyNamesToSkip": []any{"own", "none"}}, "ALLOWED allowed[extra] denied[] silent[] missing[]"},
		"of a group":  {map[string]any{"principal": arnPrefix + "thinggroup/room", "policyNamesToAdd": []any{"extra"}}, "ALLOWED allowed[extra] denied[] silent[house room] missing[]"},
		"of nobody":   {map[string]any{"policyNamesToAdd": []any{"extra"}}, "ALLOWED allowed[extra] denied[] silent[] missing[]"},
	} {
		if got := env.tried("", test.members, "PUBLISH", "topic/x"); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, test.want)
		}
	}
	info := []any{map[string]any{"actionType": "PUBLISH", "resources": []any{"*"}}}
	for name, test := range map[string]struct {
		members   map[string]any
		errorType string
	}{
		"a policy that does not exist":      {map[string]any{"policyNamesToAdd": []any{"none"}, "authInfos": info}, "ResourceNotFoundException"},
		"a certificate that does not exist": {map[string]any{"principal": certARN(someID), "authInfos": info}, "ResourceNotFoundException"},
		"no question":                       {map[string]any{"principal": certARN(id), "authInfos": []any{}}, "InvalidRequestException"},
		"no action":                         {map[string]any{"authInfos": []any{map[string]any{"resources": []any{"*"}}}}, "InvalidRequestException"},
		"no resource":                       {map[string]any{"authInfos": []any{map[string]any{"actionType": "PUBLISH", "resources": []any{}}}}, "InvalidRequestException"},
		"Cognito":                           {map[string]any{"cognitoIdentityPoolId": "p", "authInfos": info}, "InvalidRequestException"},
	} {
		if got := env.send("POST", "/test-authorization", object(test.members)); got.errorType() != test.errorType {
			t.Errorf("%s: %d %s, want %s", name, got.status, got.body, test.errorType)
		}
	}
}
