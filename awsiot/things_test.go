package awsiot

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var uuids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// masked returns an answer with <id> for every id that was made up.
func masked(body string) string { return uuids.ReplaceAllString(body, "<id>") }

func TestThingFromCreateToDelete(t *testing.T) {
	env := newEnv(t)
	env.must("POST", "/thing-types/light", "")
	env.want("CreateThing", masked(env.must("POST", "/things/lamp", `{"thingTypeName":"light","attributePayload":{"attributes":{"floor":"3"}}}`)),
		`{"thingArn":"`+arnPrefix+`thing/lamp","thingId":"<id>","thingName":"lamp"}`)
	env.want("DescribeThing", masked(env.must("GET", "/things/lamp", "")),
		`{"attributes":{"floor":"3"},"defaultClientId":"lamp","thingArn":"`+arnPrefix+`thing/lamp","thingId":"<id>","thingName":"lamp","thingTypeName":"light","version":1}`)
	env.want("UpdateThing", env.must("PATCH", "/things/lamp", `{"removeThingType":true,"attributePayload":{"attributes":{"floor":""},"merge":true},"expectedVersion":1}`), `{}`)
	env.want("DescribeThing, with nothing left", masked(env.must("GET", "/things/lamp", "")),
		`{"attributes":{},"defaultClientId":"lamp","thingArn":"`+arnPrefix+`thing/lamp","thingId":"<id>","thingName":"lamp","version":2}`)
	env.want("ListThings", env.must("GET", "/things", ""),
		`{"things":[{"attributes":{},"thingArn":"`+arnPrefix+`thing/lamp","thingName":"lamp","version":2}]}`)
	env.want("DeleteThing", env.must("DELETE", "/things/lamp?expectedVersion=2", ""), `{}`)
	env.want("DeleteThing again (REG-27)", env.must("DELETE", "/things/lamp", ""), `{}`)
	env.want("ListThings of none", env.must("GET", "/things", ""), `{"things":[]}`)
}

func TestCreateThingTwice(t *testing.T) {
	env := newEnv(t)
	body := `{"attributePayload":{"attributes":{"a":"1"}}}`
	first := env.must("POST", "/things/lamp", body)
	env.want("the same again (REG-14)", env.must("POST", "/things/lamp", body), first)
	got := env.wantError("POST", "/things/lamp", "{}", http.StatusConflict, "ResourceAlreadyExistsException")
	var created, refused struct{ ThingID, ResourceID, ResourceARN string }
	for body, into := range map[string]any{first: &created, got.body: &refused} {
		if err := json.Unmarshal([]byte(body), into); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	}
	if refused.ResourceID != created.ThingID || refused.ResourceARN != arnPrefix+"thing/lamp" {
		t.Errorf("the conflict names %+v, want what was created: %+v (REG-14)", refused, created)
	}
}

