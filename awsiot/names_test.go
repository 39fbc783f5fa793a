package awsiot

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/internal/wiregen"
	"github.com/muster-iot/muster/internal/wiregen/model"
	"github.com/muster-iot/muster/iotdata"
	"github.com/muster-iot/muster/sigv4"
)

// naming lists the shapes of strings that name a resource: a value of the shape
// and the ARN of what it names. "%" in an ARN is account and region.
var naming = map[string]struct{ value, arn string }{
	"BillingGroupName":         {"named", "%billinggroup/named"},
	"CertificateId":            {namedID, "%cert/" + namedID},
	"CertificatePem":           {"", ""}, // made by the test
	"ClientId":                 {"named", "%client/named"},
	"ConnectivityApiThingName": {"named", "%thing/named"},
	"IndexName":                {"named", "%index/named"},
	"JobArn":                   {arnPrefix + "job/named", "%job/named"},
	"JobDocumentSource":        {"s3://lab/named", "arn:aws:s3:::lab/named"},
	"JobId":                    {"named", "%job/named"},
	"JobTemplateArn":           {arnPrefix + "jobtemplate/named", "%jobtemplate/named"},
	"JobTemplateId":            {"named", "%jobtemplate/named"},
	"ManagedJobTemplateName":   {"named", "arn:aws:iot:eu-west-1::jobtemplate/named:"},
	"PackageName":              {"named", "%package/named"},
	"PackageVersionArn":        {arnPrefix + "package/named/version/1", "%package/named/version/1"},
	"PolicyName":               {"named", "%policy/named"},
	"PolicyTarget":             {arnPrefix + "thinggroup/named", "%thinggroup/named"},
	"Principal":                {arnPrefix + "cert/" + namedID, "%cert/" + namedID},
	"ResourceArn":              {arnPrefix + "thinggroup/named", "%thinggroup/named"},
	"S3Key":                    {"named", "arn:aws:s3:::lab/named"},
	"TargetArn":                {arnPrefix + "thing/named", "%thing/named"},
	"TemplateName":             {"named", "%provisioningtemplate/named"},
	"ThingArn":                 {arnPrefix + "thing/named", "%thing/named"},
	"ThingGroupArn":            {arnPrefix + "thinggroup/named", "%thinggroup/named"},
	"ThingGroupId":             {"named", "%thinggroup/named"},
	"ThingGroupName":           {"named", "%thinggroup/named"},
	"ThingName":                {"named", "%thing/named"},
	"ThingTypeName":            {"named", "%thingtype/named"},
	"Topic":                    {"named", "%topic/named"},
	"VersionName":              {"named", "%package/other/version/named"},

	"DescribeJobExecutionJobId": {"named", "%job/named"},
	"ResponseTopic":             {"named", "%topic/named"},
}

// elsewhere are members that name another kind of resource than their shape says.
var elsewhere = map[string]string{
	"DeleteCACertificate.certificateId":    "%cacert/" + namedID,
	"DescribeCACertificate.certificateId":  "%cacert/" + namedID,
	"UpdateCACertificate.certificateId":    "%cacert/" + namedID,
	"ListCertificatesByCA.caCertificateId": "%cacert/" + namedID,
}

// exempt are members that name a resource but need no permission, with the reason.
var exempt = map[string]string{
	"ListJobs.thingGroupId":                         "an id that says no name; it narrows a list that the caller may have whole",
	"ListThingGroups.namePrefixFilter":              "a prefix that narrows a list that the caller may have whole",
	"ListManagedJobTemplates.templateName":          "managed templates are part of the server and the same for everyone",
	"TestAuthorization.clientId":                    "a question about a client that may not exist; the principal is what is asked for",
	"Publish.responseTopic":                         "a word to the receivers: nothing is published there",
	"DescribeJobExecution.jobId data":               "the execution is the thing's own, and things are what AWS authorises here",
	"UpdateJobExecution.jobId data":                 "the execution is the thing's own, and things are what AWS authorises here",
	"RegisterCACertificate.verificationCertificate": "a proof that is checked and forgotten; it is registered nowhere",
}

