package authz

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/rights"
)

// short formats an explanation in one line.
func short(e iotpolicy.Explanation) string {
	var policies []string
	for _, p := range e.Policies {
		policies = append(policies, fmt.Sprintf("%s/%s %s %s", p.Name, p.Version, p.Decision, p.Statement))
	}
	return fmt.Sprintf("%v %s by %s/%s %s as %q missing%v of [%s]", e.Allowed, e.Decision, e.Policy, e.Statement, e.Refused, e.Thing, e.Missing, strings.Join(policies, ", "))
}

func TestExplain(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	der, id := w.device("pump-7", 0, w.now.Add(time.Hour), nil)
	w.must(w.Rights.AddCertificate(ctx, muster.Certificate{
		ID: id, PEM: pemOf(der), Status: muster.CertificateActive,
		NotBefore: muster.At(w.now), NotAfter: muster.At(w.now.Add(time.Hour)),
	}))
	w.ok(w.Rights.AttachPrincipal(ctx, "lamp", id, muster.Attachment{}))
	w.must(w.Registry.CreateThingGroup(ctx, muster.Group{Name: "all"}, nil))
	w.ok(w.Registry.AddThingToThingGroup(ctx, "lamp", "all"))
	w.allow("own", `{"Statement":[{"Sid":"itself","Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/${iot:Connection.Thing.ThingName}"},
		{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/${iot:Certificate.Subject.CommonName}"}]}`, rights.PolicyTarget{Certificate: id})
	w.allow("every", `{"Statement":{"Sid":"never","Effect":"Deny","Action":"iot:*","Resource":"arn:aws:iot:*:*:topic/secret"}}`, rights.PolicyTarget{Group: "all"})
	w.must(w.Rights.CreatePolicyVersion(ctx, "every", `{"Statement":{"Sid":"never","Effect":"Deny","Action":"iot:*","Resource":"arn:aws:iot:*:*:topic/secret"}}`, true))
	admin, err := iotpolicy.Parse("admin[0]", `{"Statement":{"Effect":"Allow","Action":"iot:Create*","Resource":"*"}}`)
	w.ok(err)
	w.a.o.Keys = func(key string) (identity.Caller, error) {
		if key == "AKIA1" {
			return identity.Caller{ARN: "arn:aws:iam::123456789012:user/ann", Policies: iotpolicy.Set{admin}}, nil
		}
		return identity.Caller{}, identity.ErrUnknownKey
	}
	deactivate := func() { w.ok(w.Rights.UpdateCertificate(ctx, id, muster.CertificateInactive)) }
	for _, test := range []struct {
		name  string
		first func()
		q     iotpolicy.Question
		want  string
	}{
		{"the statement that allows", nil, iotpolicy.Question{Who: string(id), ClientID: "lamp", Action: "iot:Publish", Resource: "topic/lamp"},
			`true ALLOWED by own/itself  as "lamp" missing[] of [every/2 IMPLICIT_DENY , own/1 ALLOWED itself]`},
		{"a whole ARN, and the id in another spelling", nil,
			iotpolicy.Question{Who: "arn:aws:iot:eu-west-1:123456789012:cert/0x" + strings.ToUpper(string(id)), ClientID: "lamp", Action: "iot:Publish", Resource: "arn:aws:iot:eu-west-1:123456789012:topic/pump-7"},
			`true ALLOWED by own/#1  as "lamp" missing[] of [every/2 IMPLICIT_DENY , own/1 ALLOWED #1]`},
		{"the statement that denies", nil, iotpolicy.Question{Who: string(id), ClientID: "lamp", Action: "iot:Publish", Resource: "topic/secret"},
			`false EXPLICIT_DENY by every/never  as "lamp" missing[] of [every/2 EXPLICIT_DENY never, own/1 IMPLICIT_DENY ]`},
		{"over HTTPS there is no thing", nil, iotpolicy.Question{Who: string(id), Action: "iot:Publish", Resource: "topic/lamp"},
			`false IMPLICIT_DENY by /  as "" missing[iot:Connection.Thing.ThingName] of [own/1 IMPLICIT_DENY ]`},
		{"an access key", nil, iotpolicy.Question{Who: "AKIA1", Action: "iot:CreateJob", Resource: "job/j"},
			`true ALLOWED by admin[0]/#0  as "" missing[] of [admin[0]/ ALLOWED #0]`},
		{"a certificate that is not active", deactivate, iotpolicy.Question{Who: string(id), ClientID: "lamp", Action: "iot:Publish", Resource: "topic/lamp"},
			`false ALLOWED by own/itself the certificate is INACTIVE as "lamp" missing[] of [every/2 IMPLICIT_DENY , own/1 ALLOWED itself]`},
	} {
		if test.first != nil {
			test.first()
		}
		got, err := w.a.Explain(ctx, test.q)
		if err != nil || short(got) != test.want {
			t.Errorf("%s: Explain(%+v) =\n %s, %v; want\n %s", test.name, test.q, short(got), err, test.want)
		}
	}
	for kind, q := range map[muster.Kind]iotpolicy.Question{
		muster.NotFound: {Who: "AKIA2", Action: "iot:Publish", Resource: "topic/lamp"},
		muster.Invalid:  {Who: "AKIA1", Action: "iot:Publish"},
	} {
		_, err := w.a.Explain(ctx, q)
		if e := (*muster.Error)(nil); !errors.As(err, &e) || e.Kind != kind {
			t.Errorf("Explain(%+v): %v, want an error of kind %d", q, err, kind)
		}
	}
}
