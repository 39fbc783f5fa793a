package awsiot

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// quotedJSON returns a document as a string in JSON.
func quotedJSON(document string) string { return strconv.Quote(document) }

func policyBody(document string) string { return object(map[string]any{"policyDocument": document}) }

func TestPolicyFromCreateToDelete(t *testing.T) {
	env := newEnv(t)
	const document = `{ "Version":"2012-10-17", "Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}] }`
	arn := arnPrefix + "policy/p"
	env.want("CreatePolicy", env.must("POST", "/policies/p", object(map[string]any{"policyDocument": document, "tags": []any{map[string]any{"Key": "k", "Value": "v"}}})),
		`{"policyArn":"`+arn+`","policyDocument":`+quotedJSON(document)+`,"policyName":"p","policyVersionId":"1"}`)
	env.want("its tags", env.must("GET", "/tags?resourceArn="+arn, ""), `{"tags":[{"Key":"k","Value":"v"}]}`)
	env.want("GetPolicy, the text verbatim (AUTH-51)", masked(env.must("GET", "/policies/p", "")),
		`{"creationDate":1790000000.123,"defaultVersionId":"1","generationId":"<id>","lastModifiedDate":1790000000.123,"policyArn":"`+arn+`",`+
			`"policyDocument":`+quotedJSON(document)+`,"policyName":"p"}`)
	env.pass(1000)
	env.want("CreatePolicyVersion", env.must("POST", "/policies/p/version", policyBody(everything)),
		`{"isDefaultVersion":false,"policyArn":"`+arn+`","policyDocument":`+quotedJSON(everything)+`,"policyVersionId":"2"}`)
	env.want("GetPolicyVersion", masked(env.must("GET", "/policies/p/version/2", "")),
		`{"creationDate":1790000001.123,"generationId":"<id>","isDefaultVersion":false,"lastModifiedDate":1790000001.123,"policyArn":"`+arn+`",`+
			`"policyDocument":`+quotedJSON(everything)+`,"policyName":"p","policyVersionId":"2"}`)
	env.want("ListPolicyVersions", env.must("GET", "/policies/p/version", ""),
		`{"policyVersions":[{"createDate":1790000001.123,"isDefaultVersion":false,"versionId":"2"},{"createDate":1790000000.123,"isDefaultVersion":true,"versionId":"1"}]}`)
	env.must("PATCH", "/policies/p/version/2", "")
	if got := env.must("GET", "/policies/p", ""); !strings.Contains(got, `"defaultVersionId":"2"`) || !strings.Contains(got, quotedJSON(everything)) {
		t.Errorf("after SetDefaultPolicyVersion the policy is %s", got)
	}
	env.wantError("DELETE", "/policies/p/version/2", "", http.StatusBadRequest, "InvalidRequestException").
		wantMessage(t, "Cannot delete the default version of a policy")
	env.must("DELETE", "/policies/p/version/1", "")
	env.want("ListPolicies", env.must("GET", "/policies", ""), `{"policies":[{"policyArn":"`+arn+`","policyName":"p"}]}`)
	env.must("DELETE", "/policies/p", "")
	env.want("ListPolicies of none", env.must("GET", "/policies", ""), `{"policies":[]}`)
	for _, call := range []struct{ method, target, body string }{
		{"GET", "/policies/p", ""}, {"DELETE", "/policies/p", ""}, {"POST", "/policies/p/version", policyBody(everything)},
		{"GET", "/policies/p/version", ""}, {"GET", "/policies/p/version/1", ""}, {"DELETE", "/policies/p/version/1", ""}, {"PATCH", "/policies/p/version/1", ""},
	} {
		env.wantError(call.method, call.target, call.body, http.StatusNotFound, "ResourceNotFoundException")
	}
}

func TestAUTH50VersionIDsRiseAndAreNeverReused(t *testing.T) {
	env := newEnv(t)
	env.must("POST", "/policies/p", policyBody(everything))
	for _, want := range []string{"2", "3", "4", "5"} {
		env.want("version", said(t, env.must("POST", "/policies/p/version?setAsDefault=true", policyBody(everything)), "policyVersionId"), want)
	}
	env.wantError("POST", "/policies/p/version", policyBody(everything), http.StatusConflict, "VersionsLimitExceededException").
		wantMessage(t, "The policy p already has the maximum number of versions (5)")
	env.must("DELETE", "/policies/p/version/4", "")
	env.want("version", said(t, env.must("POST", "/policies/p/version", policyBody(everything)), "policyVersionId"), "6")
	if got := env.listed("/policies/p/version", "policyVersions", "versionId"); strings.Join(got, " ") != "6 5 3 2 1" {
		t.Errorf("the versions are %v", got)
	}
}

