package awsiot

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
)

// secret is in everything that a record must not show.
const secret = "sEcReT-7f3a"

// written returns all that is in the tables of a service, but for those of its audit records.
func (env *env) written() map[string]string {
	env.t.Helper()
	all := map[string]string{}
	err := env.store.View(env.t.Context(), func(r store.Reader) error {
		for _, table := range auditedTables() {
			for row, err := range r.Scan(table, "", "") {
				if err != nil {
					return err
				}
				all[string(table)+" "+row.Key] = string(row.Value)
			}
		}
		for x, err := range r.AllExecutions() {
			if err != nil {
				return err
			}
			all[fmt.Sprint("execution ", store.Key(x))] = fmt.Sprint(x)
		}
		return nil
	})
	if err != nil {
		env.t.Fatal(err)
	}
	return all
}

// auditedTables are those whose records people change.
func auditedTables() []store.Table {
	return []store.Table{
		"thing", "type", "group", "member", "groupof", "indexing", "certificate", "ca", "policy", "policytarget", "principal", "package", "packageversion", "packageconfig",
		"job", "document", "template", "tag", "events", "setting", "alarm", "deletion", "dynamic",
	}
}

// records returns all audit records, the newest first.
func (env *env) records(q audit.Query) (all []audit.Record) {
	env.t.Helper()
	for {
		page, err := env.service.Audit.Lookup(env.t.Context(), q)
		if err != nil {
			env.t.Fatal(err)
		}
		if all = append(all, page.Records...); page.Next == "" {
			return all
		}
		q.Token = page.Next
	}
}

// step is a request of a life of the service.
type step struct{ method, target, body string }

