package awsiot

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

// namesIn returns the names of the policies in an answer.
func (env *env) namesIn(body string) []string {
	env.t.Helper()
	var answer struct{ Policies, EffectivePolicies []struct{ PolicyName string } }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		env.t.Fatalf("%s: %v", body, err)
	}
	var names []string
	for _, p := range append(answer.Policies, answer.EffectivePolicies...) {
		names = append(names, p.PolicyName)
	}
	return names
}

func TestThingPrincipals(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp", "pump")
	id := env.certificate("lamp", muster.CertificateInactive)
	env.want("AttachThingPrincipal", env.mustWith(by(id), "PUT", "/things/lamp/principals", ""), `{}`)
	env.want("AttachThingPrincipal again", env.mustWith(by(id), "PUT", "/things/lamp/principals", ""), `{}`)
	env.mustWith(by(id), "PUT", "/things/pump/principals?thingPrincipalType=NON_EXCLUSIVE_THING", "")
	env.want("ListThingPrincipals", env.must("GET", "/things/lamp/principals", ""), `{"principals":["`+certARN(id)+`"]}`)
	env.want("ListThingPrincipalsV2", env.must("GET", "/things/lamp/principals-v2", ""),
		`{"thingPrincipalObjects":[{"principal":"`+certARN(id)+`","thingPrincipalType":"NON_EXCLUSIVE_THING"}]}`)
	env.want("ListPrincipalThings", env.mustWith(by(id), "GET", "/principals/things", ""), `{"things":["lamp","pump"]}`)
	env.want("ListPrincipalThingsV2", env.mustWith(by(id), "GET", "/principals/things-v2?maxResults=2", ""),
		`{"principalThingObjects":[{"thingName":"lamp","thingPrincipalType":"NON_EXCLUSIVE_THING"},{"thingName":"pump","thingPrincipalType":"NON_EXCLUSIVE_THING"}]}`)
	env.want("ListPrincipalThingsV2, the exclusive ones", env.mustWith(by(id), "GET", "/principals/things-v2?thingPrincipalType=EXCLUSIVE_THING", ""),
		`{"principalThingObjects":[]}`)
	first := env.mustWith(by(id), "GET", "/principals/things?maxResults=1", "")
	env.want("the second page", env.mustWith(by(id), "GET", "/principals/things?nextToken="+escaped(said(t, first, "nextToken")), ""), `{"things":["pump"]}`)
	env.wantError("DELETE", "/things/lamp", "", 400, "InvalidRequestException")
	env.want("DetachThingPrincipal", env.mustWith(by(id), "DELETE", "/things/lamp/principals", ""), `{}`)
	env.want("DetachThingPrincipal again", env.mustWith(by(id), "DELETE", "/things/lamp/principals", ""), `{}`)
	env.want("ListThingPrincipals of none", env.must("GET", "/things/lamp/principals", ""), `{"principals":[]}`)
	env.must("DELETE", "/things/lamp", "")
}

func TestAnExclusiveThingIsTheOnlyOne(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp", "pump")
	id, other := env.certificate("lamp", muster.CertificateActive), env.certificate("pump", muster.CertificateActive)
	const exclusively = "?thingPrincipalType=EXCLUSIVE_THING"
	env.mustWith(by(id), "PUT", "/things/lamp/principals"+exclusively, "")
	env.mustWith(by(id), "PUT", "/things/lamp/principals"+exclusively, "")
	env.wantErrorWith(by(id), "PUT", "/things/pump/principals", "", 400, "InvalidRequestException")
	env.wantErrorWith(by(id), "PUT", "/things/pump/principals"+exclusively, "", 400, "InvalidRequestException")
	env.mustWith(by(other), "PUT", "/things/lamp/principals", "")
	env.mustWith(by(other), "PUT", "/things/pump/principals", "")
	env.wantErrorWith(by(other), "PUT", "/things/pump/principals"+exclusively, "", 400, "InvalidRequestException")
	env.wantErrorWith(by(other), "PUT", "/things/pump/principals?thingPrincipalType=SOME_THING", "", 400, "InvalidRequestException")
	env.want("the exclusive principal", env.must("GET", "/things/lamp/principals-v2"+exclusively, ""),
		`{"thingPrincipalObjects":[{"principal":"`+certARN(id)+`","thingPrincipalType":"EXCLUSIVE_THING"}]}`)
	env.mustWith(by(id), "DELETE", "/things/lamp/principals", "")
	env.mustWith(by(id), "PUT", "/things/pump/principals"+exclusively, "")
}

func TestPrincipalOperationsRefuse(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	id := env.certificate("lamp", muster.CertificateActive)
	for name, test := range map[string]struct {
		thing, principal string
		status           int
	}{
		"a thing that does not exist":       {"none", certARN(id), http.StatusNotFound},
		"a certificate that does not exist": {"lamp", certARN(someID), http.StatusNotFound},
		"another region":                    {"lamp", strings.Replace(certARN(id), "eu-west-1", "us-west-2", 1), http.StatusNotFound},
		"a group":                           {"lamp", arnPrefix + "thinggroup/g", http.StatusBadRequest},
		"no ARN":                            {"lamp", "x", http.StatusBadRequest},
		"an empty header":                   {"lamp", "", http.StatusBadRequest},
	} {
		headers := http.Header{"X-Amzn-Principal": {test.principal}}
		for _, method := range []string{"PUT", "DELETE"} {
			if got := env.sendWith(headers, method, "/things/"+test.thing+"/principals", ""); got.status != test.status {
				t.Errorf("%s, %s: %d %s, want %d", method, name, got.status, got.body, test.status)
			}
		}
		if test.thing == "none" {
			continue
		}
		for _, target := range []string{"/principals/things", "/principals/things-v2"} {
			if got := env.sendWith(headers, "GET", target, ""); got.status != test.status {
				t.Errorf("GET %s, %s: %d %s, want %d", target, name, got.status, got.body, test.status)
			}
		}
	}
	for _, target := range []string{"/things/none/principals", "/things/none/principals-v2"} {
		env.wantError("GET", target, "", http.StatusNotFound, "ResourceNotFoundException")
	}
	env.wantError("PUT", "/things/lamp/principals", "", http.StatusBadRequest, "InvalidRequestException")
}