// nameless are the shapes of strings that do not name a resource, with what they
// hold.
var nameless = map[string]string{
	"AggregationField": "a field of the index, which is what is asked for", "FieldName": "a field of the index", "TargetFieldName": "a field of the index",
	"AttributeName": "an attribute of a thing or group that is asked for", "AttributeValue": "its value",
	"CertificateSigningRequest": "a key and a subject that nothing is registered for yet",
	"ClientToken":               "tells a repetition", "Marker": "a place in a list that is authorised again", "NextToken": "a place in a list that is authorised again",
	"CognitoIdentityPoolId": "refused: there are none", "Comment": "free text", "ReasonCode": "free text", "JobDescription": "free text",
	"ResourceDescription": "free text", "ThingGroupDescription": "free text", "ThingTypeDescription": "free text",
	"ConnectionAttributeName": "a word from a fixed list", "UserPropertyKeyName": "a key of MQTT messages",
	"ContentType": "of a message", "CorrelationData": "of a message", "UserProperties": "of a message",
	"CronExpression": "a time", "StringDateTime": "a time", "EndpointType": "a word from a fixed list",
	"DetailsKey": "free text", "DetailsValue": "free text",
	"JobDocument":  "its placeholders name files and packages: TestTheMakerOfAJobMustHaveItsFiles",
	"ParameterKey": "of a managed template", "ParameterValue": "its placeholders name files: TestTheMakerOfAJobMustHaveItsFiles",
	"ManagedTemplateVersion": "part of the name of a template that is asked for",
	"NamespaceId":            "sorts the jobs of a thing; AWS has no ARN for one",
	"PackageVersionRecipe":   "free text", "ResourceAttributeKey": "of a package version that is asked for",
	"ResourceAttributeValue": "its placeholders name files, which the maker of a job must have",
	"PolicyDocument":         "rights that count for what the policy is attached to", "PolicyVersionId": "a version of a policy that is asked for",
	"QueryString": "a query to an index, which is what is asked for", "QueryVersion": "a word from a fixed list",
	"Resource": "compared with the text of policies, and not looked up",
	"RoleArn":  "echoed and never used",
	"S3Bucket": "stands with a key, which is asked for in it", "S3Version": "stands with a key, and has the action of its own: TestTheMakerOfAJobMustHaveItsFiles",
	"ShadowName": "there are no named shadows", "TemplateBody": "kept and shown; nothing is provisioned by it",
	"TagKey": "of a resource that is asked for", "TagValue": "of a resource that is asked for",
}

var namedID = strings.Repeat("cd", 32)