func TestThingOperationsRefuse(t *testing.T) {
	for name, test := range map[string]struct {
		method, target, body string
		status               int
		errorType, message   string // message: part of it
	}{
		"a name with a slash":                   {"POST", "/things/a%2Fb", "", 400, "InvalidRequestException", "thingName"},
		"a name of 129 characters":              {"POST", "/things/" + strings.Repeat("n", 129), "", 400, "InvalidRequestException", "thingName"},
		"an attribute with a blank":             {"POST", "/things/x", `{"attributePayload":{"attributes":{"a":"b c"}}}`, 400, "InvalidRequestException", "attributes"},
		"four attributes without a type":        {"POST", "/things/x", `{"attributePayload":{"attributes":{"a":"1","b":"1","c":"1","d":"1"}}}`, 400, "InvalidRequestException", "at most 3"},
		"an unknown type":                       {"POST", "/things/x", `{"thingTypeName":"none"}`, 404, "ResourceNotFoundException", "Thing type none does not exist"},
		"a deprecated type":                     {"POST", "/things/x", `{"thingTypeName":"old"}`, 400, "InvalidRequestException", "Can not create new thing with depreated thing type:old"},
		"a billing group":                       {"POST", "/things/x", `{"billingGroupName":"b"}`, 404, "ResourceNotFoundException", "Billing group b"},
		"describing what is missing":            {"GET", "/things/none", "", 404, "ResourceNotFoundException", "Thing none does not exist"},
		"updating what is missing":              {"PATCH", "/things/none", "{}", 404, "ResourceNotFoundException", "Thing none does not exist"},
		"updating another version":              {"PATCH", "/things/lamp", `{"expectedVersion":0}`, 409, "VersionConflictException", "version 1"},
		"updating to a deprecated type":         {"PATCH", "/things/lamp", `{"thingTypeName":"old"}`, 400, "InvalidRequestException", "Can not update a thing to use deprecated thing type: old"},
		"a type and none":                       {"PATCH", "/things/lamp", `{"thingTypeName":"old","removeThingType":true}`, 400, "InvalidRequestException", "removeThingType"},
		"deleting another version":              {"DELETE", "/things/lamp?expectedVersion=7", "", 409, "VersionConflictException", "version 1"},
		"deleting a version of what is missing": {"DELETE", "/things/none?expectedVersion=1", "", 404, "ResourceNotFoundException", "Thing none"},
		"a page of 251":                         {"GET", "/things?maxResults=251", "", 400, "InvalidRequestException", "maxResults"},
		"a page of none":                        {"GET", "/things?maxResults=0", "", 400, "InvalidRequestException", "maxResults"},
		"a token that nobody gave out":          {"GET", "/things?nextToken=abc", "", 400, "InvalidRequestException", "token"},
		"a value of no attribute":               {"GET", "/things?attributeValue=x", "", 400, "InvalidRequestException", "attributeName"},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.must("POST", "/things/lamp", "")
			env.must("POST", "/thing-types/old", "")
			env.must("POST", "/thing-types/old/deprecate", "")
			got := env.wantError(test.method, test.target, test.body, test.status, test.errorType)
			if !strings.Contains(got.body, test.message) {
				t.Errorf("the message is %s, want one with %q", got.body, test.message)
			}
		})
	}
}

func TestListThingsFilters(t *testing.T) {
	env := newEnv(t)
	env.must("POST", "/thing-types/light", "")
	env.must("POST", "/things/a", `{"thingTypeName":"light","attributePayload":{"attributes":{"color":"red"}}}`)
	env.must("POST", "/things/b", `{"attributePayload":{"attributes":{"color":"reddish"}}}`)
	env.must("POST", "/things/c", "")
	for query, want := range map[string]string{
		"attributeName=color&attributeValue=red":                              "a",
		"attributeName=color&attributeValue=red&usePrefixAttributeValue=true": "a b",
		"attributeName=color&attributeValue=red&usePrefixAttributeValue=TRUE": "a b",
		"attributeName=color":          "a b",
		"thingTypeName=light":          "a",
		"usePrefixAttributeValue=tRuE": "a b c",
		"somethingUnknown=1":           "a b c",
	} {
		if got := strings.Join(env.listed("/things?"+query, "things", "thingName"), " "); got != want {
			t.Errorf("GET /things?%s lists %s, want %s", query, got, want)
		}
	}
}

// listed reads all pages of a list, two items each, and returns one member of each
// item, or the items themselves if member is empty.
func (env *env) listed(target, list, member string) []string {
	env.t.Helper()
	var all []string
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	token := ""
	for range 100 {
		page := target + separator + "maxResults=2"
		if token != "" {
			page += "&nextToken=" + url.QueryEscape(token)
		}
		var out map[string]json.RawMessage
		var items []json.RawMessage
		if err := json.Unmarshal([]byte(env.must("GET", page, "")), &out); err != nil {
			env.t.Fatalf("%s: %v", page, err)
		}
		if err := json.Unmarshal(out[list], &items); err != nil {
			env.t.Fatalf("%s: %s: %v", page, list, err)
		}
		for _, item := range items {
			var name string
			if member != "" {
				var object map[string]json.RawMessage
				_ = json.Unmarshal(item, &object)
				item = object[member]
			}
			if err := json.Unmarshal(item, &name); err != nil {
				env.t.Fatalf("%s: %s: %v", page, item, err)
			}
			all = append(all, name)
		}
		next, more := out["nextToken"]
		if !more {
			return all
		}
		if err := json.Unmarshal(next, &token); err != nil || token == "" {
			env.t.Fatalf("%s: nextToken is %s, want one or none (REG-16)", page, next)
		}
	}
	env.t.Fatalf("%s never ends", target)
	return nil
}
