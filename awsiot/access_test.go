package awsiot

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/awsiot/wire"
)

// access is part D of identity-and-auth.md: for each operation a call and what
// it takes, as "action resource" with the ARNs cut to their last part.
var access = map[*wire.Operation]struct {
	target, body string
	takes        []string
}{
	wire.AssociateTargetsWithJob: {"/jobs/j/targets", `{"targets":["` + arnPrefix + `thing/t","` + arnPrefix + `thinggroup/g"]}`,
		[]string{"iot:AssociateTargetsWithJob job/j", "iot:AssociateTargetsWithJob thing/t", "iot:AssociateTargetsWithJob thinggroup/g"}},
	wire.CancelJob: {"/jobs/j/cancel", "", []string{"iot:CancelJob job/j"}},
	wire.CancelJobExecution: {"/things/t/jobs/j/cancel", "",
		[]string{"iot:CancelJobExecution job/j", "iot:CancelJobExecution thing/t"}},
	wire.CreateJob: {"/jobs/j", `{"targets":["` + arnPrefix + `thing/t"],"jobTemplateArn":"` + arnPrefix + `jobtemplate/x","tags":[{"Key":"k","Value":"v"}]}`,
		[]string{"iot:CreateJob job/j", "iot:CreateJob jobtemplate/x", "iot:CreateJob thing/t", "iot:TagResource job/j"}},
	wire.DeleteJob: {"/jobs/j", "", []string{"iot:DeleteJob job/j"}},
	wire.DeleteJobExecution: {"/things/t/jobs/j/executionNumber/1", "",
		[]string{"iot:DeleteJobExecution job/j", "iot:DeleteJobExecution thing/t"}},
	wire.DescribeEndpoint: {"/endpoint", "", []string{"iot:DescribeEndpoint *"}},
	wire.DescribeJob:      {"/jobs/j", "", []string{"iot:DescribeJob job/j"}},
	wire.DescribeJobExecution: {"/things/t/jobs/j", "",
		[]string{"iot:DescribeJobExecution job/j", "iot:DescribeJobExecution thing/t"}},
	wire.GetJobDocument:            {"/jobs/j/job-document", "", []string{"iot:GetJobDocument job/j"}},
	wire.ListJobExecutionsForJob:   {"/jobs/j/things", "", []string{"iot:ListJobExecutionsForJob job/j"}},
	wire.ListJobExecutionsForThing: {"/things/t/jobs", "", []string{"iot:ListJobExecutionsForThing thing/t"}},
	wire.ListJobs:                  {"/jobs", "", []string{"iot:ListJobs *"}},
	wire.UpdateJob:                 {"/jobs/j", "{}", []string{"iot:UpdateJob job/j"}},
	wire.AddThingToThingGroup: {"/thing-groups/addThingToThingGroup", `{"thingName":"t","thingGroupArn":"` + arnPrefix + `thinggroup/g"}`,
		[]string{"iot:AddThingToThingGroup thing/t", "iot:AddThingToThingGroup thinggroup/g"}},
	wire.CreateThing: {"/things/t", "", []string{"iot:CreateThing thing/t"}},
	wire.CreateThingGroup: {"/thing-groups/g", `{"tags":[{"Key":"k","Value":"v"}]}`,
		[]string{"iot:CreateThingGroup thinggroup/g", "iot:TagResource thinggroup/g"}},
	wire.CreateThingType: {"/thing-types/y", `{"tags":[{"Key":"k","Value":"v"}]}`,
		[]string{"iot:CreateThingType thingtype/y", "iot:TagResource thingtype/y"}},
	wire.DeleteThing:             {"/things/t", "", []string{"iot:DeleteThing thing/t"}},
	wire.DeleteThingGroup:        {"/thing-groups/g", "", []string{"iot:DeleteThingGroup thinggroup/g"}},
	wire.DeleteThingType:         {"/thing-types/y", "", []string{"iot:DeleteThingType thingtype/y"}},
	wire.DeprecateThingType:      {"/thing-types/y/deprecate", "{}", []string{"iot:DeprecateThingType thingtype/y"}},
	wire.DescribeThing:           {"/things/t", "", []string{"iot:DescribeThing thing/t"}},
	wire.DescribeThingGroup:      {"/thing-groups/g", "", []string{"iot:DescribeThingGroup thinggroup/g"}},
	wire.DescribeThingType:       {"/thing-types/y", "", []string{"iot:DescribeThingType thingtype/y"}},
	wire.ListTagsForResource:     {"/tags?resourceArn=" + arnPrefix + "thinggroup/g", "", []string{"iot:ListTagsForResource thinggroup/g"}},
	wire.ListThingGroups:         {"/thing-groups", "", []string{"iot:ListThingGroups *"}},
	wire.ListThingGroupsForThing: {"/things/t/thing-groups", "", []string{"iot:ListThingGroupsForThing thing/t"}},
	wire.ListThingTypes:          {"/thing-types", "", []string{"iot:ListThingTypes *"}},
	wire.ListThings:              {"/things", "", []string{"iot:ListThings *"}},
	wire.ListThingsInThingGroup:  {"/thing-groups/g/things", "", []string{"iot:ListThingsInThingGroup thinggroup/g"}},
	wire.RemoveThingFromThingGroup: {"/thing-groups/removeThingFromThingGroup", `{"thingArn":"` + arnPrefix + `thing/t","thingGroupName":"g"}`,
		[]string{"iot:RemoveThingFromThingGroup thing/t", "iot:RemoveThingFromThingGroup thinggroup/g"}},
	wire.TagResource:      {"/tags", `{"resourceArn":"` + arnPrefix + `thinggroup/g","tags":[{"Key":"k","Value":"v"}]}`, []string{"iot:TagResource thinggroup/g"}},
	wire.UntagResource:    {"/untag", `{"resourceArn":"` + arnPrefix + `thinggroup/g","tagKeys":["k"]}`, []string{"iot:UntagResource thinggroup/g"}},
	wire.UpdateThing:      {"/things/t", "{}", []string{"iot:UpdateThing thing/t"}},
	wire.UpdateThingGroup: {"/thing-groups/g", `{"thingGroupProperties":{}}`, []string{"iot:UpdateThingGroup thinggroup/g"}},
	wire.UpdateThingGroupsForThing: {"/thing-groups/updateThingGroupsForThing", `{"thingName":"t","thingGroupsToAdd":["a"],"thingGroupsToRemove":["b"]}`,
		[]string{"iot:UpdateThingGroupsForThing thing/t", "iot:UpdateThingGroupsForThing thinggroup/a", "iot:UpdateThingGroupsForThing thinggroup/b"}},
	wire.UpdateThingType: {"/thing-types/y", "{}", []string{"iot:UpdateThingType thingtype/y"}},
}

