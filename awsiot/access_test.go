package awsiot

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/awsiot/wire"
)

// access is part D of identity-and-auth.md: for each operation a call and the
// permissions that it takes, as "action resource" with only the last part of the
// ARN.
var access = map[*wire.Operation]struct {
	target, body string
	takes        []string
}{
	wire.AssociateTargetsWithJob: {"/jobs/j/targets", `{"targets":["` + arnPrefix + `thing/t","` + arnPrefix + `thinggroup/g"]}`,
		[]string{"iot:AssociateTargetsWithJob job/j", "iot:AssociateTargetsWithJob thing/t", "iot:AssociateTargetsWithJob thinggroup/g"}},
	wire.CancelJob: {"/jobs/j/cancel", "", []string{"iot:CancelJob job/j"}},
	wire.CancelJobExecution: {"/things/t/jobs/j/cancel", "",
		[]string{"iot:CancelJobExecution job/j", "iot:CancelJobExecution thing/t"}},
	wire.CreateJob: {"/jobs/j", `{"targets":["` + arnPrefix + `thing/t"],"jobTemplateArn":"` + arnPrefix + `jobtemplate/x","destinationPackageVersions":["` + arnPrefix + `package/p/version/1"],"tags":[{"Key":"k","Value":"v"}]}`,
		[]string{"iot:CreateJob job/j", "iot:CreateJob jobtemplate/x", "iot:CreateJob package/p/version/1", "iot:CreateJob thing/t", "iot:TagResource job/j"}},
	wire.DeleteJob: {"/jobs/j", "", []string{"iot:DeleteJob job/j"}},
	wire.DeleteJobExecution: {"/things/t/jobs/j/executionNumber/1", "",
		[]string{"iot:DeleteJobExecution job/j", "iot:DeleteJobExecution thing/t"}},
	wire.DescribeEndpoint:            {"/endpoint", "", []string{"iot:DescribeEndpoint *"}},
	wire.DescribeEventConfigurations: {"/event-configurations", "", []string{"iot:DescribeEventConfigurations *"}},
	wire.UpdateEventConfigurations:   {"/event-configurations", "{}", []string{"iot:UpdateEventConfigurations *"}},
	wire.DescribeJob:                 {"/jobs/j", "", []string{"iot:DescribeJob job/j"}},
	wire.DescribeJobExecution: {"/things/t/jobs/j", "",
		[]string{"iot:DescribeJobExecution job/j", "iot:DescribeJobExecution thing/t"}},
	wire.GetJobDocument:            {"/jobs/j/job-document", "", []string{"iot:GetJobDocument job/j"}},
	wire.ListJobExecutionsForJob:   {"/jobs/j/things", "", []string{"iot:ListJobExecutionsForJob job/j"}},
	wire.ListJobExecutionsForThing: {"/things/t/jobs", "", []string{"iot:ListJobExecutionsForThing thing/t"}},
	wire.ListJobs:                  {"/jobs", "", []string{"iot:ListJobs *"}},
	wire.UpdateJob:                 {"/jobs/j", "{}", []string{"iot:UpdateJob job/j"}},
	wire.CreateJobTemplate: {"/job-templates/x", `{"description":"d","jobArn":"` + arnPrefix + `job/j","tags":[{"Key":"k","Value":"v"}]}`,
		[]string{"iot:CreateJobTemplate job/j", "iot:CreateJobTemplate jobtemplate/x", "iot:TagResource jobtemplate/x"}},
	wire.DeleteJobTemplate:          {"/job-templates/x", "", []string{"iot:DeleteJobTemplate jobtemplate/x"}},
	wire.DescribeJobTemplate:        {"/job-templates/x", "", []string{"iot:DescribeJobTemplate jobtemplate/x"}},
	wire.DescribeManagedJobTemplate: {"/managed-job-templates/AWS-Reboot", "", []string{"iot:DescribeManagedJobTemplate arn:aws:iot:eu-west-1::jobtemplate/AWS-Reboot:1.0"}},
	wire.ListJobTemplates:           {"/job-templates", "", []string{"iot:ListJobTemplates *"}},
	wire.ListManagedJobTemplates:    {"/managed-job-templates", "", []string{"iot:ListManagedJobTemplates *"}},
	wire.CreatePackage:              {"/packages/p", `{"tags":{"k":"v"}}`, []string{"iot:CreatePackage package/p", "iot:TagResource package/p"}},
	wire.CreatePackageVersion: {"/packages/p/versions/1", `{"tags":{"k":"v"}}`,
		[]string{"iot:CreatePackageVersion package/p", "iot:CreatePackageVersion package/p/version/1", "iot:TagResource package/p/version/1"}},
	wire.DeletePackage:              {"/packages/p", "", []string{"iot:DeletePackage package/p"}},
	wire.DeletePackageVersion:       {"/packages/p/versions/1", "", []string{"iot:DeletePackageVersion package/p", "iot:DeletePackageVersion package/p/version/1"}},
	wire.GetPackage:                 {"/packages/p", "", []string{"iot:GetPackage package/p"}},
	wire.GetPackageConfiguration:    {"/package-configuration", "", []string{"iot:GetPackageConfiguration *"}},
	wire.GetPackageVersion:          {"/packages/p/versions/1", "", []string{"iot:GetPackageVersion package/p", "iot:GetPackageVersion package/p/version/1"}},
	wire.ListPackageVersions:        {"/packages/p/versions", "", []string{"iot:ListPackageVersions package/p"}},
	wire.ListPackages:               {"/packages", "", []string{"iot:ListPackages *"}},
	wire.UpdatePackage:              {"/packages/p", `{"defaultVersionName":"1"}`, []string{"iot:UpdatePackage package/p", "iot:UpdatePackage package/p/version/1"}},
	wire.UpdatePackageConfiguration: {"/package-configuration", "{}", []string{"iot:UpdatePackageConfiguration *"}},
	wire.UpdatePackageVersion:       {"/packages/p/versions/1", "{}", []string{"iot:UpdatePackageVersion package/p", "iot:UpdatePackageVersion package/p/version/1"}},
	wire.AddThingToThingGroup: {"/thing-groups/addThingToThingGroup", `{"thingName":"t","thingGroupArn":"` + arnPrefix + `thinggroup/g"}`,
		[]string{"iot:AddThingToThingGroup thing/t", "iot:AddThingToThingGroup thinggroup/g"}},
	wire.CreateThing: {"/things/t", `{"thingTypeName":"y"}`, []string{"iot:CreateThing thing/t", "iot:CreateThing thingtype/y"}},
	wire.CreateThingGroup: {"/thing-groups/g", `{"parentGroupName":"p","tags":[{"Key":"k","Value":"v"}]}`,
		[]string{"iot:CreateThingGroup thinggroup/g", "iot:CreateThingGroup thinggroup/p", "iot:TagResource thinggroup/g"}},
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
	wire.CreateDynamicThingGroup: {"/dynamic-thing-groups/g", `{"queryString":"*","tags":[{"Key":"k","Value":"v"}]}`,
		[]string{"iot:CreateDynamicThingGroup index/AWS_Things", "iot:CreateDynamicThingGroup thinggroup/g", "iot:TagResource thinggroup/g"}},
	wire.DeleteDynamicThingGroup:     {"/dynamic-thing-groups/g", "", []string{"iot:DeleteDynamicThingGroup thinggroup/g"}},
	wire.UpdateDynamicThingGroup:     {"/dynamic-thing-groups/g", `{"thingGroupProperties":{},"queryString":"*"}`, []string{"iot:UpdateDynamicThingGroup index/AWS_Things", "iot:UpdateDynamicThingGroup thinggroup/g"}},
	wire.DescribeIndex:               {"/indices/AWS_Things", "", []string{"iot:DescribeIndex index/AWS_Things"}},
	wire.ListIndices:                 {"/indices", "", []string{"iot:ListIndices *"}},
	wire.SearchIndex:                 {"/indices/search", `{"queryString":"*"}`, []string{"iot:SearchIndex index/AWS_Things"}},
	wire.GetBucketsAggregation:       {"/indices/buckets", `{"queryString":"*","aggregationField":"thingTypeName","bucketsAggregationType":{}}`, []string{"iot:GetBucketsAggregation index/AWS_Things"}},
	wire.GetCardinality:              {"/indices/cardinality", `{"queryString":"*"}`, []string{"iot:GetCardinality index/AWS_Things"}},
	wire.GetPercentiles:              {"/indices/percentiles", `{"queryString":"*"}`, []string{"iot:GetPercentiles index/AWS_Things"}},
	wire.GetStatistics:               {"/indices/statistics", `{"queryString":"*"}`, []string{"iot:GetStatistics index/AWS_Things"}},
	wire.GetIndexingConfiguration:    {"/indexing/config", "", []string{"iot:GetIndexingConfiguration *"}},
	wire.UpdateIndexingConfiguration: {"/indexing/config", "{}", []string{"iot:UpdateIndexingConfiguration *"}},
	wire.GetThingConnectivityData:    {"/things/t/connectivity-data", "", []string{"iot:GetThingConnectivityData thing/t"}},
	wire.TagResource:                 {"/tags", `{"resourceArn":"` + arnPrefix + `thinggroup/g","tags":[{"Key":"k","Value":"v"}]}`, []string{"iot:TagResource thinggroup/g"}},
	wire.UntagResource:               {"/untag", `{"resourceArn":"` + arnPrefix + `thinggroup/g","tagKeys":["k"]}`, []string{"iot:UntagResource thinggroup/g"}},
	wire.UpdateThing:                 {"/things/t", `{"thingTypeName":"y"}`, []string{"iot:UpdateThing thing/t", "iot:UpdateThing thingtype/y"}},
	wire.UpdateThingGroup:            {"/thing-groups/g", `{"thingGroupProperties":{}}`, []string{"iot:UpdateThingGroup thinggroup/g"}},
	wire.UpdateThingGroupsForThing: {"/thing-groups/updateThingGroupsForThing", `{"thingName":"t","thingGroupsToAdd":["a"],"thingGroupsToRemove":["b"]}`,
		[]string{"iot:UpdateThingGroupsForThing thing/t", "iot:UpdateThingGroupsForThing thinggroup/a", "iot:UpdateThingGroupsForThing thinggroup/b"}},
	wire.UpdateThingType:       {"/thing-types/y", "{}", []string{"iot:UpdateThingType thingtype/y"}},
	wire.AttachPolicy:          {"/target-policies/p", `{"target":"` + arnPrefix + `cert/` + someID + `"}`, []string{"iot:AttachPolicy cert/" + someID, "iot:AttachPolicy policy/p"}},
	wire.AttachPrincipalPolicy: {"/principal-policies/p", "", []string{"iot:AttachPrincipalPolicy cert/" + someID, "iot:AttachPrincipalPolicy policy/p"}},
	wire.AttachThingPrincipal: {"/things/t/principals", "",
		[]string{"iot:AttachThingPrincipal cert/" + someID, "iot:AttachThingPrincipal thing/t"}},
	wire.CreateCertificateFromCsr: {"/certificates", `{"certificateSigningRequest":"x"}`, []string{"iot:CreateCertificateFromCsr *"}},
	wire.CreateKeysAndCertificate: {"/keys-and-certificate", "", []string{"iot:CreateKeysAndCertificate *"}},
	wire.CreatePolicy: {"/policies/p", `{"policyDocument":"{}","tags":[{"Key":"k","Value":"v"}]}`,
		[]string{"iot:CreatePolicy policy/p", "iot:TagResource policy/p"}},
	wire.CreatePolicyVersion:    {"/policies/p/version", `{"policyDocument":"{}"}`, []string{"iot:CreatePolicyVersion policy/p"}},
	wire.DeleteCACertificate:    {"/cacertificate/" + someID, "", []string{"iot:DeleteCACertificate cacert/" + someID}},
	wire.DeleteCertificate:      {"/certificates/" + someID, "", []string{"iot:DeleteCertificate cert/" + someID}},
	wire.DeletePolicy:           {"/policies/p", "", []string{"iot:DeletePolicy policy/p"}},
	wire.DeletePolicyVersion:    {"/policies/p/version/1", "", []string{"iot:DeletePolicyVersion policy/p"}},
	wire.DeleteRegistrationCode: {"/registrationcode", "", []string{"iot:DeleteRegistrationCode *"}},
	wire.DescribeCACertificate:  {"/cacertificate/" + someID, "", []string{"iot:DescribeCACertificate cacert/" + someID}},
	wire.DescribeCertificate:    {"/certificates/" + someID, "", []string{"iot:DescribeCertificate cert/" + someID}},
	wire.DetachPolicy:           {"/target-policies/p", `{"target":"` + arnPrefix + `thinggroup/g"}`, []string{"iot:DetachPolicy policy/p", "iot:DetachPolicy thinggroup/g"}},
	wire.DetachPrincipalPolicy:  {"/principal-policies/p", "", []string{"iot:DetachPrincipalPolicy cert/" + someID, "iot:DetachPrincipalPolicy policy/p"}},
	wire.DetachThingPrincipal: {"/things/t/principals", "",
		[]string{"iot:DetachThingPrincipal cert/" + someID, "iot:DetachThingPrincipal thing/t"}},
	wire.GetEffectivePolicies: {"/effective-policies?thingName=t", `{"principal":"` + arnPrefix + `cert/` + someID + `"}`,
		[]string{"iot:GetEffectivePolicies cert/" + someID, "iot:GetEffectivePolicies thing/t"}},
	wire.GetPolicy:             {"/policies/p", "", []string{"iot:GetPolicy policy/p"}},
	wire.GetPolicyVersion:      {"/policies/p/version/1", "", []string{"iot:GetPolicyVersion policy/p"}},
	wire.GetRegistrationCode:   {"/registrationcode", "", []string{"iot:GetRegistrationCode *"}},
	wire.ListAttachedPolicies:  {"/attached-policies/" + arnPrefix + "cert%2F" + someID, "", []string{"iot:ListAttachedPolicies cert/" + someID}},
	wire.ListCACertificates:    {"/cacertificates", "", []string{"iot:ListCACertificates *"}},
	wire.ListCertificates:      {"/certificates", "", []string{"iot:ListCertificates *"}},
	wire.ListCertificatesByCA:  {"/certificates-by-ca/" + someID, "", []string{"iot:ListCertificatesByCA cacert/" + someID}},
	wire.ListPolicies:          {"/policies", "", []string{"iot:ListPolicies *"}},
	wire.ListPolicyPrincipals:  {"/policy-principals", "", []string{"iot:ListPolicyPrincipals policy/p"}},
	wire.ListPolicyVersions:    {"/policies/p/version", "", []string{"iot:ListPolicyVersions policy/p"}},
	wire.ListPrincipalPolicies: {"/principal-policies", "", []string{"iot:ListPrincipalPolicies cert/" + someID}},
	wire.ListPrincipalThings:   {"/principals/things", "", []string{"iot:ListPrincipalThings cert/" + someID}},
	wire.ListPrincipalThingsV2: {"/principals/things-v2", "", []string{"iot:ListPrincipalThingsV2 cert/" + someID}},
	wire.ListTargetsForPolicy:  {"/policy-targets/p", "", []string{"iot:ListTargetsForPolicy policy/p"}},
	wire.ListThingPrincipals:   {"/things/t/principals", "", []string{"iot:ListThingPrincipals thing/t"}},
	wire.ListThingPrincipalsV2: {"/things/t/principals-v2", "", []string{"iot:ListThingPrincipalsV2 thing/t"}},
	wire.RegisterCACertificate: {"/cacertificate", `{"caCertificate":"x"}`, []string{"iot:RegisterCACertificate *"}},
	wire.RegisterCertificate:   {"/certificate/register", `{"certificatePem":"x"}`, []string{"iot:RegisterCertificate *"}},
	wire.RegisterCertificateWithoutCA: {"/certificate/register-no-ca", `{"certificatePem":"x"}`,
		[]string{"iot:RegisterCertificateWithoutCA *"}},
	wire.SetDefaultPolicyVersion: {"/policies/p/version/1", "", []string{"iot:SetDefaultPolicyVersion policy/p"}},
	wire.TestAuthorization: {"/test-authorization", `{"principal":"` + arnPrefix + `cert/` + someID + `","authInfos":[{"resources":[]}]}`,
		[]string{"iot:TestAuthorization cert/" + someID}},
	wire.UpdateCACertificate: {"/cacertificate/" + someID, "", []string{"iot:UpdateCACertificate cacert/" + someID}},
	wire.UpdateCertificate:   {"/certificates/" + someID + "?newStatus=ACTIVE", "", []string{"iot:UpdateCertificate cert/" + someID}},
}

const arnPrefix = "arn:aws:iot:eu-west-1:111122223333:"

// someID is the id of a certificate.
var someID = strings.Repeat("ab", 32)

// accessHeaders are the headers of those calls that name a resource.
var accessHeaders = http.Header{
	"X-Amzn-Principal":     {arnPrefix + "cert/" + someID},
	"X-Amzn-Iot-Principal": {arnPrefix + "cert/" + someID},
	"X-Amzn-Iot-Policy":    {"p"},
}

// TestEveryOperationTakesItsPermissions finds out which permissions a call takes by
// allowing nothing at first, and then, again and again, what the denial names.
func TestEveryOperationTakesItsPermissions(t *testing.T) {
	keys := &testKeys{}
	env := newEnvWith(t, Options{Keys: keys})
	env.key = limited
	for _, op := range controlPlane() {
		row, ok := access[op]
		if !ok {
			t.Errorf("%s has no row in part D of identity-and-auth.md: say what a call of it takes", op.Name)
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			var takes []string
			for range 10 {
				keys.policy = allowing(takes)
				got := env.sendWith(accessHeaders, op.Method, row.target, row.body)
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
		if resource != "*" && !strings.HasPrefix(resource, "arn:") {
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
