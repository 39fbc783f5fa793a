package awsiot

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

// attachedTo is the path of ListAttachedPolicies for a target.
func attachedTo(arn string) string { return "/attached-policies/" + url.PathEscape(arn) }

func target(arn string) string { return object(map[string]any{"target": arn}) }

func (env *env) policies(names ...string) {
	env.t.Helper()
	for _, name := range names {
		env.must("POST", "/policies/"+name, policyBody(everything))
		env.pass(1)
	}
}

func TestPoliciesAreAttachedAndDetached(t *testing.T) {
	env := newEnv(t)
	env.policies("p", "q")
	lamp := certARN(env.certificate("lamp", muster.CertificateActive))
	env.must("POST", "/thing-groups/g", "")
	group := arnPrefix + "thinggroup/g"
	for _, arn := range []string{lamp, group} {
		env.want("AttachPolicy", env.must("PUT", "/target-policies/p", target(arn)), "")
		env.want("AttachPolicy again (AUTH-53)", env.must("PUT", "/target-policies/p", target(arn)), "")
		env.want("ListAttachedPolicies", env.must("POST", attachedTo(arn), ""), `{"policies":[{"policyArn":"`+arnPrefix+`policy/p","policyName":"p"}]}`)
	}
	env.want("ListTargetsForPolicy", env.must("POST", "/policy-targets/p", ""), `{"targets":["`+lamp+`","`+group+`"]}`)
	env.want("ListTargetsForPolicy of none", env.must("POST", "/policy-targets/q", ""), `{"targets":[]}`)
	env.must("POST", "/target-policies/p", target(lamp))
	env.must("POST", "/target-policies/p", target(lamp)) // not attached any more
	env.must("POST", "/target-policies/none", target(lamp))
	env.want("ListAttachedPolicies after detaching", env.must("POST", attachedTo(lamp), ""), `{"policies":[]}`)
	env.want("ListTargetsForPolicy after detaching", env.must("POST", "/policy-targets/p", ""), `{"targets":["`+group+`"]}`)
}

func TestAttachPolicyRefuses(t *testing.T) {
	env := newEnv(t)
	env.policies("p")
	lamp := certARN(env.certificate("lamp", muster.CertificateActive))
	for name, test := range map[string]struct {
		policy, target string
		attach, detach string // the errors
	}{
		"a policy that does not exist":      {"none", lamp, "ResourceNotFoundException", ""},
		"a certificate that does not exist": {"p", certARN(someID), "ResourceNotFoundException", "InvalidRequestException"},
		"a group that does not exist":       {"p", arnPrefix + "thinggroup/none", "ResourceNotFoundException", "InvalidRequestException"},
		"a thing":                           {"p", arnPrefix + "thing/lamp", "InvalidRequestException", "InvalidRequestException"},
		"no ARN":                            {"p", "lamp", "InvalidRequestException", "InvalidRequestException"},
		"another account (A16)":             {"p", strings.Replace(lamp, "111122223333", "999999999999", 1), "ResourceNotFoundException", "InvalidRequestException"},
	} {
		if got := env.send("PUT", "/target-policies/"+test.policy, target(test.target)); got.errorType() != test.attach {
			t.Errorf("AttachPolicy, %s: %d %s, want %s", name, got.status, got.body, test.attach)
		}
		if got := env.send("POST", "/target-policies/"+test.policy, target(test.target)); got.errorType() != test.detach {
			t.Errorf("DetachPolicy, %s: %d %s, want %q", name, got.status, got.body, test.detach)
		}
	}
}

func TestThePoliciesOfATargetAreLimited(t *testing.T) {
	env := newEnv(t)
	env.must("POST", "/thing-groups/g", "")
	for arn, limit := range map[string]int{certARN(env.certificate("lamp", muster.CertificateActive)): 10, arnPrefix + "thinggroup/g": 2} {
		for i := range limit + 1 {
			name := "p" + strconv.Itoa(i)
			env.send("POST", "/policies/"+name, policyBody(everything)) // there already for the second target
			got := env.send("PUT", "/target-policies/"+name, target(arn))
			if i < limit && got.status != 200 || i == limit && (got.status != http.StatusGone || got.errorType() != "LimitExceededException") {
				t.Errorf("policy %d of %s: %d %s", i+1, arn, got.status, got.body)
			}
		}
	}
}

