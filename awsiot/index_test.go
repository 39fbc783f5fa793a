package awsiot

import (
	"net/http"
	"strings"
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
	env.thing("lamp") // past the registry, so that there is something to index
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

	const shadows = "shadows are not served"
	for refused, why := range map[string]string{
		`{"thingIndexingMode":"REGISTRY_AND_SHADOW"}`:                                                                    shadows,
		`{"thingIndexingMode":"REGISTRY","namedShadowIndexingMode":"ON"}`:                                                shadows,
		`{"thingIndexingMode":"REGISTRY","filter":{"namedShadowNames":["a"]}}`:                                           shadows,
		`{"thingIndexingMode":"REGISTRY","filter":{"geoLocations":[{"name":"shadow.reported.place","order":"LonLat"}]}}`: shadows,
		`{"thingIndexingMode":"REGISTRY","customFields":[{"name":"shadow.reported.fw","type":"Number"}]}`:                "shadow.reported.fw",
		`{"thingIndexingMode":"REGISTRY","managedFields":[{"name":"shadow.name.a.version","type":"Number"}]}`:            "shadow.name.a.version",
		`{"thingIndexingMode":"REGISTRY","customFields":[{"name":"deviceDefender.violationCount","type":"Number"}]}`:     "Device Defender",
		`{"thingIndexingMode":"REGISTRY","deviceDefenderIndexingMode":"VIOLATIONS"}`:                                     "Device Defender is not served",
		`{"thingIndexingMode":"OFF","thingConnectivityIndexingMode":"STATUS"}`:                                           "thingIndexingMode",
	} {
		got := env.wantError("POST", "/indexing/config", `{"thingIndexingConfiguration":`+refused+`}`, http.StatusBadRequest, "InvalidRequestException")
		if !strings.Contains(got.body, why) {
			t.Errorf("%s is refused with %s, want %s in it", refused, got.body, why)
		}
	}
	env.must("POST", "/indexing/config", `{"thingIndexingConfiguration":{"thingIndexingMode":"OFF","namedShadowIndexingMode":"OFF","deviceDefenderIndexingMode":"OFF","filter":{}}}`)
	env.must("POST", "/indexing/config", `{"thingIndexingConfiguration":{"thingIndexingMode":"REGISTRY","customFields":[{"name":"attributes.fw","type":"Number"}]}}`)
	env.settle()
	env.want("DescribeIndex without connectivity", env.must("GET", "/indices/AWS_Things", ""), `{"indexName":"AWS_Things","indexStatus":"ACTIVE","schema":"REGISTRY"}`)
	env.want("SearchIndex", env.must("POST", "/indices/search", `{"queryString":"*"}`), `{"things":[{"attributes":{},"thingGroupNames":[],"thingId":"id-lamp","thingName":"lamp"}]}`)
}

func TestAggregations(t *testing.T) {
	env := newEnv(t)
	for thing, attributes := range map[string]string{"a": `"size":"10","site":"North"`, "b": `"size":"10","site":"North"`, "c": `"size":"40","site":"south"`, "d": `"site":"x"`} {
		env.must("POST", "/things/"+thing, `{"attributePayload":{"attributes":{`+attributes+`}}}`)
	}
	env.settle()
	ask := func(kind, query, more string) string {
		t.Helper()
		return env.must("POST", "/indices/"+kind, `{"queryString":"`+query+`"`+more+`}`)
	}
	env.want("GetStatistics", ask("statistics", "*", `,"aggregationField":"attributes.size"`),
		`{"statistics":{"average":20,"count":3,"maximum":40,"minimum":10,"stdDeviation":14.142135623730951,"sum":60,"sumOfSquares":1800,"variance":200}}`)
	env.want("GetStatistics of versions", ask("statistics", "*", ``),
		`{"statistics":{"average":1,"count":4,"maximum":1,"minimum":1,"stdDeviation":0,"sum":4,"sumOfSquares":4,"variance":0}}`)
	env.want("GetStatistics of text", ask("statistics", "*", `,"aggregationField":"attributes.site"`), `{"statistics":{"count":4}}`)
	env.want("GetCardinality", ask("cardinality", "thingName:(a OR b OR c)", `,"aggregationField":"attributes.site"`), `{"cardinality":2}`)
	env.want("GetPercentiles", ask("percentiles", "*", `,"aggregationField":"attributes.size","percents":[50,100]`),
		`{"percentiles":[{"percent":50,"value":10},{"percent":100,"value":40}]}`)
	env.want("GetBucketsAggregation", ask("buckets", "*", `,"aggregationField":"attributes.site","bucketsAggregationType":{"termsAggregation":{"maxBuckets":1}}`),
		`{"buckets":[{"count":2,"keyValue":"North"}],"totalCount":4}`)
	env.wantError("POST", "/indices/percentiles", `{"queryString":"*","aggregationField":"attributes.site"}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("POST", "/indices/statistics", `{"queryString":"*","aggregationField":"nosuch"}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("POST", "/indices/statistics", `{"queryString":"a AND"}`, http.StatusBadRequest, "InvalidQueryException")
}