// TestEveryChangeHasOneRecord plays every operation that writes. Each request that has changed something has one record of
// it, with its key and what it names, and a request that has not changed anything has none. Nothing that is secret is in any of them.
func TestEveryChangeHasOneRecord(t *testing.T) {
	env := newEnv(t)
	document := fmt.Sprintf("%q", `{"run":"`+secret+`"}`)
	policy := fmt.Sprintf("%q", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:eu-west-1:111122223333:client/`+secret+`"}]}`)
	newer := fmt.Sprintf("%q", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:Connect","Resource":"arn:aws:iot:eu-west-1:111122223333:client/`+secret+`"}]}`)
	acme := newSigner(t, "acme")
	spare := newSigner(t, "spare")
	lamp := acme.device(t, "lamp")
	alone := newSigner(t, "device").device(t, "alone")
	lampCert, aloneCert := testAccount.ARN("cert", lamp.id()), testAccount.ARN("cert", alone.id())
	header := func(principal string) http.Header { return http.Header{"X-Amzn-Principal": {principal}} }
	code := said(t, env.must("GET", "/registrationcode", ""), "registrationCode") // makes one
	made := said(t, env.must("POST", "/keys-and-certificate?setAsActive=false", ""), "certificateId")
	seen := map[string]bool{"CreateKeysAndCertificate": true, "GetRegistrationCode": true}
	known := map[string]bool{}
	for _, r := range env.records(audit.Query{}) {
		known[r.RequestID] = true
		if !seen[r.Operation] {
			t.Errorf("there is a record of %s, which has not been called", r.Operation)
		}
	}
	if len(known) != 2 {
		t.Errorf("a code and a certificate have the records %v", known)
	}
	thing, group := arnPrefix+"thing/lamp", arnPrefix+"thinggroup/hall"
	for i, s := range []struct {
		step
		header http.Header
		named  []string // in the record, without the prefix of an ARN; nil: nothing is changed
	}{
		{step{"POST", "/thing-types/bulb", `{"thingTypeProperties":{"thingTypeDescription":"d"}}`}, nil, []string{"thingtype/bulb"}},
		{step{"PATCH", "/thing-types/bulb", `{"thingTypeProperties":{"thingTypeDescription":"e"}}`}, nil, []string{"thingtype/bulb"}},
		{step{"POST", "/things/lamp", `{"thingTypeName":"bulb","attributePayload":{"attributes":{"site":"north"}}}`}, nil, []string{"thing/lamp", "thingtype/bulb"}},
		{step{"POST", "/things/lamp", `{"thingTypeName":"bulb","attributePayload":{"attributes":{"site":"north"}}}`}, nil, nil},
		{step{"PATCH", "/things/lamp", `{"attributePayload":{"attributes":{"site":"south"}}}`}, nil, []string{"thing/lamp"}},
		{step{"PATCH", "/things/none", `{"attributePayload":{"attributes":{"site":"south"}}}`}, nil, nil},
		{step{"POST", "/things/pump", ``}, nil, []string{"thing/pump"}},
		{step{"POST", "/thing-groups/hall", `{}`}, nil, []string{"thinggroup/hall"}},
		{step{"PATCH", "/thing-groups/hall", `{"thingGroupProperties":{"thingGroupDescription":"d"}}`}, nil, []string{"thinggroup/hall"}},
		{step{"PUT", "/thing-groups/addThingToThingGroup", `{"thingName":"lamp","thingGroupName":"hall"}`}, nil, []string{"thing/lamp", "thinggroup/hall"}},
		{step{"PUT", "/thing-groups/addThingToThingGroup", `{"thingName":"lamp","thingGroupName":"hall"}`}, nil, nil},
		{step{"PUT", "/thing-groups/updateThingGroupsForThing", `{"thingName":"pump","thingGroupsToAdd":["hall"]}`}, nil, []string{"thing/pump", "thinggroup/hall"}},
		{step{"POST", "/indexing/config", `{"thingIndexingConfiguration":{"thingIndexingMode":"REGISTRY"}}`}, nil, []string{}},
		{step{"POST", "/dynamic-thing-groups/north", `{"queryString":"attributes.site:north"}`}, nil, []string{"index/AWS_Things", "thinggroup/north"}},
		{step{"PATCH", "/dynamic-thing-groups/north", `{"thingGroupProperties":{},"queryString":"attributes.site:s*"}`}, nil, []string{"index/AWS_Things", "thinggroup/north"}},
		{step{"POST", "/tags", `{"resourceArn":"` + group + `","tags":[{"Key":"a","Value":"b"}]}`}, nil, []string{"thinggroup/hall"}},
		{step{"POST", "/untag", `{"resourceArn":"` + group + `","tagKeys":["a"]}`}, nil, []string{"thinggroup/hall"}},

		{step{"POST", "/policies/p", `{"policyDocument":` + policy + `}`}, nil, []string{"policy/p"}},
		{step{"POST", "/policies/p/version?setAsDefault=false", `{"policyDocument":` + newer + `}`}, nil, []string{"policy/p"}},
		{step{"PATCH", "/policies/p/version/2", ""}, nil, []string{"policy/p"}},
		{step{"DELETE", "/policies/p/version/1", ""}, nil, []string{"policy/p"}},
		{step{"PUT", "/target-policies/p", `{"target":"` + group + `"}`}, nil, []string{"policy/p", "thinggroup/hall"}},
		{step{"POST", "/target-policies/p", `{"target":"` + group + `"}`}, nil, []string{"policy/p", "thinggroup/hall"}},

		{step{"POST", "/cacertificate?setAsActive=true", object(map[string]any{"caCertificate": acme.PEM, "verificationCertificate": acme.device(t, code).PEM,
			"registrationConfig": map[string]any{"templateBody": `{"a":"` + secret + `"}`}})}, nil, []string{"cacert/" + acme.id()}},
		{step{"PUT", "/cacertificate/" + acme.id() + "?newAutoRegistrationStatus=ENABLE", ""}, nil, []string{"cacert/" + acme.id()}},
		{step{"POST", "/cacertificate?setAsActive=false", object(map[string]any{"caCertificate": spare.PEM, "verificationCertificate": spare.device(t, code).PEM})}, nil, []string{"cacert/" + spare.id()}},
		{step{"DELETE", "/cacertificate/" + spare.id(), ""}, nil, []string{"cacert/" + spare.id()}},
		{step{"DELETE", "/registrationcode", ""}, nil, []string{}},
		{step{"POST", "/certificate/register", object(map[string]any{"certificatePem": lamp.PEM, "status": "ACTIVE"})}, nil, []string{"cert/" + lamp.id()}},
		{step{"POST", "/certificate/register-no-ca", object(map[string]any{"certificatePem": alone.PEM, "status": "INACTIVE"})}, nil, []string{"cert/" + alone.id()}},
		{step{"POST", "/certificates", object(map[string]any{"certificateSigningRequest": newCSR(t, "new", newKey(t))})}, nil, []string{}},
		{step{"PUT", "/certificates/" + made + "?newStatus=ACTIVE", ""}, nil, []string{"cert/" + made}},
		{step{"PUT", "/certificates/" + made + "?newStatus=INACTIVE", ""}, nil, []string{"cert/" + made}},
		{step{"DELETE", "/certificates/" + made, ""}, nil, []string{"cert/" + made}},
		{step{"PUT", "/principal-policies/p", ""}, http.Header{"X-Amzn-Iot-Principal": {lampCert}}, []string{"policy/p", "cert/" + lamp.id()}},
		{step{"DELETE", "/principal-policies/p", ""}, http.Header{"X-Amzn-Iot-Principal": {lampCert}}, []string{"policy/p", "cert/" + lamp.id()}},
		{step{"PUT", "/things/lamp/principals", ""}, header(aloneCert), []string{"thing/lamp", "cert/" + alone.id()}},
		{step{"DELETE", "/things/lamp/principals", ""}, header(aloneCert), []string{"thing/lamp", "cert/" + alone.id()}},
		{step{"DELETE", "/policies/p", ""}, nil, []string{"policy/p"}},
		{step{"PATCH", "/event-configurations", `{"eventConfigurations":{"THING":{"Enabled":true}}}`}, nil, []string{}},

		{step{"PUT", "/packages/app", `{"description":"c"}`}, nil, []string{"package/app"}},
		{step{"PATCH", "/packages/app", `{"description":"d"}`}, nil, []string{"package/app"}},
		{step{"PUT", "/packages/app/versions/1", `{"recipe":"` + secret + `"}`}, nil, []string{"package/app", "package/app/version/1"}},
		{step{"PATCH", "/packages/app/versions/1", `{"action":"PUBLISH"}`}, nil, []string{"package/app", "package/app/version/1"}},
		{step{"PATCH", "/package-configuration", `{"versionUpdateByJobsConfig":{"enabled":true,"roleArn":"arn:aws:iam::111122223333:role/r"}}`}, nil, []string{}},
		{step{"DELETE", "/packages/app/versions/1", ""}, nil, []string{"package/app", "package/app/version/1"}},
		{step{"DELETE", "/packages/app", ""}, nil, []string{"package/app"}},

		{step{"PUT", "/job-templates/t", `{"description":"d","document":` + document + `}`}, nil, []string{"jobtemplate/t"}},
		{step{"DELETE", "/job-templates/t", ""}, nil, []string{"jobtemplate/t"}},
		{step{"PUT", "/jobs/fw", `{"targets":["` + thing + `"],"document":` + document + `,"tags":[{"Key":"k","Value":"v"}]}`}, nil, []string{"job/fw", "thing/lamp"}},
		{step{"PUT", "/jobs/fw", `{"targets":["` + thing + `"],"document":` + document + `}`}, nil, nil},
		{step{"PATCH", "/jobs/fw", `{"timeoutConfig":{"inProgressTimeoutInMinutes":7}}`}, nil, []string{"job/fw"}},
		{step{"PUT", "/things/lamp/jobs/fw/cancel", ""}, nil, []string{"thing/lamp", "job/fw"}},
		{step{"DELETE", "/things/lamp/jobs/fw/executionNumber/1", ""}, nil, []string{"thing/lamp", "job/fw"}},
		{step{"PUT", "/jobs/all", `{"targetSelection":"CONTINUOUS","targets":["` + group + `"],"document":` + document + `}`}, nil, []string{"job/all", "thinggroup/hall"}},
		{step{"POST", "/jobs/all/targets", `{"targets":["` + thing + `"]}`}, nil, []string{"job/all", "thing/lamp"}},
		{step{"PUT", "/jobs/all/cancel", `{"comment":"c","reasonCode":"R1"}`}, nil, []string{"job/all"}},
		{step{"PUT", "/jobs/all/cancel", `{"comment":"c","reasonCode":"R1"}`}, nil, nil},
		{step{"DELETE", "/jobs/all?force=true", ""}, nil, []string{"job/all"}},
		{step{"GET", "/jobs/fw", ""}, nil, nil},
		{step{"POST", "/indices/search", `{"queryString":"*"}`}, nil, nil},

		{step{"PUT", "/thing-groups/removeThingFromThingGroup", `{"thingName":"lamp","thingGroupName":"hall"}`}, nil, []string{"thing/lamp", "thinggroup/hall"}},
		{step{"DELETE", "/dynamic-thing-groups/north", ""}, nil, []string{"thinggroup/north"}},
		{step{"DELETE", "/thing-groups/hall", ""}, nil, []string{"thinggroup/hall"}},
		{step{"DELETE", "/things/lamp", ""}, nil, []string{"thing/lamp"}},
		{step{"POST", "/thing-types/bulb/deprecate", `{}`}, nil, []string{"thingtype/bulb"}},
		{step{"DELETE", "/thing-types/bulb", ""}, nil, []string{"thingtype/bulb"}},
		{step{"DELETE", "/thing-types/bulb", ""}, nil, nil},
	} {
		if i%3 == 0 {
			env.pass(1)
		}
		m, err := env.router.Match("iot", s.method, strings.SplitN(s.target, "?", 2)[0])
		if err != nil {
			t.Fatal(err)
		}
		operation := m.Operation.Name
		env.settle()
		for _, r := range env.records(audit.Query{}) { // of what was refused before
			known[r.RequestID] = true
		}
		before := env.written()
		got := env.sendWith(s.header, s.method, s.target, s.body)
		changed := !maps.Equal(before, env.written())
		seen[operation] = seen[operation] || changed
		var fresh []audit.Record
		for _, r := range env.records(audit.Query{}) {
			if !known[r.RequestID] {
				fresh = append(fresh, r)
			}
			if strings.Contains(fmt.Sprint(r), secret) {
				t.Fatalf("the record of %s shows a secret: %+v", r.Operation, r)
			}
		}
		if changed != (s.named != nil) || changed != (got.status == http.StatusOK && len(fresh) > 0) {
			t.Errorf("%s is answered %d %s; it changed something: %t, and has the records %+v", operation, got.status, got.body, changed, fresh)
			continue
		}
		if !changed {
			if len(fresh) > 0 {
				t.Errorf("%s has changed nothing and has the records %+v", operation, fresh)
			}
			continue
		}
		r := fresh[0]
		var named []string
		for _, arn := range r.Resources {
			named = append(named, strings.TrimPrefix(arn, arnPrefix))
		}
		slices.Sort(named)
		slices.Sort(s.named)
		if len(fresh) != 1 || r.Operation != operation || r.RequestID != got.header.Get("X-Amzn-Requestid") || r.AccessKeyID != admin.AccessKeyID || r.User != "AKIDADMIN" || r.Service != "iot" ||
			r.Outcome != audit.Done || r.Address == "" || !slices.Equal(named, s.named) {
			t.Errorf("%s has the records %+v, want one that names %v", operation, fresh, s.named)
		}
		if len(r.Changes) == 0 && !showsNothing[operation] {
			t.Errorf("the record of %s shows no change", operation)
		}
		for _, arn := range r.Resources {
			if found := env.records(audit.Query{Resource: arn, Principal: "AKIDADMIN", Operation: operation}); !slices.ContainsFunc(found, func(f audit.Record) bool { return f.RequestID == r.RequestID }) {
				t.Errorf("the record of %s is not found by %s", operation, arn)
			}
		}
	}
	for _, op := range controlPlane() {
		if _, writes := useOf(op.Name); writes && !seen[op.Name] {
			t.Errorf("%s has not changed anything here", op.Name)
		}
	}
}

// showsNothing are the operations of whose changes no field may be shown, or has one.
var showsNothing = map[string]bool{"DeleteRegistrationCode": true}

// Refused requests of whoever has proven a key are recorded: those that a policy refuses, and changes that the service refuses.
func TestRefusedRequestsAreRecorded(t *testing.T) {
	keys := &testKeys{allBut(arnPrefix + "thing/safe")}
	env := newEnvWith(t, Options{Keys: keys})
	env.thing("lamp", "safe")
	env.key = limited
	for _, s := range []step{
		{"DELETE", "/things/safe", ""}, {"DELETE", "/things/safe", ""}, {"GET", "/things/safe", ""}, // by policy
		{"GET", "/things/none", ""}, // reads
		{"PATCH", "/things/none", `{"attributePayload":{"attributes":{"site":"south"}}}`}, // changes
		{"POST", "/things/lamp?x", `{"thingTypeName":5}`},
	} {
		env.send(s.method, s.target, s.body)
		env.pass(100)
	}
	env.key = sigv4.Credential{AccessKeyID: limited.AccessKeyID, Secret: "wrong"}
	env.send("DELETE", "/things/lamp", "")
	env.pass(2000)
	env.settle()
	var got []string
	for _, r := range env.records(audit.Query{Principal: limited.AccessKeyID}) {
		got = append(got, fmt.Sprintf("%s %s %s %v x%d", r.Outcome, r.Operation, r.Error, r.Resources, max(r.Count, 1)))
	}
	slices.Reverse(got)
	want := []string{
		"refused DeleteThing AccessDeniedException [" + arnPrefix + "thing/safe] x2",
		"refused DescribeThing AccessDeniedException [" + arnPrefix + "thing/safe] x1",
		"failed UpdateThing ResourceNotFoundException [" + arnPrefix + "thing/none] x1",
		"failed CreateThing InvalidRequestException [] x1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the records are\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if all := env.records(audit.Query{}); len(all) != len(want) {
		t.Errorf("there are %d records, want %d", len(all), len(want))
	}
}

func TestWithoutAuthenticationEverybodyIsAnonymous(t *testing.T) {
	env := newEnvWith(t, Options{AuthNone: true})
	r := httptest.NewRequest("POST", "http://localhost/things/lamp", nil)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDADMIN/20260918/eu-west-1/iot/aws4_request, SignedHeaders=host, Signature=00")
	if got := env.serve(r); got.status != http.StatusOK {
		t.Fatalf("CreateThing = %d %s", got.status, got.body)
	}
	all := env.records(audit.Query{})
	if len(all) != 1 || all[0].User != "anonymous" || all[0].AccessKeyID != "" {
		t.Errorf("the records are %+v, want one of anonymous", all)
	}
}
