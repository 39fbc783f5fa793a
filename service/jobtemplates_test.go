package service

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
)

// template creates a job template.
func (env *env) template(in jobs.NewJobTemplate) muster.JobTemplate {
	env.t.Helper()
	t, err := env.CreateJobTemplate(env.t.Context(), in)
	if err != nil {
		env.t.Fatalf("CreateJobTemplate(%s): %v", in.ID, err)
	}
	return t
}

var fromNightly = muster.JobConfig{
	Rollout:        muster.RolloutConfig{MaximumPerMinute: 100},
	Abort:          []muster.AbortCriterion{{Failure: muster.FailureAll, ThresholdPercent: 20, MinExecuted: 10}},
	Retry:          []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 3}},
	TimeoutMinutes: 30,
	Schedule:       muster.Schedule{Windows: []muster.MaintenanceWindow{{StartTime: "cron(0 2 * * ? *)", DurationMinutes: 60}}},
}

func TestAJobFromATemplate(t *testing.T) {
	aborts := []muster.AbortCriterion{{Failure: muster.FailureFailed, ThresholdPercent: 50, MinExecuted: 1}}
	retries := []muster.RetryCriterion{{Failure: muster.FailureTimedOut, Max: 0}}
	windows := []muster.MaintenanceWindow{{StartTime: "cron(0 5 * * ? *)", DurationMinutes: 5}}
	but := func(change func(*muster.JobConfig)) muster.JobConfig {
		c := fromNightly
		change(&c)
		return c
	}
	for name, test := range map[string]struct {
		in   jobs.NewJob
		want muster.JobConfig
	}{
		"has all that the template says":       {jobs.NewJob{}, fromNightly},
		"has a rate of its own, not a mix":     {jobs.NewJob{Config: muster.JobConfig{Rollout: exponential()}}, but(func(c *muster.JobConfig) { c.Rollout = exponential() })},
		"has abort criteria of its own":        {jobs.NewJob{Config: muster.JobConfig{Abort: aborts}}, but(func(c *muster.JobConfig) { c.Abort = aborts })},
		"has retries of its own":               {jobs.NewJob{Config: muster.JobConfig{Retry: retries}}, but(func(c *muster.JobConfig) { c.Retry = retries })},
		"has a timeout of its own":             {jobs.NewJob{Config: muster.JobConfig{TimeoutMinutes: 1}}, but(func(c *muster.JobConfig) { c.TimeoutMinutes = 1 })},
		"has windows of its own":               {jobs.NewJob{Config: muster.JobConfig{Schedule: muster.Schedule{Windows: windows}}}, but(func(c *muster.JobConfig) { c.Schedule.Windows = windows })},
		"has an end besides the windows":       {jobs.NewJob{Config: muster.JobConfig{Schedule: muster.Schedule{EndTime: "2027-01-01 00:00"}}}, but(func(c *muster.JobConfig) { c.Schedule.EndTime = "2027-01-01 00:00" })},
		"has a description of its own":         {jobs.NewJob{Description: "Mine"}, fromNightly},
		"does not look at a document it gives": {jobs.NewJob{Document: "nonsense"}, fromNightly},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.thing("lamp")
			env.template(jobs.NewJobTemplate{ID: "nightly", Description: "At night", Document: `{ "do": 1 }`, Config: fromNightly})
			test.in.ID, test.in.Targets, test.in.Selection = "fw", []muster.Target{{Name: "lamp"}}, muster.Continuous
			test.in.Template = testARN + "jobtemplate/nightly"
			made, err := env.CreateJob(t.Context(), test.in)
			noErr(t, "CreateJob", err)
			d, err := env.DescribeJob(t.Context(), "fw")
			noErr(t, "DescribeJob", err)
			description := test.in.Description
			if description == "" {
				description = "At night"
			}
			if !reflect.DeepEqual(d.Config, test.want) || d.Description != description || made.Description != description || d.TemplateARN != test.in.Template || d.Parameters != nil {
				t.Errorf("the job is %+v, want %q with %+v", d, description, test.want)
			}
			for _, before := range []bool{false, true} {
				if text, err := env.JobDocument(t.Context(), "fw", before); err != nil || text != `{ "do": 1 }` {
					t.Errorf("JobDocument(before %t) = %s, %v, want the template's", before, text, err)
				}
			}
		})
	}
}

func exponential() muster.RolloutConfig {
	return muster.RolloutConfig{Exponential: &muster.ExponentialRate{BasePerMinute: 5, Factor: 2, NotifiedThings: 10}}
}

func TestATemplateIsAsItWasWhenTheJobWasMade(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.template(jobs.NewJobTemplate{ID: "fix", Description: "old", Document: `{"v":1}`})
	in := jobs.NewJob{ID: "fw", Targets: []muster.Target{{Name: "lamp"}}, Template: testARN + "jobtemplate/fix"}
	_, err := env.CreateJob(t.Context(), in)
	noErr(t, "CreateJob", err)
	noErr(t, "DeleteJobTemplate", env.DeleteJobTemplate(t.Context(), "fix"))
	env.template(jobs.NewJobTemplate{ID: "fix", Description: "new", Document: `{"v":2}`, Config: muster.JobConfig{TimeoutMinutes: 9}})
	d, err := env.DescribeJob(t.Context(), "fw")
	noErr(t, "DescribeJob", err)
	if d.TemplateARN != in.Template || d.Description != "old" || d.Config.TimeoutMinutes != 0 {
		t.Errorf("the job is %+v, want it as the old template said", d)
	}
	env.settleDown()
	if got := *env.start("lamp").Document; got != `{"v":1}` {
		t.Errorf("the device gets %s, want the old template's document", got)
	}
}

