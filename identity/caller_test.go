package identity_test

import (
	"errors"
	"testing"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/iotpolicy"
)

func TestAUTH62Authorize(t *testing.T) {
	const arn = "arn:aws:iot:us-east-1:123456789012:"
	policy, err := iotpolicy.Parse("jobs", `{"Statement":[
		{"Effect":"Allow","Action":["iot:CreateJob","iot:TagResource"],"Resource":["`+arn+`job/*","`+arn+`thing/lamp-*"]},
		{"Effect":"Allow","Action":"iot:ListJobs","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}},
		{"Sid":"frozen","Effect":"Deny","Action":"*","Resource":"`+arn+`job/frozen"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	ann := identity.Caller{ARN: "arn:aws:iam::123456789012:user/ann", Policies: iotpolicy.Set{policy}}
	local := func(key string) ([]string, bool) { return []string{"127.0.0.1"}, key == iotpolicy.SourceIP }
	for name, test := range map[string]struct {
		caller    identity.Caller
		action    string
		resources []string
		vars      iotpolicy.Vars
		want      string // the error's text, empty for none
		statement string
	}{
		"every resource allowed": {ann, "iot:CreateJob", []string{arn + "job/b", arn + "thing/lamp-1"}, nil, "", ""},
		"one resource not allowed": {ann, "iot:CreateJob", []string{arn + "job/b", arn + "thing/pump-1"}, nil,
			"User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iot:CreateJob on resource: " + arn + "thing/pump-1", ""},
		"one resource denied": {ann, "iot:CreateJob", []string{arn + "job/frozen"}, nil,
			"User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iot:CreateJob on resource: " + arn + "job/frozen", "frozen"},
		"another action": {ann, "iot:CancelJob", []string{arn + "job/b"}, nil,
			"User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iot:CancelJob on resource: " + arn + "job/b", ""},
		"no resource, a condition met": {ann, "iot:ListJobs", nil, local, "", ""},
		"no resource, a condition not met": {ann, "iot:ListJobs", nil, nil,
			"User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iot:ListJobs on resource: *", ""},
		"nobody": {identity.Caller{}, "iot:ListJobs", nil, local,
			"User:  is not authorized to perform: iot:ListJobs on resource: *", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.caller.Authorize(test.action, test.resources, test.vars)
			if err == nil {
				if test.want != "" {
					t.Errorf("Authorize() = nil, want %q", test.want)
				}
				return
			}
			var denied *identity.DeniedError
			if !errors.As(err, &denied) || err.Error() != test.want || denied.Decision.Statement != test.statement {
				t.Errorf("Authorize() = %v (%+v), want %q by statement %q", err, denied, test.want, test.statement)
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	keys, err := identity.OpenKeys(identity.KeysOptions{Path: b.TempDir() + "/credentials", Account: account})
	if err != nil {
		b.Fatal(err)
	}
	id := keys.List()[0].AccessKeyID
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Lookup(id); err != nil {
			b.Fatal(err)
		}
	}
}