func TestAUTH51TheLengthOfADocument(t *testing.T) {
	env := newEnv(t)
	document := func(n int) string { // of n characters, white space not counted
		const frame = `{"Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":""}]}`
		return strings.Replace(frame, `"Resource":""`, `"Resource": "`+"arn:"+strings.Repeat("a", n-len(frame)-4)+`"`, 1) + strings.Repeat(" \n", 3000)
	}
	env.must("POST", "/policies/fits", policyBody(document(2048)))
	env.wantError("POST", "/policies/long", policyBody(document(2049)), 400, "MalformedPolicyException")
	env.want("GetPolicy, verbatim", said(t, env.must("GET", "/policies/fits", ""), "policyDocument"), document(2048))
}

func TestAUTH52Texts(t *testing.T) {
	env := newEnv(t)
	env.must("POST", "/things/x", "")
	env.must("POST", "/policies/p", policyBody(everything))
	got := env.wantError("POST", "/policies/p", policyBody(everything), http.StatusConflict, "ResourceAlreadyExistsException")
	env.want("the same policy again", got.body,
		`{"message":"Policy cannot be created - name already exists (name=p)","resourceId":"p","resourceArn":"`+arnPrefix+`policy/p"}`)
	env.must("POST", "/policies/p/version", policyBody(everything))
	env.wantError("DELETE", "/policies/p", "", http.StatusConflict, "DeleteConflictException").
		wantMessage(t, "Cannot delete the policy because it has one or more policy versions attached to it (name=p)")
	env.must("POST", "/thing-groups/g", "")
	env.must("PUT", "/target-policies/p", `{"target":"`+arnPrefix+`thinggroup/g"}`)
	env.wantError("DELETE", "/policies/p", "", http.StatusConflict, "DeleteConflictException").
		wantMessage(t, "The policy cannot be deleted as the policy is attached to one or more principals (name=p)")
	env.must("DELETE", "/thing-groups/g", "")
	env.must("DELETE", "/policies/p/version/2", "")
	env.must("DELETE", "/policies/p", "")
}

func TestAUTH55WhatIsNoPolicy(t *testing.T) {
	env := newEnv(t)
	for name, document := range map[string]string{
		"not JSON":         `{`,
		"no statement":     `{"Version":"2012-10-17"}`,
		"no effect":        `{"Statement":{"Action":"iot:Publish","Resource":"*"}}`,
		"no action":        `{"Statement":{"Effect":"Allow","Resource":"*"}}`,
		"no resource":      `{"Statement":{"Effect":"Allow","Action":"iot:Publish"}}`,
		"another effect":   `{"Statement":{"Effect":"Maybe","Action":"iot:Publish","Resource":"*"}}`,
		"a principal":      `{"Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"*","Principal":"*"}}`,
		"a short resource": `{"Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"topic/a"}}`,
		"another version":  `{"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"*"}}`,
	} {
		got := env.send("POST", "/policies/p", policyBody(document))
		if got.status != 400 || got.errorType() != "MalformedPolicyException" {
			t.Errorf("%s: %d %s %s, want MalformedPolicyException", name, got.status, got.errorType(), got.body)
		}
	}
	env.must("POST", "/policies/old", policyBody(`{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"iot:Nonsense","Resource":"*"}}`))
	env.wantError("POST", "/policies/old/version", policyBody("x"), 400, "MalformedPolicyException")
	env.wantError("POST", "/policies/a%20b", policyBody(everything), 400, "InvalidRequestException")
	env.wantError("POST", "/policies/p", "{}", 400, "InvalidRequestException")
}

func TestListPoliciesByCreation(t *testing.T) {
	env := newEnv(t)
	for _, name := range []string{"b", "a", "c"} {
		env.must("POST", "/policies/"+name, policyBody(everything))
		env.pass(1)
	}
	for query, want := range map[string]string{"": "c a b", "?isAscendingOrder=true": "b a c", "?pageSize=1": "c"} {
		if got := strings.Join(env.listed("/policies"+query, "policies", "policyName"), " "); got != want {
			t.Errorf("GET /policies%s lists %s, want %s (REG-17)", query, got, want)
		}
	}
}
