package awsiot

import (
	"net/http"
	"testing"
)

func TestDynamicThingGroupFromCreateToDelete(t *testing.T) {
	env := newEnv(t)
	env.settle()
	env.must("POST", "/things/lamp", `{"attributePayload":{"attributes":{"fw":"1"}}}`)
	create := `{"queryString":"attributes.fw<2","thingGroupProperties":{"thingGroupDescription":"old ones"}}`
	env.want("CreateDynamicThingGroup", masked(env.must("POST", "/dynamic-thing-groups/old", create)),
		`{"indexName":"AWS_Things","queryString":"attributes.fw<2","queryVersion":"2017-09-30",`+
			`"thingGroupArn":"`+arnPrefix+`thinggroup/old","thingGroupId":"<id>","thingGroupName":"old"}`)
	describe := func(status string) {
		t.Helper()
		env.want("DescribeThingGroup", masked(env.must("GET", "/thing-groups/old", "")),
			`{"indexName":"AWS_Things","queryString":"attributes.fw<2","queryVersion":"2017-09-30","status":"`+status+`",`+
				`"thingGroupArn":"`+arnPrefix+`thinggroup/old","thingGroupId":"<id>","thingGroupMetadata":{"creationDate":1790000000.123},`+
				`"thingGroupName":"old","thingGroupProperties":{"thingGroupDescription":"old ones"},"version":1}`)
	}
	describe("BUILDING")
	env.settle()
	describe("ACTIVE")
	env.want("ListThingsInThingGroup", env.must("GET", "/thing-groups/old/things", ""), `{"things":["lamp"]}`)
	env.wantError("POST", "/dynamic-thing-groups/old", `{"queryString":"*"}`, http.StatusConflict, "ResourceAlreadyExistsException")
	env.wantError("POST", "/dynamic-thing-groups/new", `{"queryString":"a AND"}`, http.StatusBadRequest, "InvalidQueryException")
	env.wantError("POST", "/dynamic-thing-groups/new", `{"queryString":"*","queryVersion":"2016"}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("POST", "/dynamic-thing-groups/new", `{"queryString":"*","indexName":"AWS_ThingGroups"}`, http.StatusNotFound, "ResourceNotFoundException")
	env.want("UpdateDynamicThingGroup", env.must("PATCH", "/dynamic-thing-groups/old", `{"thingGroupProperties":{},"queryString":"attributes.fw:2"}`), `{"version":2}`)
	env.settle()
	env.want("ListThingsInThingGroup with another query", env.must("GET", "/thing-groups/old/things", ""), `{"things":[]}`)
	env.wantError("DELETE", "/thing-groups/old", "", http.StatusBadRequest, "InvalidRequestException")
	env.wantError("DELETE", "/dynamic-thing-groups/old?expectedVersion=1", "", http.StatusConflict, "VersionConflictException")
	env.want("DeleteDynamicThingGroup", env.must("DELETE", "/dynamic-thing-groups/old?expectedVersion=2", ""), `{}`)
	env.want("DeleteDynamicThingGroup again", env.must("DELETE", "/dynamic-thing-groups/old", ""), `{}`)
}

func TestSearchIndex(t *testing.T) {
	env := newEnv(t)
	env.must("POST", "/things/lamp", `{"attributePayload":{"attributes":{"fw":"1"}}}`)
	env.must("POST", "/thing-groups/house", "")
	env.must("POST", "/thing-groups/hall", `{"parentGroupName":"house","thingGroupProperties":{"thingGroupDescription":"all the lamps"}}`)
	env.must("PUT", "/thing-groups/addThingToThingGroup", `{"thingName":"lamp","thingGroupName":"hall"}`)
	env.settle()
	env.want("SearchIndex", masked(env.must("POST", "/indices/search", `{"queryString":"thingGroupNames:hall"}`)),
		`{"things":[{"attributes":{"fw":"1"},"thingGroupNames":["hall"],"thingId":"<id>","thingName":"lamp"}]}`)
	env.want("SearchIndex of groups", masked(env.must("POST", "/indices/search", `{"indexName":"AWS_ThingGroups","queryString":"parentGroupNames:house AND lamps"}`)),
		`{"thingGroups":[{"attributes":{},"parentGroupNames":["house"],"thingGroupDescription":"all the lamps","thingGroupId":"<id>","thingGroupName":"hall"}]}`)
	env.want("SearchIndex for nothing", env.must("POST", "/indices/search", `{"queryString":"nothing"}`), `{"things":[]}`)
	env.wantError("POST", "/indices/search", `{"queryString":"a b)"}`, http.StatusBadRequest, "InvalidQueryException")
	env.wantError("POST", "/indices/search", `{"queryString":"*","maxResults":101}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("POST", "/indices/search", `{"queryString":"*","indexName":"AWS_Lamps"}`, http.StatusNotFound, "ResourceNotFoundException")
}

func TestIndexingConfiguration(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp") // behind the engine's back, so that there is something to index
	env.wantError("POST", "/indices/search", `{"queryString":"*"}`, http.StatusBadRequest, "IndexNotReadyException")
	env.want("DescribeIndex at first", env.must("GET", "/indices/AWS_Things", ""), `{"indexName":"AWS_Things","indexStatus":"BUILDING","schema":"REGISTRY_AND_CONNECTIVITY_STATUS"}`)
	env.settle()
	env.want("DescribeIndex", env.must("GET", "/indices/AWS_Things", ""), `{"indexName":"AWS_Things","indexStatus":"ACTIVE","schema":"REGISTRY_AND_CONNECTIVITY_STATUS"}`)
	env.want("DescribeIndex of groups", env.must("GET", "/indices/AWS_ThingGroups", ""), `{"indexName":"AWS_ThingGroups","indexStatus":"ACTIVE"}`)
	env.want("ListIndices", env.must("GET", "/indices", ""), `{"indexNames":["AWS_ThingGroups","AWS_Things"]}`)
	env.wantError("POST", "/things/lamp/connectivity-data", "", http.StatusNotFound, "ResourceNotFoundException")

	env.want("UpdateIndexingConfiguration", env.must("POST", "/indexing/config",
		`{"thingIndexingConfiguration":{"thingIndexingMode":"OFF"},"thingGroupIndexingConfiguration":{"thingGroupIndexingMode":"OFF"}}`), `{}`)
	env.settle()
	env.want("ListIndices when all is off", env.must("GET", "/indices", ""), `{"indexNames":[]}`)
	env.wantError("GET", "/indices/AWS_Things", "", http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("POST", "/indices/search", `{"queryString":"*"}`, http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("POST", "/indices/search", `{"queryString":"*","indexName":"AWS_ThingGroups"}`, http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("POST", "/dynamic-thing-groups/g", `{"queryString":"*"}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("POST", "/things/lamp/connectivity-data", "", http.StatusBadRequest, "InvalidRequestException")

	for _, refused := range []string{
		`{"thingIndexingMode":"REGISTRY","deviceDefenderIndexingMode":"VIOLATIONS"}`, `{"thingIndexingMode":"REGISTRY","namedShadowIndexingMode":"ON"}`,
		`{"thingIndexingMode":"OFF","thingConnectivityIndexingMode":"STATUS"}`, `{"thingIndexingMode":"REGISTRY","filter":{"namedShadowNames":["a"]}}`,
	} {
		env.wantError("POST", "/indexing/config", `{"thingIndexingConfiguration":`+refused+`}`, http.StatusBadRequest, "InvalidRequestException")
	}
	env.must("POST", "/indexing/config", `{"thingIndexingConfiguration":{"thingIndexingMode":"REGISTRY_AND_SHADOW","customFields":[{"name":"attributes.fw","type":"Number"}]}}`)
	env.settle()
	env.want("DescribeIndex without connectivity", env.must("GET", "/indices/AWS_Things", ""), `{"indexName":"AWS_Things","indexStatus":"ACTIVE","schema":"REGISTRY_AND_SHADOW"}`)
	env.want("SearchIndex", env.must("POST", "/indices/search", `{"queryString":"*"}`), `{"things":[{"attributes":{},"thingGroupNames":[],"thingId":"id-lamp","thingName":"lamp"}]}`)
}