const arnPrefix = "arn:aws:iot:eu-west-1:111122223333:"

// TestEveryOperationTakesItsPermissions finds out what a call takes by denying
// everything, allowing what the denial names, and trying again.
func TestEveryOperationTakesItsPermissions(t *testing.T) {
	for _, op := range controlPlane() {
		row, ok := access[op]
		if !ok {
			t.Errorf("%s has no row in part D: say what a call of it takes", op.Name)
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			var takes []string
			for range 10 {
				env := newEnvWith(t, Options{Keys: testKeys{allowing(takes)}})
				env.key = limited
				got := env.send(op.Method, row.target, row.body)
				if got.errorType() != "AccessDeniedException" {
					break
				}
				if got.status != http.StatusForbidden {
					t.Fatalf("a denial has status %d, want 403", got.status)
				}
				_, denied, _ := strings.Cut(got.body, "is not authorized to perform: ")
				action, resource, _ := strings.Cut(strings.TrimSuffix(denied, `"}`), " on resource: ")
				takes = append(takes, action+" "+strings.TrimPrefix(resource, arnPrefix))
			}
			slices.Sort(takes)
			if !slices.Equal(takes, row.takes) {
				t.Errorf("%s %s takes %q, want %q", op.Method, row.target, takes, row.takes)
			}
		})
	}
}

// allowing returns a policy that allows what a call takes.
func allowing(takes []string) string {
	statements := []string{`{"Effect":"Deny","Action":"iot:Nothing","Resource":"*"}`}
	for _, one := range takes {
		action, resource, _ := strings.Cut(one, " ")
		if resource != "*" {
			resource = arnPrefix + resource
		}
		statements = append(statements, fmt.Sprintf(`{"Effect":"Allow","Action":%q,"Resource":%q}`, action, resource))
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func TestEveryLabelHasAKind(t *testing.T) {
	for _, op := range controlPlane() {
		for _, s := range op.Segments {
			if _, ok := kinds[s.Label]; s.Label != "" && !ok {
				t.Errorf("%s has the label %s: say in kinds what it names", op.Name, s.Label)
			}
		}
	}
}

func TestPolicyConditions(t *testing.T) {
	const body = `{"targets":["` + arnPrefix + `thing/lamp"],"document":"{}","tags":[{"Key":"team","Value":"%s"}]}`
	policy := func(condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":` + condition + `}]}`
	}
	tests := map[string]struct {
		policy, team string
		status       int
	}{
		"the tag that is wanted":     {policy(`{"StringEquals":{"aws:RequestTag/team":"blue"}}`), "blue", 200},
		"another value":              {policy(`{"StringEquals":{"aws:RequestTag/team":"blue"}}`), "red", 403},
		"another key":                {policy(`{"StringEquals":{"aws:RequestTag/unit":"blue"}}`), "blue", 403},
		"only keys that are allowed": {policy(`{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}`), "red", 200},
		"a key that is not":          {policy(`{"ForAllValues:StringEquals":{"aws:TagKeys":["unit"]}}`), "red", 403},
		"from the right network":     {policy(`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`), "red", 200},
		"from elsewhere":             {policy(`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), "red", 403},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := newEnvWith(t, Options{Keys: testKeys{test.policy}})
			env.thing("lamp")
			env.key = limited
			got := env.send("PUT", "/jobs/fw", fmt.Sprintf(body, test.team)) // httptest calls from 192.0.2.1
			if got.status != test.status {
				t.Errorf("CreateJob = %d %s, want %d", got.status, got.body, test.status)
			}
		})
	}
}
