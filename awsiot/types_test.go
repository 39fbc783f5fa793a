package awsiot

import (
	"net/http"
	"strings"
	"testing"
)

func TestThingTypeFromCreateToDelete(t *testing.T) {
	env := newEnv(t)
	env.want("CreateThingType", masked(env.must("POST", "/thing-types/light", `{"thingTypeProperties":{"thingTypeDescription":"gives light","searchableAttributes":["watt"],
		"mqtt5Configuration":{"propagatingAttributes":[{"userPropertyKey":"w","thingAttribute":"watt"}]}},"tags":[{"Key":"a","Value":"1"}]}`)),
		`{"thingTypeArn":"`+arnPrefix+`thingtype/light","thingTypeId":"<id>","thingTypeName":"light"}`)
	properties := `"thingTypeProperties":{"mqtt5Configuration":{"propagatingAttributes":[{"thingAttribute":"watt","userPropertyKey":"w"}]},` +
		`"searchableAttributes":["watt"],"thingTypeDescription":"gives light"}`
	env.want("DescribeThingType (REG-37)", masked(env.must("GET", "/thing-types/light", "")),
		`{"thingTypeArn":"`+arnPrefix+`thingtype/light","thingTypeId":"<id>","thingTypeMetadata":{"creationDate":1790000000.123,"deprecated":false},"thingTypeName":"light",`+properties+`}`)
	env.want("ListThingTypes", env.must("GET", "/thing-types", ""),
		`{"thingTypes":[{"thingTypeArn":"`+arnPrefix+`thingtype/light","thingTypeMetadata":{"creationDate":1790000000.123,"deprecated":false},"thingTypeName":"light",`+properties+`}]}`)
	env.wantError("DELETE", "/thing-types/light", "", http.StatusBadRequest, "InvalidRequestException")
	env.want("UpdateThingType", env.must("PATCH", "/thing-types/light",
		`{"thingTypeProperties":{"thingTypeDescription":"","searchableAttributes":[],"mqtt5Configuration":{"propagatingAttributes":[]}}}`), `{}`)
	env.pass(1000)
	env.want("DeprecateThingType", env.must("POST", "/thing-types/light/deprecate", ""), `{}`)
	env.want("DescribeThingType, deprecated", masked(env.must("GET", "/thing-types/light", "")),
		`{"thingTypeArn":"`+arnPrefix+`thingtype/light","thingTypeId":"<id>","thingTypeMetadata":{"creationDate":1790000000.123,"deprecated":true,"deprecationDate":1790000001.123},`+
			`"thingTypeName":"light","thingTypeProperties":{"searchableAttributes":[]}}`)
	env.want("DeprecateThingType undone", env.must("POST", "/thing-types/light/deprecate", `{"undoDeprecate":true}`), `{}`)
	env.must("POST", "/things/lamp", `{"thingTypeName":"light"}`)
	env.must("POST", "/thing-types/light/deprecate", "{}")
	env.wantError("DELETE", "/thing-types/light", "", http.StatusBadRequest, "InvalidRequestException")
	env.must("DELETE", "/things/lamp", "")
	env.want("DeleteThingType", env.must("DELETE", "/thing-types/light", ""), `{}`)
	for _, call := range [][3]string{
		{"GET", "/thing-types/light"}, {"DELETE", "/thing-types/light"}, {"PATCH", "/thing-types/light", "{}"}, {"POST", "/thing-types/light/deprecate"},
	} {
		env.wantError(call[0], call[1], call[2], http.StatusNotFound, "ResourceNotFoundException")
	}
	env.want("ListThingTypes of none", env.must("GET", "/thing-types", ""), `{"thingTypes":[]}`)
}

func TestListThingTypes(t *testing.T) {
	env := newEnv(t)
	for _, name := range []string{"c", "a", "b"} {
		env.must("POST", "/thing-types/"+name, "")
	}
	for query, want := range map[string]string{"": "a b c", "?thingTypeName=b": "b", "?thingTypeName=x": ""} {
		if got := strings.Join(env.listed("/thing-types"+query, "thingTypes", "thingTypeName"), " "); got != want {
			t.Errorf("GET /thing-types%s lists %s, want %s", query, got, want)
		}
	}
}

func TestThingTypesRefuse(t *testing.T) {
	env := newEnv(t)
	env.must("POST", "/thing-types/light", "")
	env.wantError("POST", "/thing-types/light", `{"thingTypeProperties":{"thingTypeDescription":"x"}}`, http.StatusConflict, "ResourceAlreadyExistsException")
	env.wantError("POST", "/thing-types/x", `{"thingTypeProperties":{"searchableAttributes":["a","b","c","d"]}}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("POST", "/thing-types/x", `{"thingTypeProperties":{"searchableAttributes":["a b"]}}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("POST", "/thing-types/x", `{"thingTypeProperties":{"thingTypeDescription":"a\nb"}}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("POST", "/thing-types/x", `{"tags":[{"Key":"aws:a","Value":""}]}`, http.StatusBadRequest, "InvalidRequestException")
}