func TestADeviceGetsTheParametersFilledIn(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	_, err := env.CreateJob(t.Context(), jobs.NewJob{
		ID: "boot", Targets: []muster.Target{{Name: "lamp"}}, Template: "arn:aws:iot:us-east-1::jobtemplate/AWS-Reboot:1.0",
		Parameters: map[string]string{"pathToHandler": "/opt"},
	})
	noErr(t, "CreateJob", err)
	env.settleDown()
	const want = `{"version":"1.0","steps":[{"action":{"name":"Reboot","type":"runHandler","input":{"handler":"reboot.sh","path":"/opt"},"runAsUser":""}}]}`
	if got := *env.start("lamp").Document; got != want {
		t.Errorf("the device gets %s, want %s", got, want)
	}
	before, err := env.JobDocument(t.Context(), "boot", true)
	if err != nil || !strings.Contains(before, "${aws:iot:parameter:pathToHandler}") {
		t.Errorf("JobDocument before substitution = %s, %v, want the placeholders", before, err)
	}
	d, err := env.DescribeJob(t.Context(), "boot")
	if err != nil || d.Description != "Reboots the device." || !reflect.DeepEqual(d.Parameters, map[string]string{"pathToHandler": "/opt"}) {
		t.Errorf("DescribeJob = %+v, %v, want the template's description and the parameters as given", d, err)
	}
}

func TestATemplateFromAJob(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	config := fromNightly
	config.Schedule.StartTime, config.Schedule.EndTime = "2026-10-10 00:00", "2027-01-01 00:00"
	config.Schedule.EndBehavior = muster.CancelAtEnd
	_, err := env.CreateJob(t.Context(), jobs.NewJob{
		ID: "fw", Description: "The job", Document: `{ "do": 1 }`, Targets: []muster.Target{{Name: "lamp"}},
		Selection: muster.Continuous, Config: config, Tags: []muster.Tag{{Key: "a"}},
	})
	noErr(t, "CreateJob", err)
	replaced := fromNightly
	replaced.TimeoutMinutes = 1
	for name, test := range map[string]struct{ given, want muster.JobConfig }{
		"copies what is no matter of that one job": {muster.JobConfig{}, fromNightly},
		"prefers what it is given":                 {muster.JobConfig{TimeoutMinutes: 1}, replaced},
	} {
		t.Run(name, func(t *testing.T) {
			made := env.template(jobs.NewJobTemplate{ID: "copy", Description: "The template", Job: testARN + "job/fw", Config: test.given})
			got, err := env.JobTemplate(t.Context(), "copy")
			noErr(t, "JobTemplate", err)
			want := muster.JobTemplate{ID: "copy", Description: "The template", Document: `{ "do": 1 }`, Config: test.want, CreatedAt: testEpoch}
			if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(made, want) {
				t.Errorf("the template is %+v, want %+v", got, want)
			}
			if tags := env.tags("jobtemplate/copy"); len(tags) != 0 {
				t.Errorf("it has the tags %v of the job", tags)
			}
			noErr(t, "DeleteJobTemplate", env.DeleteJobTemplate(t.Context(), "copy"))
		})
	}
}

func TestHowManyTemplatesThereMayBe(t *testing.T) {
	const most = 100
	env := newEnvOn(t, newStore(t), Options{Limits: jobs.Limits{JobTemplates: most}})
	var want []muster.JobTemplateID
	for i := range most {
		t := env.template(jobs.NewJobTemplate{ID: muster.JobTemplateID(fmt.Sprintf("t%03d", i)), Document: "{}", Tags: []muster.Tag{{Key: "a"}}})
		want = append(want, t.ID)
		env.pass(1)
	}
	_, err := env.CreateJobTemplate(t.Context(), jobs.NewJobTemplate{ID: "more", Document: "{}"})
	wantKind(t, "one template too many", err, muster.LimitExceeded)
	_, err = env.CreateJobTemplate(t.Context(), jobs.NewJobTemplate{ID: "t000", Document: "{}"})
	if e := wantKind(t, "one that exists", err, muster.AlreadyExists); e.ResourceID != "t000" || e.ResourceARN != testARN+"jobtemplate/t000" {
		t.Errorf("what exists is %q %q, want it named", e.ResourceID, e.ResourceARN)
	}
	list, err := env.JobTemplates(t.Context(), listing.Page{})
	noErr(t, "JobTemplates", err)
	var got []muster.JobTemplateID
	for _, t := range slices.Backward(list.Templates) {
		got = append(got, t.ID)
	}
	if !slices.Equal(got, want) || list.Next != "" {
		t.Errorf("the list backwards is %v, token %q, want all on one page", got, list.Next)
	}
	noErr(t, "DeleteJobTemplate", env.DeleteJobTemplate(t.Context(), "t050"))
	wantKind(t, "DeleteJobTemplate again", env.DeleteJobTemplate(t.Context(), "t050"), muster.NotFound)
	env.template(jobs.NewJobTemplate{ID: "t050", Document: "{}"})
	if tags := env.tags("jobtemplate/t050"); len(tags) != 0 {
		t.Errorf("a new template has the tags %v of the one that was deleted", tags)
	}
}
