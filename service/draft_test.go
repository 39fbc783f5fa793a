package service

import (
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
)

func TestCreateJobChecksPlaceholders(t *testing.T) {
	upload := func(url string) string { return `{"u":"${aws:iot:s3-presigned-url-upload:` + url + `}"}` }
	for name, test := range map[string]struct {
		document, role string
		message        string // part of the refusal; empty: none
	}{
		"a link":                        {linked, role, ""},
		"a link without a role":         {linked, "", "presignedUrlConfig role ARN is required to generate an S3 presigned url in job document."},
		"a role that is none":           {`{}`, "arn:aws:iam::000000000000:user/admin", "is not the ARN of a role"},
		"a link to somewhere else":      {`{"u":"${aws:iot:s3-presigned-url:https://us-east-1}"}`, role, "not of this store"},
		"a link to a bucket":            {`{"u":"${aws:iot:s3-presigned-url:https://us-east-1/lab}"}`, role, "names no object of the bucket"},
		"a bucket that is closed":       {`{"u":"${aws:iot:s3-presigned-url:https://us-east-1/closed/k}"}`, role, "Permission denied when attempting to use role arn:aws:iam::000000000000:role/downloads to access bucket closed."},
		"an upload to another region":   {upload("https://eu-west-1/logs/k"), role, "Cross region S3 bucket is not supported for presigned url upload placeholder"},
		"an upload to a missing bucket": {upload("https://us-east-1/missing/k"), role, "S3 bucket in job document presigned url upload placeholder not found"},
		"an upload to a bucket of each": {upload("https://us-east-1/${thingName}/k"), role, "S3 bucket name in presigned url upload is not allowed to contain any placeholders"},
		"a signature of nothing":        {`{"s":"${aws:iot:code-sign-signature:s3://us-east-1.lab/missing@1}"}`, "", "VersionId not found when attempting to access s3 url"},
		"too many signatures":           {`{"s":"` + strings.Repeat("${aws:iot:code-sign-signature:s3://us-east-1.lab/fw@1}", 33) + `"}`, "", "at most 32 signatures"},
	} {
		t.Run(name, func(t *testing.T) {
			env, _ := newLinkedEnv(t, newStore(t), noneHeard)
			env.thing("lamp")
			in := jobs.NewJob{ID: "fw", Targets: []muster.Target{{Name: "lamp"}}, Document: test.document}
			in.Config.Presigned.RoleARN = test.role
			_, err := env.CreateJob(t.Context(), in)
			if test.message == "" {
				if err != nil {
					t.Errorf("CreateJob: %v", err)
				}
				return
			}
			if e := wantKind(t, "CreateJob", err, muster.Invalid); !strings.Contains(e.Msg, test.message) {
				t.Errorf("CreateJob says %q, want %q", e.Msg, test.message)
			}
		})
	}
	t.Run("a link where there is no store of job files", func(t *testing.T) {
		env := newEnv(t)
		env.thing("lamp")
		in := jobs.NewJob{ID: "fw", Targets: []muster.Target{{Name: "lamp"}}, Document: linked}
		in.Config.Presigned.RoleARN = role
		_, err := env.CreateJob(t.Context(), in)
		wantKind(t, "CreateJob", err, muster.Invalid)
	})
}

func TestSignaturesAreMadeOnce(t *testing.T) {
	env, _ := newLinkedEnv(t, newStore(t), noneHeard)
	env.thing("lamp")
	const (
		written = `{ "codesign": {"signature": "${aws:iot:code-sign-signature:s3://us-east-1.lab/fw.bin@7}"}, "url":"${aws:iot:s3-presigned-url:https://us-east-1/lab/fw.bin}" }`
		signed  = `{ "codesign": {"signature": "signed(fw.bin@7)"}, "url":"${aws:iot:s3-presigned-url:https://us-east-1/lab/fw.bin}" }`
	)
	env.linkedJob("fw", written, "lamp")
	for asBefore, want := range map[bool]string{false: signed, true: written} {
		if got, err := env.JobDocument(t.Context(), "fw", asBefore); err != nil || got != want {
			t.Errorf("JobDocument(before substitution: %t) = %s, %v\nwant %s", asBefore, got, err, want)
		}
	}
	wantDocument(t, "describe", env.describe("lamp", "fw"),
		`{ "codesign": {"signature": "signed(fw.bin@7)"}, "url":"GET lab/fw.bin for 10m0s from 0" }`)
}

