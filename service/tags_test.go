package service

import (
	"fmt"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
)

const testARN = "arn:aws:iot:us-east-1:000000000000:"

func (env *env) tags(resource string) []muster.Tag {
	env.t.Helper()
	all, err := env.ListTagsForResource(env.t.Context(), testARN+resource, "")
	if err != nil {
		env.t.Fatalf("ListTagsForResource(%s): %v", resource, err)
	}
	return all
}

func TestTags(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	env.thing("lamp")
	env.group("lamps", "lamp")
	env.createType(muster.ThingType{Name: "light"})
	env.job("fix", "lamp")
	env.template(jobs.NewJobTemplate{ID: "nightly", Document: "{}"})
	for _, resource := range []string{"thinggroup/lamps", "thingtype/light", "job/fix", "jobtemplate/nightly"} {
		t.Run(resource, func(t *testing.T) {
			arn := testARN + resource
			if got := env.tags(resource); len(got) != 0 {
				t.Errorf("at first it has the tags %v", got)
			}
			noErr(t, "TagResource", env.TagResource(ctx, arn, []muster.Tag{{Key: "b", Value: "1"}, {Key: "a", Value: "2"}}))
			noErr(t, "TagResource", env.TagResource(ctx, arn, []muster.Tag{{Key: "b", Value: "3"}}))
			if got, want := env.tags(resource), []muster.Tag{{Key: "a", Value: "2"}, {Key: "b", Value: "3"}}; !slices.Equal(got, want) {
				t.Errorf("tagged twice it has %v, want %v", got, want)
			}
			noErr(t, "UntagResource", env.UntagResource(ctx, arn, []string{"a", "absent"}))
			if got, want := env.tags(resource), []muster.Tag{{Key: "b", Value: "3"}}; !slices.Equal(got, want) {
				t.Errorf("untagged it has %v, want %v", got, want)
			}
			var many []muster.Tag
			for i := range 50 {
				many = append(many, muster.Tag{Key: fmt.Sprintf("k%d", i)})
			}
			wantKind(t, "TagResource with 51", env.TagResource(ctx, arn, many), muster.LimitExceeded)
			wantKind(t, "TagResource aws:", env.TagResource(ctx, arn, []muster.Tag{{Key: "aws:x"}}), muster.Invalid)
			if got := env.tags(resource); len(got) != 1 {
				t.Errorf("refused tags left %v", got)
			}
			_, err := env.ListTagsForResource(ctx, arn, "token")
			wantKind(t, "ListTagsForResource with a token", err, muster.Invalid)
		})
	}
}

func TestResourcesThatHaveNoTags(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	env.thing("lamp")
	for name, test := range map[string]struct {
		arn  string
		want muster.Kind
	}{
		"a thing (REG-30)":               {testARN + "thing/lamp", muster.Invalid},
		"a certificate":                  {testARN + "cert/abc", muster.Invalid},
		"a group that does not exist":    {testARN + "thinggroup/none", muster.NotFound},
		"a job that does not exist":      {testARN + "job/none", muster.NotFound},
		"a template that does not exist": {testARN + "jobtemplate/none", muster.NotFound},
		"a kind that we know nothing of": {testARN + "stream/none", muster.NotFound},
		"another account (REG-10, A16)":  {"arn:aws:iot:us-east-1:111111111111:thinggroup/g", muster.NotFound},
		"no ARN":                         {"thinggroup/g", muster.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			wantKind(t, "TagResource", env.TagResource(ctx, test.arn, []muster.Tag{{Key: "a"}}), test.want)
			wantKind(t, "UntagResource", env.UntagResource(ctx, test.arn, []string{"a"}), test.want)
			_, err := env.ListTagsForResource(ctx, test.arn, "")
			wantKind(t, "ListTagsForResource", err, test.want)
		})
	}
}
