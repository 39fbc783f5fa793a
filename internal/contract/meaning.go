package contract

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// meanings generate strings that have a meaning for the service, by their shape. The
// limits of the model alone would not be enough for a request to succeed. Strings of
// other shapes are generated from their patterns or taken from earlier answers.
var meanings = map[string]func(g *generator) (string, bool){
	// Jobs.
	"JobDocument":               (*generator).document,
	"TargetArn":                 told(arns("thing"), arns("thinggroup")),
	"JobArn":                    told(arns("job")),
	"JobTemplateArn":            told(arns("jobtemplate")),
	"DescribeJobExecutionJobId": (*generator).jobOrNext,
	"JobExecutionStatus":        mostly(one("IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"), "QUEUED", "CANCELED", "TIMED_OUT", "REMOVED"),
	"PackageVersionArn":         (*generator).release,
	"NamespaceId":               one("ns-0", "ns-1"),
	"StringDateTime":            (*generator).dateTime,
	"CronExpression":            mostly(one("cron(0 2 * * ? *)", "cron(*/30 * ? * MON-FRI *)", "cron(15 8 1 * ? *)"), "* * * * *", "cron(61 2 * * ? *)"),
	"ParameterKey":              one("command", "path", "runAsUser", "pathToHandler", "downloadUrl", "filePath", "packages", "services"),
	"JobDocumentSource":         mostly(one("https://s3.eu-west-1.amazonaws.com/bucket/key.json"), "https://example.com/x", "no url"),
	"RoleArn":                   mostly(one("arn:aws:iam::111122223333:role/device-artifacts"), "arn:aws:iam::111122223333:user/not-a-role"),

	// The registry.
	"ResourceAttributeKey": one("size", "colour"),
	"AttributeName":        one("colour", "site", "fw", "a.b"),
	"AttributeValue":       one("red", "blue", "7", "", "Berlin"),
	"TagKey":               mostly(one("owner", "cost centre", "stage", "ä", "a", "b", "c", "d"), "aws:reserved"),
	"ResourceArn": told(arns("thinggroup"), arns("job"), arns("jobtemplate"), arns("policy"), arns("thingtype"), arns("cacert"),
		arns("package"), arns("billinggroup"), arns("thing"), arns("cert")),
	"ConnectivityApiThingName": func(g *generator) (string, bool) { return g.common("ThingName"), true },
	"EndpointType":             mostly(one("iot:Data-ATS", "iot:Jobs", "iot:Data", "iot:CredentialProvider"), "iot:Nothing"),
	"AggregationField":         mostly(one("thingTypeName", "attributes.colour", "thingGroupNames", "version"), "no.such.field"),
	"IndexName":                mostly(one("AWS_Things", "AWS_ThingGroups"), "no-index"),
	"QueryString":              mostly(one("thingName:thingname-*", "attributes.colour:red", "thingName:* AND NOT thingGroupNames:thinggroupname-1", "*"), "((", "attributes.fw > 5"),
	"QueryVersion":             one("2017-09-30"),

	"ThingIndexingMode":             mostly(one("REGISTRY"), "OFF", "REGISTRY_AND_SHADOW"),
	"ThingConnectivityIndexingMode": mostly(one("STATUS"), "OFF"),

	// Certificates and policies.
	"PolicyDocument":            (*generator).policy,
	"PolicyVersionId":           one("1", "2", "3", "5"),
	"CertificateSigningRequest": mostly((*generator).signingRequest, "no request", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"),
	"CertificatePem":            mostly((*generator).certificate, "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
	"CertificateStatus":         one("ACTIVE", "INACTIVE", "INACTIVE", "REVOKED"),
	"Principal":                 mostly(told(arns("cert")), "arn:aws:iot:eu-west-1:111122223333:thinggroup/thinggroupname-0"),
	"PolicyTarget":              told(arns("cert"), arns("thinggroup")),
	"TemplateBody":              mostly(one("{}", `{"Parameters":{},"Resources":{}}`), "no JSON"),
	"Resource":                  one("*", "arn:aws:iot:eu-west-1:111122223333:topic/a/b", "arn:aws:iot:eu-west-1:111122223333:client/thingname-1"),

	// Messages and shadows.
	"ShadowName": mostly(one("$package"), "config"),
	"Topic":      mostly(one("a/b", "sensors/1"), "$aws/things/thingname-1/jobs/get", "wild/+"),
	"ClientId":   one("thingname-0", "thingname-1", "client 7"),
}

// one returns a meaning that is one of a few words.
func one(words ...string) func(*generator) (string, bool) {
	return func(g *generator) (string, bool) { return pick(g, words...), true }
}

// told returns a meaning that is a value of some shapes from earlier answers.
func told(shapes ...string) func(*generator) (string, bool) {
	return func(g *generator) (string, bool) { return g.known.one(shapes...) }
}

// mostly adds wrong words to a meaning, for wild inputs.
func mostly(right func(*generator) (string, bool), wrong ...string) func(*generator) (string, bool) {
	return func(g *generator) (string, bool) {
		if g.wild && g.likely(40) {
			return pick(g, wrong...), true
		}
		return right(g)
	}
}

// numbers generate numbers that have more rules than a range.
var numbers = map[string]func(g *generator) string{
	"AbortThresholdPercentage":      figures("0.5", "10", "99.99", "100")("0", "33.333"),
	"IncrementFactor":               figures("1.1", "1.5", "2", "5")("1.25"),
	"InProgressTimeoutInMinutes":    figures("1", "5", "10080")("0", "10081"),
	"StepTimeoutInMinutes":          figures("1", "5", "10080", "-1")("1"),
	"NumberOfRetries":               figures("0", "1", "3", "10")("10"),
	"MinimumNumberOfExecutedThings": small,
	"NumberOfThings":                small,
	"ExecutionNumber":               small,
	"ExpectedVersion":               small,
	"OptionalVersion":               small,
	"LaserMaxResults":               small,
	"RegistryMaxResults":            small,
	"PageSize":                      small,
}

// figures returns one of a few right numbers or, for wild inputs, of a few wrong ones.
func figures(right ...string) func(wrong ...string) func(*generator) string {
	return func(wrong ...string) func(*generator) string {
		figure := mostly(one(right...), wrong...)
		return func(g *generator) string { n, _ := figure(g); return n }
	}
}

func small(g *generator) string { return strconv.Itoa(1 + g.rand.IntN(3)) }

// leanings give the probability of an optional member, in percent, where nearly all
// inputs would otherwise be refused by rules that are not in the model.
var leanings = map[string]map[string]int{
	"CreateJobRequest": {
		"presignedUrlConfig": 4, "destinationPackageVersions": 10, "documentParameters": 4, "schedulingConfig": 12,
		"namespaceId": 6, "description": 50, "targetSelection": 50, "jobExecutionsRetryConfig": 30,
	},
	"CreateJobTemplateRequest":  {"presignedUrlConfig": 4, "destinationPackageVersions": 4},
	"CancelJobRequest":          {"force": 40},
	"CancelJobExecutionRequest": {"force": 80, "expectedVersion": 15},
	"DeleteJobRequest":          {"force": 60, "namespaceId": 4},
	"DeleteJobExecutionRequest": {"force": 80, "namespaceId": 4},
	"UpdateJobRequest":          {"presignedUrlConfig": 4, "jobExecutionsRetryConfig": 10, "namespaceId": 4},
	"SchedulingConfig":          {"maintenanceWindows": 30, "endTime": 50, "startTime": 30},
	"CreateThingRequest":        {"billingGroupName": 3, "thingTypeName": 25},
	"CreateThingGroupRequest":   {"parentGroupName": 20},
	"UpdateThingRequest":        {"expectedVersion": 15, "removeThingType": 15},
	"AddThingToThingGroupRequest": {
		"thingName": 97, "thingGroupName": 97, "thingArn": 3, "thingGroupArn": 3,
	},
	"RemoveThingFromThingGroupRequest":   {"thingName": 97, "thingGroupName": 97, "thingArn": 3, "thingGroupArn": 3},
	"AddThingToBillingGroupRequest":      {"thingName": 97, "billingGroupName": 97, "thingArn": 3, "billingGroupArn": 3},
	"RemoveThingFromBillingGroupRequest": {"thingName": 97, "billingGroupName": 97, "thingArn": 3, "billingGroupArn": 3},
	"UpdateThingGroupsForThingRequest":   {"thingName": 97, "thingGroupsToAdd": 60},
	"UpdateThingGroupRequest":            {"expectedVersion": 15},
	"DeleteThingRequest":                 {"expectedVersion": 15},
	"DeleteThingGroupRequest":            {"expectedVersion": 15},
	"RegisterCertificateRequest":         {"caCertificatePem": 30},
	"UpdatePackageVersionRequest":        {"action": 60, "attributes": 15, "artifact": 10, "recipe": 10},
	"BucketsAggregationType":             {"termsAggregation": 95},
	"UpdatePackageRequest":               {"defaultVersionName": 50, "unsetDefaultVersion": 15},
	"UpdateIndexingConfigurationRequest": {"thingIndexingConfiguration": 70},
	"ThingIndexingConfiguration":         {"thingConnectivityIndexingMode": 80, "namedShadowIndexingMode": 3, "deviceDefenderIndexingMode": 3, "filter": 3, "customFields": 10},
	"GetThingShadowRequest":              {"shadowName": 95},
	"VersionUpdateByJobsConfig":          {"enabled": 80, "roleArn": 97},
	"RegistrationConfig":                 {"templateName": 5},
	"ListTagsForResourceRequest":         {"nextToken": 2},
	"DescribeManagedJobTemplateRequest":  {"templateVersion": 15},
	"AuthInfo":                           {"actionType": 97},
	"TestAuthorizationRequest":           {"cognitoIdentityPoolId": 2, "principal": 95},
	"GetEffectivePoliciesRequest":        {"cognitoIdentityPoolId": 2, "principal": 95},
	"UpdateJobExecutionRequest":          {"expectedVersion": 20, "executionNumber": 15, "stepTimeoutInMinutes": 15},
}

// alternatives are members of which mostly exactly one should be given.
var alternatives = map[string][]alternative{
	"CreateJobRequest":         {{{"document", 84}, {"jobTemplateArn", 13}, {"documentSource", 3}}},
	"CreateJobTemplateRequest": {{{"document", 84}, {"jobArn", 13}, {"documentSource", 3}}},
}

// finish makes the members of a structure agree.
func (g *generator) finish(in *input, v *value) {
	switch v.name {
	case "RegisterCACertificateRequest": // needs a proof of possession of the key
		code, ok := g.known.one("RegistrationCode")
		root, proof, err := g.papers.newAuthority(code)
		if ok && err == nil {
			pem := v.get("caCertificate").shape
			v.drop("certificateMode")
			v.set("caCertificate", &value{shape: pem, literal: quote(root)})
			v.set("verificationCertificate", &value{shape: pem, literal: quote(proof)})
		}
	case "JobExecutionsRetryConfig": // a criterion for all failures must be the only one
		list := v.get("criteriaList")
		list.items = list.items[:1]
	case "RateIncreaseCriteria": // exactly one of the two
		if len(v.members) == 0 {
			v.set("numberOfNotifiedThings", g.value(in, "NumberOfThings", 0))
		}
	case "CreateJobRequest": // only a template has parameters
		if v.get("jobTemplateArn") == nil && g.likely(95) {
			v.drop("documentParameters")
		}
	}
}

func (g *generator) document() (string, bool) {
	if g.wild && g.likely(40) {
		return pick(g, `[]`, `no JSON`, `{"a":"${aws:iot:package::version::attributes}"}`, `{"a":"${aws:iot:package:packagename-0:version:$default:attributes:size}"}`, `{"a":"${aws:iot:no-such-kind}"}`, `{"url":"${aws:iot:s3-presigned-url:https://s3.eu-west-1.amazonaws.com/bucket/key}"}`), true
	}
	return pick(g,
		`{"do":"flash"}`,
		" { \"do\" : \"fl\\u00e4sh\" ,\n \"n\" : 1e3 , \"list\" : [ 1 , {\"a\":null} ] } ",
		`{"steps":[{"action":{"name":"r","type":"runHandler","input":{"handler":"x.sh"}}}]}`,
		`{"do":"ä€😀\u2028"}`, `{}`,
	), true
}

// release returns the ARN of a version of a package, or a placeholder for one.
func (g *generator) release() (string, bool) {
	arn, ok := g.known.one("PackageVersionArn")
	if at := strings.LastIndex(arn, "/"); ok && g.likely(20) {
		arn = arn[:at+1] + pick(g, "$default", "$null")
	}
	return arn, ok
}

func (g *generator) jobOrNext() (string, bool) {
	if g.likely(30) {
		return "$next", true
	}
	return g.common("JobId"), true
}

func (g *generator) dateTime() (string, bool) {
	soon := time.Duration(35+g.rand.IntN(3*60)) * time.Minute
	if g.wild {
		soon -= time.Hour
	}
	return g.now().Add(soon).UTC().Format(pick(g, "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05Z")), true
}

func (g *generator) policy() (string, bool) {
	const layout = `{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":%q,"Resource":%q}]}`
	if g.wild && g.likely(40) {
		return pick(g, `{}`, `{"Version":"2012-10-17"}`, `no policy`, `{"Version":"2012-10-17","Statement":[{"Effect":"Maybe"}]}`), true
	}
	return fmt.Sprintf(layout, pick(g, "Allow", "Deny"), pick(g, "iot:Connect", "iot:*", "iot:Publish"),
		pick(g, "*", "arn:aws:iot:eu-west-1:111122223333:topic/${iot:Connection.Thing.ThingName}/*")), true
}

func (g *generator) signingRequest() (string, bool) { return g.papers.request, true }

// certificate returns the certificate of a device, mostly a new one.
func (g *generator) certificate() (string, bool) {
	if g.likely(20) {
		return g.known.one("CertificatePem")
	}
	text, err := g.papers.device()
	return text, err == nil
}

// authorityID returns the id of a certificate authority.
func (g *generator) authorityID() (string, bool) {
	arn, ok := g.known.one(arns("cacert"))
	_, id, _ := strings.Cut(arn, "/")
	return id, ok
}