// A template's placeholders are checked for their syntax, and again for what
// they name when a job is made of it (jobs-control-plane.md section 7).
func TestAJobFromATemplateWithLinks(t *testing.T) {
	env, _ := newLinkedEnv(t, newStore(t), noneHeard)
	env.thing("lamp")
	config := muster.JobConfig{Presigned: muster.PresignedConfig{RoleARN: role, ExpiresInSec: 600}}
	env.template(jobs.NewJobTemplate{ID: "whole", Description: "d", Document: linked, Config: config})
	env.template(jobs.NewJobTemplate{ID: "half", Description: "d", Document: linked})
	env.template(jobs.NewJobTemplate{ID: "astray", Description: "d", Document: `{"u":"${aws:iot:s3-presigned-url-upload:https://eu-west-1/b}"}`, Config: config})
	_, err := env.CreateJobTemplate(t.Context(), jobs.NewJobTemplate{ID: "bad", Description: "d", Document: `{"u":"${aws:iot:s3-presigned-url:lab}"}`})
	wantKind(t, "CreateJobTemplate with a bad link", err, muster.Invalid)
	_, err = env.CreateJobTemplate(t.Context(), jobs.NewJobTemplate{ID: "bad", Description: "d", Document: `{}`, Config: muster.JobConfig{Presigned: muster.PresignedConfig{RoleARN: "nobody, really nobody"}}})
	wantKind(t, "CreateJobTemplate with a bad role", err, muster.Invalid)

	create := func(template string, c muster.JobConfig) error {
		_, err := env.CreateJob(t.Context(), jobs.NewJob{ID: "of-" + muster.JobID(template), Targets: []muster.Target{{Name: "lamp"}}, Template: testARN + "jobtemplate/" + template, Config: c})
		return err
	}
	wantKind(t, "CreateJob from a template without a role", create("half", muster.JobConfig{}), muster.Invalid)
	wantKind(t, "CreateJob from a template to another region", create("astray", muster.JobConfig{}), muster.Invalid)
	if err := create("half", config); err != nil {
		t.Errorf("CreateJob with a role of its own: %v", err)
	}
	if err := create("whole", muster.JobConfig{}); err != nil {
		t.Errorf("CreateJob from a template with a role: %v", err)
	}
	env.settleDown()
	wantDocument(t, "describe", env.describe("lamp", "of-whole"), urlFrom(0))

	env.template(jobs.NewJobTemplate{ID: "copy", Description: "d", Job: testARN + "job/of-whole"})
	if got, err := env.JobTemplate(t.Context(), "copy"); err != nil || got.Document != linked || got.Config.Presigned != config.Presigned {
		t.Errorf("the template made of a job is %+v, %v, want the document and %+v", got, err, config.Presigned)
	}
}

// A value of documentParameters may be a link, as the examples of AWS have it.
func TestAManagedTemplateWithALink(t *testing.T) {
	env, _ := newLinkedEnv(t, newStore(t), noneHeard)
	env.thing("lamp")
	in := jobs.NewJob{
		ID: "fw", Targets: []muster.Target{{Name: "lamp"}}, Template: "arn:aws:iot:us-east-1::jobtemplate/AWS-Download-File:1.0",
		Parameters: map[string]string{"downloadUrl": "${aws:iot:s3-presigned-url:https://us-east-1/lab/fw.bin}", "filePath": "/fw.bin"},
	}
	_, err := env.CreateJob(t.Context(), in)
	wantKind(t, "CreateJob without a role", err, muster.Invalid)
	in.Config.Presigned.RoleARN = role
	if _, err := env.CreateJob(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	env.settleDown()
	if d := env.describe("lamp", "fw"); !strings.Contains(*d.Document, `"GET lab/fw.bin for 1h0m0s from 0"`) {
		t.Errorf("describe: the document is %s, want one with the URL", *d.Document)
	}
}
