package awsiot

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestThingGroupFromCreateToDelete(t *testing.T) {
	env := newEnv(t)
	env.want("CreateThingGroup", masked(env.must("POST", "/thing-groups/house", "")),
		`{"thingGroupArn":"`+arnPrefix+`thinggroup/house","thingGroupId":"<id>","thingGroupName":"house"}`)
	env.want("DescribeThingGroup of a root (REG-42)", masked(env.must("GET", "/thing-groups/house", "")),
		`{"thingGroupArn":"`+arnPrefix+`thinggroup/house","thingGroupId":"<id>","thingGroupMetadata":{"creationDate":1790000000.123},`+
			`"thingGroupName":"house","thingGroupProperties":{},"version":1}`)
	env.must("POST", "/thing-groups/floor", `{"parentGroupName":"house"}`)
	env.must("POST", "/thing-groups/room", `{"parentGroupName":"floor","thingGroupProperties":{"thingGroupDescription":"a room","attributePayload":{"attributes":{"n":"12"}}}}`)
	env.want("DescribeThingGroup below others (REG-42)", masked(env.must("GET", "/thing-groups/room", "")),
		`{"thingGroupArn":"`+arnPrefix+`thinggroup/room","thingGroupId":"<id>","thingGroupMetadata":{"creationDate":1790000000.123,"parentGroupName":"floor",`+
			`"rootToParentThingGroups":[{"groupArn":"`+arnPrefix+`thinggroup/house","groupName":"house"},{"groupArn":"`+arnPrefix+`thinggroup/floor","groupName":"floor"}]},`+
			`"thingGroupName":"room","thingGroupProperties":{"attributePayload":{"attributes":{"n":"12"}},"thingGroupDescription":"a room"},"version":1}`)
	env.want("UpdateThingGroup", env.must("PATCH", "/thing-groups/room",
		`{"expectedVersion":1,"thingGroupProperties":{"attributePayload":{"merge":true,"attributes":{"n":"","m":"1"}}}}`), `{"version":2}`)
	if got, want := env.must("GET", "/thing-groups/room", ""), `"thingGroupProperties":{"attributePayload":{"attributes":{"m":"1"}},"thingGroupDescription":"a room"},"version":2`; !strings.Contains(got, want) {
		t.Errorf("after the update the group is %s, want %s (REG-43)", got, want)
	}
	got := env.wantError("DELETE", "/thing-groups/house", "", http.StatusBadRequest, "InvalidRequestException")
	env.want("DeleteThingGroup of a parent (REG-44)", got.body, `{"message":"Cannot delete thing group : house when there are still child groups attached to it"}`)
	env.wantError("DELETE", "/thing-groups/room?expectedVersion=1", "", http.StatusConflict, "VersionConflictException")
	env.want("DeleteThingGroup", env.must("DELETE", "/thing-groups/room?expectedVersion=2", ""), `{}`)
	env.want("DeleteThingGroup again (REG-44)", env.must("DELETE", "/thing-groups/room", ""), `{}`)
}

func TestListThingGroups(t *testing.T) {
	env := newEnv(t)
	env.must("POST", "/thing-groups/house", "")
	env.must("POST", "/thing-groups/roof", `{"parentGroupName":"house"}`)
	env.must("POST", "/thing-groups/floor", `{"parentGroupName":"house"}`)
	env.must("POST", "/thing-groups/attic", `{"parentGroupName":"roof"}`)
	env.must("POST", "/thing-groups/barn", "")
	for query, want := range map[string]string{
		"":                                      "attic barn floor house roof",
		"?recursive=false":                      "barn house",
		"?recursive=true":                       "attic barn floor house roof",
		"?parentGroup=house":                    "floor roof attic",
		"?parentGroup=house&recursive=TRUE":     "floor roof attic",
		"?parentGroup=house&recursive=False":    "floor roof",
		"?namePrefixFilter=r":                   "roof",
		"?parentGroup=house&namePrefixFilter=a": "attic",
		"?parentGroup=attic":                    "",
	} {
		if got := strings.Join(env.listed("/thing-groups"+query, "thingGroups", "groupName"), " "); got != want {
			t.Errorf("GET /thing-groups%s lists %s, want %s (REG-52)", query, got, want)
		}
	}
	env.want("one entry", env.must("GET", "/thing-groups?namePrefixFilter=barn", ""),
		`{"thingGroups":[{"groupArn":"`+arnPrefix+`thinggroup/barn","groupName":"barn"}]}`)
	env.wantError("GET", "/thing-groups?parentGroup=none", "", http.StatusNotFound, "ResourceNotFoundException")
}

func TestThingGroupsRefuse(t *testing.T) {
	env := newEnv(t)
	env.must("POST", "/thing-groups/house", "")
	got := env.wantError("POST", "/thing-groups/house", `{"thingGroupProperties":{"thingGroupDescription":"x"}}`, http.StatusConflict, "ResourceAlreadyExistsException")
	env.want("CreateThingGroup of another (REG-41)", masked(got.body),
		`{"message":"Thing Group house already exists in current account with different properties","resourceId":"<id>","resourceArn":"`+arnPrefix+`thinggroup/house"}`)
	env.wantError("PATCH", "/thing-groups/house", `{}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("PATCH", "/thing-groups/none", `{"thingGroupProperties":{}}`, http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("PATCH", "/thing-groups/house", `{"thingGroupProperties":{},"expectedVersion":2}`, http.StatusConflict, "VersionConflictException")
	env.wantError("GET", "/thing-groups/none", "", http.StatusNotFound, "ResourceNotFoundException")
}

// TestAnUnknownParent is a test of its own because CreateThingGroup does not model
// this error.
func TestAnUnknownParent(t *testing.T) {
	env := newEnv(t)
	const body = `{"parentGroupName":"none"}`
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/thing-groups/x", strings.NewReader(body))
	env.server.ServeHTTP(rec, env.sign(r, body, "iot"))
	if got := rec.Header().Get("x-amzn-ErrorType"); rec.Code != http.StatusNotFound || got != "ResourceNotFoundException" {
		t.Errorf("CreateThingGroup below nothing = %d %s %s, want 404 ResourceNotFoundException (REG-40)", rec.Code, got, rec.Body)
	}
}
