package jobdoc

import (
	"errors"
	"testing"

	"github.com/muster-iot/muster"
)

func TestResolveTemplate(t *testing.T) {
	here := muster.Account{ID: "111122223333", Region: "eu-west-1"}
	for name, test := range map[string]struct {
		arn     string
		id      muster.JobTemplateID
		managed string
		kind    muster.Kind // of the failure, when there is neither
	}{
		"a custom one":                 {arn: here.JobTemplateARN("nightly"), id: "nightly"},
		"a managed one":                {arn: here.ManagedTemplateARN("AWS-Reboot", "1.0"), managed: "AWS-Reboot"},
		"a managed one, spelled out":   {arn: "arn:aws:iot:eu-west-1::jobtemplate/AWS-Run-Command:1.0", managed: "AWS-Run-Command"},
		"a managed one that is absent": {arn: "arn:aws:iot:eu-west-1::jobtemplate/AWS-Boot:1.0", kind: muster.NotFound},
		"a version that is absent":     {arn: "arn:aws:iot:eu-west-1::jobtemplate/AWS-Reboot:2.0", kind: muster.NotFound},
		"no version":                   {arn: "arn:aws:iot:eu-west-1::jobtemplate/AWS-Reboot", kind: muster.NotFound},
		"an empty version":             {arn: "arn:aws:iot:eu-west-1::jobtemplate/AWS-Reboot:", kind: muster.NotFound},
		"managed in another region":    {arn: "arn:aws:iot:us-east-1::jobtemplate/AWS-Reboot:1.0", kind: muster.NotFound},
		"another account (A16)":        {arn: "arn:aws:iot:eu-west-1:999999999999:jobtemplate/nightly", kind: muster.NotFound},
		"another kind of resource":     {arn: "arn:aws:iot:eu-west-1:111122223333:job/nightly", kind: muster.Invalid},
		"no ARN":                       {arn: "nightly", kind: muster.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			id, m, err := ResolveTemplate(here, test.arn)
			if err == nil {
				if id != test.id || (m == nil) != (test.managed == "") || (m != nil && m.Name != test.managed) {
					t.Errorf("ResolveTemplate(%s) = %q, %v, want %+v", test.arn, id, m, test)
				}
				return
			}
			var e *muster.Error
			if !errors.As(err, &e) || test.kind == muster.Internal || e.Kind != test.kind {
				t.Errorf("ResolveTemplate(%s): %v, want %+v", test.arn, err, test)
			}
		})
	}
}
