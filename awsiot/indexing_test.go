package awsiot

import (
	"net/http"
	"strings"
	"testing"
)

func TestCustomFieldsNeedNameAndType(t *testing.T) {
	env := newEnv(t)
	env.must("POST", "/indexing/config", `{"thingGroupIndexingConfiguration":{"thingGroupIndexingMode":"ON","customFields":[{"name":"attributes.a","type":"Number"}]}}`)
	for name, body := range map[string]string{
		"name": `{"thingGroupIndexingConfiguration":{"thingGroupIndexingMode":"ON","customFields":[{"type":"Number"}]}}`,
		"type": `{"thingIndexingConfiguration":{"thingIndexingMode":"REGISTRY","customFields":[{"name":"attributes.a"}]}}`,
	} {
		got := env.wantError("POST", "/indexing/config", body, http.StatusBadRequest, "InvalidRequestException")
		if !strings.Contains(got.body, name) {
			t.Errorf("message is %s, want one that names %s", got.body, name)
		}
	}
	if got := env.must("GET", "/indexing/config", ""); !strings.Contains(got, `"customFields":[{"name":"attributes.a","type":"Number"}]`) {
		t.Errorf("GetIndexingConfiguration = %s, want the one field that was accepted", got)
	}
}
