package awsiot

import (
	"net/http"
	"strings"
	"testing"
)

func TestEventConfigurationsOnTheWire(t *testing.T) {
	env := newEnv(t)
	none := `{"CA_CERTIFICATE":{"Enabled":false},"CERTIFICATE":{"Enabled":false},"JOB":{"Enabled":false},"JOB_EXECUTION":{"Enabled":false},` +
		`"POLICY":{"Enabled":false},"THING":{"Enabled":false},"THING_GROUP":{"Enabled":false},"THING_GROUP_HIERARCHY":{"Enabled":false},` +
		`"THING_GROUP_MEMBERSHIP":{"Enabled":false},"THING_TYPE":{"Enabled":false},"THING_TYPE_ASSOCIATION":{"Enabled":false}}`
	const path = "/event-configurations"
	env.want("DescribeEventConfigurations at first", env.must("GET", path, ""), `{"eventConfigurations":`+none+`}`)

	env.want("UpdateEventConfigurations", env.must("PATCH", path, `{"eventConfigurations":{"JOB":{"Enabled":true},"THING":{"Enabled":true}}}`), `{}`)
	env.pass(1000)
	env.must("PATCH", path, `{"eventConfigurations":{"THING":{"Enabled":false}}}`)
	job := strings.Replace(none, `"JOB":{"Enabled":false}`, `"JOB":{"Enabled":true}`, 1)
	want := `{"creationDate":1790000000.123,"eventConfigurations":` + job + `,"lastModifiedDate":1790000001.123}`
	env.want("DescribeEventConfigurations", env.must("GET", path, ""), want)

	env.wantError("PATCH", path, `{"eventConfigurations":{"JOBS":{"Enabled":true}}}`, http.StatusBadRequest, "InvalidRequestException")
	env.wantError("PATCH", path, `{"eventConfigurations":{"JOB":{"Enabled":"yes"}}}`, http.StatusBadRequest, "InvalidRequestException")
	env.want("DescribeEventConfigurations after refusals", env.must("GET", path, ""), want)
}
