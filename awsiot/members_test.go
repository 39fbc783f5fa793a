package awsiot

import (
	"net/http"
	"strings"
	"testing"
)

const (
	addPath    = "/thing-groups/addThingToThingGroup"
	removePath = "/thing-groups/removeThingFromThingGroup"
	updatePath = "/thing-groups/updateThingGroupsForThing"
)

func membersEnv(t *testing.T) *env {
	t.Helper()
	env := newEnv(t)
	env.must("POST", "/things/lamp", "")
	env.must("POST", "/thing-groups/house", "")
	env.must("POST", "/thing-groups/floor", `{"parentGroupName":"house"}`)
	env.must("POST", "/thing-groups/all", "")
	return env
}

func TestMembershipOnTheWire(t *testing.T) {
	env := membersEnv(t)
	env.want("AddThingToThingGroup by names", env.must("PUT", addPath, `{"thingName":"lamp","thingGroupName":"floor"}`), `{}`)
	env.want("AddThingToThingGroup by ARNs", env.must("PUT", addPath, `{"thingArn":"`+arnPrefix+`thing/lamp","thingGroupArn":"`+arnPrefix+`thinggroup/all"}`), `{}`)
	env.want("AddThingToThingGroup by both, again (REG-47, REG-48)", env.must("PUT", addPath,
		`{"thingName":"lamp","thingArn":"`+arnPrefix+`thing/lamp","thingGroupName":"all","thingGroupArn":"`+arnPrefix+`thinggroup/all","overrideDynamicGroups":true}`), `{}`)
	env.want("ListThingGroupsForThing (REG-51)", env.must("GET", "/things/lamp/thing-groups", ""),
		`{"thingGroups":[{"groupArn":"`+arnPrefix+`thinggroup/all","groupName":"all"},{"groupArn":"`+arnPrefix+`thinggroup/floor","groupName":"floor"}]}`)
	env.want("ListThingsInThingGroup", env.must("GET", "/thing-groups/floor/things", ""), `{"things":["lamp"]}`)
	env.want("ListThingsInThingGroup, direct (REG-50)", env.must("GET", "/thing-groups/house/things", ""), `{"things":[]}`)
	env.want("ListThingsInThingGroup, recursive (REG-50)", env.must("GET", "/thing-groups/house/things?recursive=true", ""), `{"things":["lamp"]}`)
	env.want("UpdateThingGroupsForThing (REG-46)", env.must("PUT", updatePath, `{"thingName":"lamp","thingGroupsToAdd":["house"],"thingGroupsToRemove":["floor"]}`), `{}`)
	env.want("RemoveThingFromThingGroup", env.must("PUT", removePath, `{"thingName":"lamp","thingGroupArn":"`+arnPrefix+`thinggroup/all"}`), `{}`)
	if got := strings.Join(env.listed("/things/lamp/thing-groups", "thingGroups", "groupName"), " "); got != "house" {
		t.Errorf("in the end the lamp is in %s, want house", got)
	}
	if got := strings.Join(env.listed("/thing-groups/house/things", "things", ""), " "); got != "lamp" {
		t.Errorf("in the end the house has %s, want lamp", got)
	}
}

func TestMembershipRefuses(t *testing.T) {
	lamp, all := arnPrefix+"thing/lamp", arnPrefix+"thinggroup/all"
	for name, test := range map[string]struct {
		body      string
		status    int
		errorType string
		message   string
	}{
		"no thing (REG-48)":                 {`{"thingGroupName":"all"}`, 400, "InvalidRequestException", "thing"},
		"no group (REG-48)":                 {`{"thingName":"lamp"}`, 400, "InvalidRequestException", "thinggroup"},
		"an empty body":                     {``, 400, "InvalidRequestException", "thing"},
		"a name and another's ARN (REG-48)": {`{"thingName":"other","thingArn":"` + lamp + `","thingGroupName":"all"}`, 400, "InvalidRequestException", "same"},
		"a group's name and another's ARN":  {`{"thingName":"lamp","thingGroupName":"house","thingGroupArn":"` + all + `"}`, 400, "InvalidRequestException", "same"},
		"an ARN of another kind":            {`{"thingArn":"` + all + `","thingGroupName":"all"}`, 400, "InvalidRequestException", "not the ARN of a thing"},
		"no ARN at all":                     {`{"thingArn":"lamp","thingGroupName":"all"}`, 400, "InvalidRequestException", "ARN"},
		"an ARN of another account (A16)":   {`{"thingArn":"arn:aws:iot:eu-west-1:999999999999:thing/lamp","thingGroupName":"all"}`, 404, "ResourceNotFoundException", "account"},
		"an unknown thing (REG-47)":         {`{"thingName":"none","thingGroupName":"all"}`, 404, "ResourceNotFoundException", "Thing none"},
		"an unknown group (REG-47)":         {`{"thingName":"lamp","thingGroupName":"none"}`, 404, "ResourceNotFoundException", "Thing group none"},
		"a name that would cut a key":       {`{"thingArn":"` + arnPrefix + `thing/a\u0000b","thingGroupName":"all"}`, 404, "ResourceNotFoundException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			env := membersEnv(t)
			for _, path := range []string{addPath, removePath} {
				got := env.wantError("PUT", path, test.body, test.status, test.errorType)
				if !strings.Contains(got.body, test.message) {
					t.Errorf("PUT %s: the message is %s, want one with %q", path, got.body, test.message)
				}
			}
		})
	}
	env := membersEnv(t)
	env.must("PUT", addPath, `{"thingName":"lamp","thingGroupName":"floor"}`)
	env.wantError("PUT", addPath, `{"thingName":"lamp","thingGroupName":"house"}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("PUT", updatePath, `{"thingGroupsToAdd":["all"]}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("PUT", updatePath, `{"thingName":"lamp","thingGroupsToAdd":["none"]}`, http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("GET", "/thing-groups/none/things", "", http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("GET", "/things/none/thing-groups", "", http.StatusNotFound, "ResourceNotFoundException")
}
