package awsiot

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

const someToken = "6b6a0001-0000-4000-8000-000000000001"

func TestPackageFromCreateToDelete(t *testing.T) {
	env := newEnv(t)
	env.want("CreatePackage", env.must("PUT", "/packages/app?clientToken="+someToken, `{"description":"an app","tags":{"owner":"me"}}`),
		`{"description":"an app","packageArn":"`+arnPrefix+`package/app","packageName":"app"}`)
	env.want("CreatePackage again", env.must("PUT", "/packages/app?clientToken="+someToken, `{"description":"an app"}`),
		`{"description":"an app","packageArn":"`+arnPrefix+`package/app","packageName":"app"}`)
	env.wantError("PUT", "/packages/app", `{}`, http.StatusConflict, "ConflictException")
	env.want("ListTagsForResource", env.must("GET", "/tags?resourceArn="+arnPrefix+"package/app", ""), `{"tags":[{"Key":"owner","Value":"me"}]}`)
	env.want("CreatePackageVersion", env.must("PUT", "/packages/app/versions/1.0",
		`{"description":"first","attributes":{"size":"7"},"artifact":{"s3Location":{"bucket":"b","key":"k","version":"v"}},"recipe":"mix"}`),
		`{"attributes":{"size":"7"},"description":"first","packageName":"app","packageVersionArn":"`+arnPrefix+`package/app/version/1.0","status":"DRAFT","versionName":"1.0"}`)
	env.wantError("PATCH", "/packages/app", `{"defaultVersionName":"1.0"}`, http.StatusConflict, "ConflictException")
	env.pass(1000)
	env.want("UpdatePackageVersion", env.must("PATCH", "/packages/app/versions/1.0?clientToken="+someToken, `{"action":"PUBLISH"}`), `{}`)
	env.want("UpdatePackageVersion again", env.must("PATCH", "/packages/app/versions/1.0?clientToken="+someToken, `{"action":"PUBLISH"}`), `{}`)
	env.wantError("PATCH", "/packages/app/versions/1.0", `{"action":"PUBLISH"}`, http.StatusConflict, "ConflictException")
	env.wantError("PATCH", "/packages/app/versions/1.0", `{"attributes":{}}`, http.StatusConflict, "ConflictException")
	env.want("GetPackageVersion", env.must("GET", "/packages/app/versions/1.0", ""),
		`{"artifact":{"s3Location":{"bucket":"b","key":"k","version":"v"}},"attributes":{"size":"7"},"creationDate":1790000000.123,"description":"first","lastModifiedDate":1790000001.123,`+
			`"packageName":"app","packageVersionArn":"`+arnPrefix+`package/app/version/1.0","recipe":"mix","status":"PUBLISHED","versionName":"1.0"}`)
	env.must("PATCH", "/packages/app", `{"defaultVersionName":"1.0"}`)
	env.want("GetPackage", env.must("GET", "/packages/app", ""),
		`{"creationDate":1790000000.123,"defaultVersionName":"1.0","description":"an app","lastModifiedDate":1790000001.123,"packageArn":"`+arnPrefix+`package/app","packageName":"app"}`)
	env.want("ListPackages", env.must("GET", "/packages", ""),
		`{"packageSummaries":[{"creationDate":1790000000.123,"defaultVersionName":"1.0","lastModifiedDate":1790000001.123,"packageName":"app"}]}`)
	env.want("ListPackageVersions", env.must("GET", "/packages/app/versions?status=PUBLISHED", ""),
		`{"packageVersionSummaries":[{"creationDate":1790000000.123,"lastModifiedDate":1790000001.123,"packageName":"app","status":"PUBLISHED","versionName":"1.0"}]}`)
	env.want("ListPackageVersions of none", env.must("GET", "/packages/app/versions?status=DRAFT", ""), `{"packageVersionSummaries":[]}`)

	env.wantError("PATCH", "/packages/app/versions/1.0", `{"action":"DEPRECATE"}`, http.StatusConflict, "ConflictException")
	env.wantError("DELETE", "/packages/app/versions/1.0", "", http.StatusBadRequest, "ValidationException")
	env.wantError("DELETE", "/packages/app", "", http.StatusBadRequest, "ValidationException")
	env.wantError("PATCH", "/packages/app", `{"defaultVersionName":"1.0","unsetDefaultVersion":true}`, http.StatusBadRequest, "ValidationException")
	env.must("PATCH", "/packages/app", `{"unsetDefaultVersion":true}`)
	env.must("PATCH", "/packages/app/versions/1.0", `{"action":"DEPRECATE"}`)
	for range 2 { // what is gone can be deleted again
		env.want("DeletePackageVersion", env.must("DELETE", "/packages/app/versions/1.0", ""), `{}`)
		env.want("DeletePackage", env.must("DELETE", "/packages/app?clientToken="+someToken, ""), `{}`)
	}
	env.wantError("GET", "/packages/app", "", http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("GET", "/packages/app/versions/1.0", "", http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("PATCH", "/packages/app", "{}", http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("PUT", "/packages/app/versions/1.0", "{}", http.StatusBadRequest, "ValidationException")
	env.wantError("GET", "/packages/app/versions", "", http.StatusBadRequest, "ValidationException")
	env.wantError("GET", "/tags?resourceArn="+arnPrefix+"package/app", "", http.StatusNotFound, "ResourceNotFoundException")
}

func TestPackagesAreListedInPages(t *testing.T) {
	env := newEnv(t)
	for _, name := range []string{"a", "c", "b"} {
		env.must("PUT", "/packages/"+name, "{}")
		env.must("PUT", "/packages/a/versions/"+name, "{}")
	}
	if got := strings.Join(env.listed("/packages?maxResults=1", "packageSummaries", "packageName"), " "); got != "a b c" {
		t.Errorf("ListPackages, one a page: %s, want a b c", got)
	}
	if got := strings.Join(env.listed("/packages/a/versions?maxResults=2", "packageVersionSummaries", "versionName"), " "); got != "a b c" {
		t.Errorf("ListPackageVersions, two a page: %s, want a b c", got)
	}
}

// packages makes package app with the published versions 1 and 2, of which 2 is
// the default, and the draft 3.
func (env *env) packages() {
	env.t.Helper()
	env.must("PUT", "/packages/app", "{}")
	for version, size := range map[string]string{"1": "10", "2": "20", "3": "30"} {
		env.must("PUT", "/packages/app/versions/"+version, `{"attributes":{"size":"`+size+`","say":"\"hi\""}}`)
		if version != "3" {
			env.must("PATCH", "/packages/app/versions/"+version, `{"action":"PUBLISH"}`)
		}
	}
	env.must("PATCH", "/packages/app", `{"defaultVersionName":"2"}`)
}

// bringing is the body of a job that installs versions.
func bringing(document string, versions ...string) string {
	var arns []string
	for _, v := range versions {
		arns = append(arns, `"`+arnPrefix+`package/`+v+`"`)
	}
	return `{"targets":["` + arnPrefix + `thing/lamp"],"document":"` + strings.ReplaceAll(document, `"`, `\"`) +
		`","destinationPackageVersions":[` + strings.Join(arns, ",") + `]}`
}

func TestAJobBringsPackageVersions(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.packages()
	env.must("PUT", "/jobs/fw", bringing(`{"all":"${aws:iot:package::version::attributes}","size":"${aws:iot:package:app:version:$default:attributes:size} bytes"}`, "app/version/$default"))
	env.settle()
	env.must("PATCH", "/packages/app", `{"defaultVersionName":"1"}`) // too late for the job
	if got := env.must("GET", "/jobs/fw", ""); !strings.Contains(got, `"destinationPackageVersions":["`+arnPrefix+`package/app/version/2"]`) {
		t.Errorf("DescribeJob = %s, want version 2", got)
	}
	if got := env.must("GET", "/jobs/fw?beforeSubstitution=true", ""); !strings.Contains(got, `"destinationPackageVersions":["`+arnPrefix+`package/app/version/$default"]`) {
		t.Errorf("DescribeJob before substitution = %s, want what was asked for", got)
	}
	env.want("GetJobDocument", env.must("GET", "/jobs/fw/job-document", ""),
		`{"document":"{\"all\":{\"say\":\"\\\"hi\\\"\",\"size\":\"20\"},\"size\":\"20 bytes\"}"}`)
	env.want("GetJobDocument before substitution", env.must("GET", "/jobs/fw/job-document?beforeSubstitution=true", ""),
		`{"document":"{\"all\":\"${aws:iot:package::version::attributes}\",\"size\":\"${aws:iot:package:app:version:$default:attributes:size} bytes\"}"}`)
}

func TestATemplateBringsPackageVersions(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.packages()
	env.must("PUT", "/job-templates/x", `{"description":"d","document":"{\"size\":\"${aws:iot:package::version::attributes:size}\"}","destinationPackageVersions":["`+arnPrefix+`package/app/version/$default"]}`)
	if got := env.must("GET", "/job-templates/x", ""); !strings.Contains(got, `"destinationPackageVersions":["`+arnPrefix+`package/app/version/$default"]`) {
		t.Errorf("DescribeJobTemplate = %s, want the version as it was given", got)
	}
	env.must("PUT", "/jobs/two", `{"targets":["`+arnPrefix+`thing/lamp"],"jobTemplateArn":"`+arnPrefix+`jobtemplate/x"}`)
	env.want("of the template", env.must("GET", "/jobs/two/job-document", ""), `{"document":"{\"size\":\"20\"}"}`)
	env.must("PUT", "/jobs/one", `{"targets":["`+arnPrefix+`thing/lamp"],"jobTemplateArn":"`+arnPrefix+`jobtemplate/x","destinationPackageVersions":["`+arnPrefix+`package/app/version/1"]}`)
	env.want("of the job", env.must("GET", "/jobs/one/job-document", ""), `{"document":"{\"size\":\"10\"}"}`)
}

func TestPackageVersionsThatNoJobBrings(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.packages()
	many := make([]string, 26)
	for i := range many {
		many[i] = "app/version/1"
	}
	tests := map[string]struct {
		body      string
		status    int
		errorType string
		message   string
	}{
		"a draft":                   {bringing(`{}`, "app/version/3"), 400, "InvalidRequestException", "is a draft"},
		"none of that name":         {bringing(`{}`, "app/version/4"), 404, "ResourceNotFoundException", "Version 4 of package app does not exist"},
		"of no package":             {bringing(`{}`, "lib/version/$default"), 404, "ResourceNotFoundException", "Package lib does not exist"},
		"no version":                {bringing(`{}`, "app"), 400, "InvalidRequestException", "is not the ARN of a package version"},
		"too many":                  {bringing(`{}`, many...), 410, "LimitExceededException", "at most 25"},
		"another one than is asked": {bringing(`{"a":"${aws:iot:package:app:version:2:attributes:size}"}`, "app/version/1"), 400, "InvalidRequestException", "is not among the destinationPackageVersions"},
		"no attribute of that name": {bringing(`{"a":"${aws:iot:package:app:version:1:attributes:colour}"}`, "app/version/1"), 400, "InvalidRequestException", "has no attribute colour"},
		"no artifact":               {bringing(`{"a":"${aws:iot:package::version::artifact:s3-presigned-url}"}`, "app/version/1"), 400, "InvalidRequestException", "does not have an associated artifact to generate an S3 presigned url."},
		"which of two":              {bringing(`{"a":"${aws:iot:package::version::attributes:size}"}`, "app/version/1", "app/version/2"), 400, "InvalidRequestException", "given multiple elements in destination package versions."},
		"which of none":             {`{"targets":["` + arnPrefix + `thing/lamp"],"document":"{\"a\":\"${aws:iot:package::version::attributes:size}\"}"}`, 400, "InvalidRequestException", "Cannot resolve empty package name"},
		"half a name":               {bringing(`{"a":"${aws:iot:package:app:version::attributes:size}"}`, "app/version/1"), 400, "InvalidRequestException", "Empty package name and version name have to be used in pair."},
		"a removal, asked for":      {bringing(`{"a":"${aws:iot:package:app:version:$null:attributes:size}"}`, "app/version/$null"), 400, "InvalidRequestException", "$null is not allowed to be referenced"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := env.wantError("PUT", "/jobs/fw", test.body, test.status, test.errorType)
			if !strings.Contains(got.body, test.message) {
				t.Errorf("message is %s, want %q", got.body, test.message)
			}
		})
	}
}

func TestWhatAThingCarries(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.packages()
	env.want("GetPackageConfiguration", env.must("GET", "/package-configuration", ""), `{"versionUpdateByJobsConfig":{"enabled":false}}`)
	env.wantError("PATCH", "/package-configuration", `{"versionUpdateByJobsConfig":{"enabled":true}}`, http.StatusBadRequest, "ValidationException")
	run := func(job string, status muster.Status, versions ...string) {
		t.Helper()
		env.must("PUT", "/jobs/"+job, bringing(`{}`, versions...))
		env.settle()
		env.report("lamp", job, status, nil)
	}
	carries := func() (muster.Installed, int64) {
		t.Helper()
		i, err := env.service.Catalog.Inventory(t.Context(), "lamp")
		if err != nil {
			return nil, 0
		}
		return i.Installed, i.Version
	}
	run("off", muster.Succeeded, "app/version/1")
	if i, _ := carries(); i != nil {
		t.Errorf("before it is enabled the thing carries %v, want nothing known", i)
	}
	env.must("PATCH", "/package-configuration", `{"versionUpdateByJobsConfig":{"enabled":true,"roleArn":"arn:aws:iam::1:role/service/x"}}`)
	env.must("PATCH", "/package-configuration", `{"versionUpdateByJobsConfig":{"enabled":true,"roleArn":"arn:aws:iam::111122223333:role/x"}}`)
	env.want("GetPackageConfiguration", env.must("GET", "/package-configuration", ""),
		`{"versionUpdateByJobsConfig":{"enabled":true,"roleArn":"arn:aws:iam::111122223333:role/x"}}`)
	run("bad", muster.Failed, "app/version/1")
	if i, _ := carries(); i != nil {
		t.Errorf("after a failure the thing carries %v, want nothing known", i)
	}
	run("good", muster.Succeeded, "app/version/$default")
	if i, v := carries(); i["app"].Version != "2" || i["app"].Attributes["size"] != "20" || v != 1 {
		t.Errorf("the thing carries %v at version %d, want version 2 of app at version 1", i, v)
	}
	run("away", muster.Succeeded, "app/version/$null")
	if i, v := carries(); len(i) != 0 || v != 2 {
		t.Errorf("the thing carries %v at version %d, want nothing at version 2", i, v)
	}
	env.must("DELETE", "/things/lamp", "")
	env.thing("lamp")
	if i, v := carries(); v != 0 {
		t.Errorf("a new thing of the same name carries %v, want nothing known", i)
	}
}