// TestEveryNamedResourceIsAuthorised goes through every member of the input of every
// operation that is served, on all planes. For a member that names a resource it
// makes a call with a key that may do everything except to that resource: the call
// must be refused. Without the exception it must not be refused.
func TestEveryNamedResourceIsAuthorised(t *testing.T) {
	keys := &testKeys{}
	env := newEnvWith(t, Options{Keys: keys, Documents: someDocuments{}}) // which permits are asked for before what is there
	env.key = limited
	jobs := dataplane.New(dataplane.Options{Jobs: env.service.Jobs, Account: testAccount, Now: time.Now})
	env.server.o.DataPlane = jobs.HTTP()
	env.server.o.Messages = iotdata.New(iotdata.Options{Broker: silentBroker{}, Account: testAccount, Now: time.Now})
	seen := map[string]bool{}
	for _, op := range Implemented() {
		api := loadModel(t, op.Service)
		input := api.Operations[op.Name].Input
		if input == nil {
			continue
		}
		for place, shape := range stringsIn(api, input.Shape) {
			member := op.Name + "." + place
			if op.Service != wire.ControlPlane && shape == "JobId" || shape == "DescribeJobExecutionJobId" {
				member += " data"
			}
			row, names := naming[shape]
			seen[shape], seen[member] = true, true
			switch {
			case !names && nameless[shape] == "":
				t.Errorf("%s has the shape %s: say in naming what it names, or in nameless why it names nothing", member, shape)
				continue
			case !names || exempt[member] != "":
				continue
			}
			if shape == "CertificatePem" {
				row.value, row.arn = somePEM(t, member)
			}
			if arn := elsewhere[member]; arn != "" {
				row.arn = arn
			}
			denied := strings.ReplaceAll(row.arn, "%", arnPrefix)
			m := sample{api: api, chosen: place, value: row.value}
			keys.policy = everything
			if got := m.send(env, op, input.Shape); got.status == http.StatusForbidden {
				t.Errorf("%s: a key that may do everything is refused: %s", member, got.body)
			}
			keys.policy = allBut(denied)
			if got := m.send(env, op, input.Shape); got.status != http.StatusForbidden {
				t.Errorf("%s: a key that may do nothing to %s is answered %d %s %s, want 403", member, denied, got.status, got.errorType(), got.body)
			}
		}
	}
	for _, rows := range [][]string{slices.Collect(maps.Keys(naming)), slices.Collect(maps.Keys(nameless)), slices.Collect(maps.Keys(exempt)), slices.Collect(maps.Keys(elsewhere))} {
		for _, row := range rows {
			if !seen[row] {
				t.Errorf("no member of any operation is %s: remove its row", row)
			}
		}
	}
}

// allBut returns a policy that allows everything except on arn.
func allBut(arn string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":%q}]}`, arn)
}

