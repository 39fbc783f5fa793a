package awsiot

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
)

// labFiles is a store of job files in which https://files/BUCKET/KEY names an
// object. Every object exists, except in the bucket "missing".
type labFiles struct{}

func (labFiles) Locate(text string) (muster.Object, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host != "files" && u.Host != "s3.eu-west-1.amazonaws.com" {
		return muster.Object{}, muster.Errorf(muster.Invalid, "%s is not of this store", text)
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return muster.Object{Region: testAccount.Region, Bucket: bucket, Key: key, Version: u.Query().Get("versionId")}, nil
}

func (labFiles) Check(_ context.Context, o muster.Object, _ bool) error {
	if o.Bucket == "missing" {
		return muster.Errorf(muster.Invalid, "The specified bucket does not exist")
	}
	return nil
}

func (labFiles) Sign(context.Context, muster.Object) (string, error) { return "signature", nil }

func (labFiles) Presign(muster.Object, bool, time.Duration, muster.Instant) (string, error) {
	return "https://signed", nil
}

const signedBy = `"presignedUrlConfig":{"roleArn":"arn:aws:iam::111122223333:role/any"}`

// link returns a placeholder in a document in a JSON body, escaped for both.
func link(kind, argument string) string {
	return `"document":"{\"u\":\"${aws:iot:` + kind + `:` + argument + `}\"}",` + signedBy
}

// TestTheMakerOfAJobMustHaveItsFiles goes through all ways in which a job or a
// template can name a file or a version of a package. The key may do everything but
// one thing, and only the call that needs it is refused.
func TestTheMakerOfAJobMustHaveItsFiles(t *testing.T) {
	const (
		get, version, put = "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"
		read, bring       = "iot:GetPackageVersion", "iot:CreateJob"
		lamp              = `"targets":["` + arnPrefix + `thing/lamp"],`
		job, template     = "/jobs/fw", "/job-templates/x"
		upload            = "s3-presigned-url-upload"
	)
	for name, test := range map[string]struct {
		path, body       string
		action, resource string // that is denied
		wanted           string // that is named; empty: the denied one
	}{
		"a link":                      {job, lamp + link("s3-presigned-url", "https://files/lab/fw.bin"), get, "lab/fw.bin", ""},
		"a link to what is not there": {job, lamp + link("s3-presigned-url", "https://files/missing/fw.bin"), get, "missing/*", "missing/fw.bin"},
		"an encoded link":             {job, lamp + link("s3-presigned-url-v2", "https%3A%2F%2Ffiles%2Flab%2Ffw.bin"), get, "lab/fw.bin", ""},
		"a version":                   {job, lamp + link("s3-presigned-url-v2", "https%3A%2F%2Ffiles%2Flab%2Ffw.bin%3FversionId%3Dv1"), version, "lab/fw.bin", ""},
		"a version, as any file":      {job, lamp + link("s3-presigned-url-v2", "https%3A%2F%2Ffiles%2Flab%2Ffw.bin%3FversionId%3Dv1"), get, "lab/fw.bin", ""},
		"a signature":                 {job, lamp + link("code-sign-signature", "s3://eu-west-1.lab/fw.bin@v1"), version, "lab/fw.bin", ""},
		"an upload":                   {job, lamp + link(upload, "https://files/lab/up/log"), put, "lab/up/log", ""},
		"an upload of each":           {job, lamp + link(upload, "https://files/lab/${thingName}/log"), put, "lab/firmware/*", "lab/*/log"},
		"an upload of each number":    {job, lamp + link(upload, "https://files/lab/log-${executionNumber}"), put, "lab/log-7", "lab/log-*"},
		"an upload of each job":       {job, lamp + link(upload, "https://files/lab/${jobId}"), put, "lab/fw", "lab/*"},
		"an upload without a key":     {job, lamp + link(upload, "https://files/lab"), put, "lab/fw/pump/1", "lab/*/*/*"},
		"a source":                    {job, lamp + `"documentSource":"https://s3.amazonaws.com/lab/plain.json"`, get, "lab/plain.json", ""},
		"a source with a link":        {job, lamp + `"documentSource":"https://s3.amazonaws.com/lab/linked.json",` + signedBy, get, "lab/in-source.bin", ""},
		"a template":                  {job, lamp + `"jobTemplateArn":"` + arnPrefix + `jobtemplate/made"`, get, "lab/in-template.bin", ""},
		"a managed template": {
			job, lamp + `"jobTemplateArn":"arn:aws:iot:eu-west-1::jobtemplate/AWS-Download-File:1.0","documentParameters":{"downloadUrl":"${aws:iot:s3-presigned-url:https://files/lab/parameter.bin}","filePath":"/f"},` + signedBy,
			get, "lab/parameter.bin", "",
		},
		"an artifact":                 {job, lamp + link("package", "app:version:1.0:artifact:s3-presigned-url"), version, "lab/artifact.bin", ""},
		"a link in an attribute":      {job, lamp + link("package", "app:version:1.0:attributes:link"), get, "lab/attribute.bin", ""},
		"an attribute":                {job, lamp + link("package", "app:version:1.0:attributes:size"), read, arnPrefix + "package/app/version/1.0", ""},
		"an attribute of the default": {job, lamp + link("package", "app:version:$default:attributes:size"), read, arnPrefix + "package/app/version/1.0", ""},
		"the default version":         {job, lamp + `"document":"{}","destinationPackageVersions":["` + arnPrefix + `package/app/version/$default"]`, bring, arnPrefix + "package/app/version/1.0", ""},
		"a template's package":        {job, lamp + `"jobTemplateArn":"` + arnPrefix + `jobtemplate/brings"`, bring, arnPrefix + "package/app/version/1.0", ""},

		"a link of a template":      {template, `"description":"d",` + link("s3-presigned-url", "https://files/lab/fw.bin"), get, "lab/fw.bin", ""},
		"an upload of a template":   {template, `"description":"d",` + link(upload, "https://files/lab/${thingName}"), put, "lab/pump", "lab/*"},
		"a signature of a template": {template, `"description":"d",` + link("code-sign-signature", "s3://eu-west-1.lab/fw.bin@v1"), version, "lab/fw.bin", ""},
		"a source of a template":    {template, `"description":"d","documentSource":"https://s3.amazonaws.com/lab/plain.json"`, get, "lab/plain.json", ""},
		"a template of a job":       {template, `"description":"d","jobArn":"` + arnPrefix + `job/made"`, get, "lab/in-job.bin", ""},

		"new URLs of a job":        {"PATCH /jobs/made", `"presignedUrlConfig":{"roleArn":"arn:aws:iam::111122223333:role/any","expiresInSec":3600}`, get, "lab/in-job.bin", ""},
		"a version of a package":   {"/packages/app/versions/2.0", `"artifact":{"s3Location":{"bucket":"lab","key":"k","version":"v"}}`, version, "lab/k", ""},
		"a version's new artifact": {"PATCH /packages/app/versions/draft", `"artifact":{"s3Location":{"bucket":"lab","key":"k"}}`, get, "lab/k", ""},
	} {
		t.Run(name, func(t *testing.T) {
			keys := &testKeys{}
			env := newEnvWithFiles(t, newStore(t), Options{Keys: keys, Documents: someDocuments{
				"https://s3.amazonaws.com/lab/plain.json":  `{}`,
				"https://s3.amazonaws.com/lab/linked.json": `{"u":"${aws:iot:s3-presigned-url:https://files/lab/in-source.bin}"}`,
			}}, labFiles{})
			env.thing("lamp")
			env.must("PUT", "/jobs/made", `{`+lamp+link("s3-presigned-url", "https://files/lab/in-job.bin")+`}`)
			env.must("PUT", "/job-templates/made", `{"description":"d",`+link("s3-presigned-url", "https://files/lab/in-template.bin")+`}`)
			env.must("PUT", "/packages/app", `{}`)
			env.must("PUT", "/packages/app/versions/draft", `{}`)
			env.must("PUT", "/packages/app/versions/1.0", `{"attributes":{"size":"7","link":"${aws:iot:s3-presigned-url:https://files/lab/attribute.bin}"},"artifact":{"s3Location":{"bucket":"lab","key":"artifact.bin","version":"v"}}}`)
			env.must("PATCH", "/packages/app/versions/1.0", `{"action":"PUBLISH"}`)
			env.must("PATCH", "/packages/app", `{"defaultVersionName":"1.0"}`)
			env.must("PUT", "/job-templates/brings", `{"description":"d","document":"{}","destinationPackageVersions":["`+arnPrefix+`package/app/version/1.0"]}`)

			arn := func(resource string) string {
				if strings.HasPrefix(resource, "arn:") {
					return resource
				}
				return "arn:aws:s3:::" + resource
			}
			if test.wanted == "" {
				test.wanted = test.resource
			}
			method, path := "PUT", test.path
			if rest, ok := strings.CutPrefix(path, "PATCH "); ok {
				method, path = "PATCH", rest
			}
			env.key = limited
			keys.policy = strings.Replace(allBut(arn(test.resource)), `"Deny","Action":"*"`, `"Deny","Action":"`+test.action+`"`, 1)
			refused := env.send(method, path, `{`+test.body+`}`)
			want := "is not authorized to perform: " + test.action + " on resource: " + arn(test.wanted) + `"`
			if refused.status != 403 || refused.errorType() != "AccessDeniedException" || !strings.Contains(refused.body, want) {
				t.Errorf("without %s on %s: %d %s %s, want 403 and %q", test.action, test.resource, refused.status, refused.errorType(), refused.body, want)
			}
			keys.policy = everything
			if got := env.send(method, path, `{`+test.body+`}`); got.status == 403 || got.status != 200 && !strings.Contains(name, "not there") {
				t.Errorf("with everything: %d %s", got.status, got.body)
			}
		})
	}
}

// The rights are checked when the job is made. Devices get the files even if they
// are taken away later.
func TestAJobKeepsItsFilesWhenItsMakerLosesThem(t *testing.T) {
	keys := &testKeys{policy: everything}
	env := newEnvWithFiles(t, newStore(t), Options{Keys: keys}, labFiles{})
	env.thing("lamp")
	env.key = limited
	env.must("PUT", "/jobs/fw", `{"targets":["`+arnPrefix+`thing/lamp"],`+link("s3-presigned-url", "https://files/lab/fw.bin")+`}`)
	env.settle()
	keys.policy = allBut("arn:aws:s3:::lab/fw.bin")
	for _, change := range []string{`{"description":"d"}`, `{"timeoutConfig":{"inProgressTimeoutInMinutes":5}}`} {
		env.must("PATCH", "/jobs/fw", change)
	}
	env.report("lamp", "fw", muster.Succeeded, nil)
}