func TestListAttachedPoliciesOfAGroupAndThoseAbove(t *testing.T) {
	env := newEnv(t)
	env.policies("own", "above", "both")
	env.must("POST", "/thing-groups/house", "")
	env.must("POST", "/thing-groups/room", `{"parentGroupName":"house"}`)
	house, room := arnPrefix+"thinggroup/house", arnPrefix+"thinggroup/room"
	for policy, targets := range map[string][]string{"own": {room}, "above": {house}, "both": {room, house}} {
		for _, arn := range targets {
			env.must("PUT", "/target-policies/"+policy, target(arn))
		}
	}
	listed := func(path string) string {
		var names []string
		for marker := ""; ; {
			body := env.must("POST", path+marker, "")
			names = append(names, env.namesIn(body)...)
			next := said(t, body, "nextMarker")
			if next == "" {
				return strings.Join(names, " ")
			}
			marker = "&marker=" + url.QueryEscape(next)
		}
	}
	for path, want := range map[string]string{
		attachedTo(room):                                "both own",
		attachedTo(room) + "?recursive=true":            "both above own",
		attachedTo(house) + "?recursive=true":           "both above",
		attachedTo(room) + "?recursive=TRUE&pageSize=1": "both above own",
	} {
		if got := listed(path); got != want {
			t.Errorf("POST %s lists %s, want %s", path, got, want)
		}
	}
	env.wantError("POST", attachedTo(arnPrefix+"thinggroup/none"), "", http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("POST", attachedTo(certARN(someID)), "", http.StatusNotFound, "ResourceNotFoundException")
}

func TestThePolicyOperationsOfOldScripts(t *testing.T) {
	env := newEnv(t)
	env.policies("p", "q")
	id := env.certificate("lamp", muster.CertificateActive)
	env.must("POST", "/thing-groups/g", "")
	env.must("PUT", "/target-policies/p", target(arnPrefix+"thinggroup/g"))
	env.mustWith(by(id), "PUT", "/principal-policies/p", "")
	env.mustWith(by(id), "PUT", "/principal-policies/q", "")
	for query, want := range map[string]string{"": "q p", "?isAscendingOrder=true": "p q", "?pageSize=1": "q"} {
		if got := strings.Join(env.namesIn(env.mustWith(by(id), "GET", "/principal-policies"+query, "")), " "); got != want {
			t.Errorf("ListPrincipalPolicies%s lists %s, want %s", query, got, want)
		}
	}
	of := func(policy string) http.Header { return http.Header{"X-Amzn-Iot-Policy": {policy}} }
	env.want("ListPolicyPrincipals, without the group", env.mustWith(of("p"), "GET", "/policy-principals", ""), `{"principals":["`+certARN(id)+`"]}`)
	env.mustWith(by(id), "DELETE", "/principal-policies/p", "")
	env.mustWith(by(id), "DELETE", "/principal-policies/p", "")
	env.want("ListPolicyPrincipals of none", env.mustWith(of("p"), "GET", "/policy-principals", ""), `{"principals":[]}`)

	env.want("ListPolicyPrincipals of an unknown policy", env.mustWith(of("none"), "GET", "/policy-principals", ""), `{"principals":[]}`)
	env.wantErrorWith(of("none"), "GET", "/policy-principals?marker=x", "", 400, "InvalidRequestException")
	env.wantError("POST", "/policy-targets/none", "", http.StatusNotFound, "ResourceNotFoundException")
	for _, method := range []string{"PUT", "DELETE"} {
		env.wantErrorWith(by(id), method, "/principal-policies/none", "", http.StatusNotFound, "ResourceNotFoundException")
		env.wantErrorWith(by(someID), method, "/principal-policies/p", "", http.StatusNotFound, "ResourceNotFoundException")
		env.wantErrorWith(http.Header{"X-Amzn-Iot-Principal": {arnPrefix + "thinggroup/g"}}, method, "/principal-policies/p", "", 400, "InvalidRequestException")
		env.wantError(method, "/principal-policies/p", "", 400, "InvalidRequestException")
	}
}