func loadModel(t *testing.T, service wire.Service) *model.API {
	t.Helper()
	api, err := wiregen.Load(map[wire.Service]string{wire.ControlPlane: model.ControlPlane, wire.JobsData: model.JobsData, wire.IoTData: model.IoTData}[service])
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// stringsIn returns the strings that a structure can hold, at any depth: the names of
// their shapes by their places, such as "targets[]".
func stringsIn(api *model.API, structure string) map[string]string {
	found := map[string]string{}
	var walk func(name, place string, above []string)
	walk = func(name, place string, above []string) {
		if slices.Contains(above, name) {
			return
		}
		above = append(slices.Clone(above), name)
		switch shape := api.Shapes[name]; shape.Type {
		case "structure":
			for member, ref := range shape.Members {
				walk(ref.Shape, strings.TrimPrefix(place+"."+member, "."), above)
			}
		case "list":
			walk(shape.Element.Shape, place+"[]", above)
		case "map":
			walk(shape.Key.Shape, place+"{}", above)
			walk(shape.Value.Shape, place+"{}.", above)
		case "string":
			if len(shape.Enum) == 0 {
				found[place] = name
			}
		}
	}
	walk(structure, "", nil)
	return found
}

// sample makes an input of the required members and one chosen member.
type sample struct {
	api    *model.API
	chosen string // its place
	value  string
}

func (m sample) send(env *env, op *wire.Operation, structure string) reply {
	env.t.Helper()
	path, query, header, body := op.Path, url.Values{}, http.Header{}, map[string]any{}
	var payload []byte
	for name, ref := range m.api.Shapes[structure].Members {
		value, ok := m.member(structure, name, "")
		if !ok {
			continue
		}
		switch at := ref.LocationName; ref.Location {
		case "uri":
			path = strings.NewReplacer("{"+at+"}", url.PathEscape(fmt.Sprint(value)), "{"+at+"+}", url.PathEscape(fmt.Sprint(value))).Replace(path)
		case "querystring":
			query.Set(at, fmt.Sprint(value))
		case "header":
			header.Set(at, fmt.Sprint(value))
		default:
			body[cmp.Or(at, name)] = value
		}
	}
	if len(body) > 0 {
		payload, _ = json.Marshal(body)
	}
	if op.Name == "UpdateCertificate" {
		query.Set("newStatus", "ACTIVE")
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	r := httptest.NewRequest(op.Method, path, bytes.NewReader(payload))
	maps.Copy(r.Header, header)
	sigv4.Sign(r, payload, env.key, testAccount.Region, string(op.Service), env.clock().Time())
	rec := httptest.NewRecorder()
	env.server.ServeHTTP(rec, r)
	return reply{rec.Code, rec.Header(), rec.Body.String()}
}

// member returns a value for a member that is required or leads to the chosen one.
func (m sample) member(structure, name, place string) (any, bool) {
	shape := m.api.Shapes[structure]
	at := strings.TrimPrefix(place+"."+name, ".")
	rest, leads := strings.CutPrefix(m.chosen, at)
	leads = leads && (rest == "" || strings.ContainsAny(rest[:1], ".[{"))
	if !leads && !slices.Contains(shape.Required, name) && !slices.Contains(besides[m.chosen], at) {
		return nil, false
	}
	return m.of(shape.Members[name].Shape, at), true
}

// besides are the members that a chosen member needs beside it to make sense.
var besides = map[string][]string{
	"artifact.s3Location.key": {"artifact.s3Location.bucket"},
	"thingArn":                {"thingGroupName"}, "thingGroupArn": {"thingName"}, "thingName": {"thingGroupName"}, "thingGroupName": {"thingName"},
}

// of returns a value of a shape.
func (m sample) of(name, at string) any {
	switch shape := m.api.Shapes[name]; shape.Type {
	case "structure":
		all := map[string]any{}
		for member := range shape.Members {
			if value, ok := m.member(name, member, at); ok {
				all[cmp.Or(shape.Members[member].LocationName, member)] = value
			}
		}
		return all
	case "list":
		return []any{m.of(shape.Element.Shape, at+"[]")}
	case "map":
		return map[string]any{fmt.Sprint(m.of(shape.Key.Shape, at+"{}")): m.of(shape.Value.Shape, at+"{}.")}
	case "string":
		return m.text(name, shape, at)
	case "boolean":
		return true
	case "integer", "long", "double", "float":
		if shape.Min != nil {
			return max(1, int(*shape.Min))
		}
		return 1
	}
	return ""
}

func (m sample) text(name string, shape *model.Shape, at string) string {
	switch {
	case at == m.chosen:
		return m.value
	case len(shape.Enum) > 0:
		return shape.Enum[0]
	case name == "CertificateId":
		return someID
	case name == "S3Bucket":
		return "lab"
	case name == "PolicyVersionId":
		return "1"
	case strings.HasSuffix(name, "Arn"), name == "PolicyTarget", name == "Principal":
		return arnPrefix + map[string]string{"TargetArn": "thing/other", "PolicyTarget": "thinggroup/other", "Principal": "cert/" + someID}[name]
	}
	return "other"
}

// somePEM returns a certificate, and the ARN that a member with it names.
func somePEM(t *testing.T, member string) (text, arn string) {
	t.Helper()
	c := testIssuer().Certificate
	kind := "cacert"
	if strings.HasSuffix(member, ".certificatePem") {
		kind = "cert"
	}
	return c.PEM, "%" + kind + "/" + string(c.ID)
}

// silentBroker accepts everything and keeps nothing.
type silentBroker struct{}

func (silentBroker) PublishAs(_ context.Context, a gateway.Grant, m gateway.Message) error {
	if a.Publish(m.Topic, m.Retain) != nil {
		return gateway.ErrRefused
	}
	return nil
}
func (silentBroker) Retained(string) (gateway.Retained, bool)     { return gateway.Retained{}, false }
func (silentBroker) RetainedAfter(string, int) []gateway.Retained { return nil }
func (silentBroker) DisconnectClient(context.Context, string, bool, bool) (bool, error) {
	return false, nil
}
