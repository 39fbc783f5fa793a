package awsiot

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

const nightly = `"abortConfig":{"criteriaList":[{"action":"CANCEL","failureType":"FAILED","minNumberOfExecutedThings":100,"thresholdPercentage":20}]},` +
	`"jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"FAILED","numberOfRetries":3}]},` +
	`"jobExecutionsRolloutConfig":{"maximumPerMinute":100},` +
	`"maintenanceWindows":[{"durationInMinutes":60,"startTime":"cron(0 3 * * ? *)"}],` +
	`"timeoutConfig":{"inProgressTimeoutInMinutes":100}`

func TestAJobTemplateOnTheWire(t *testing.T) {
	env := newEnv(t)
	env.want("CreateJobTemplate", env.must("PUT", "/job-templates/nightly", `{"description":"At night","document":"{ \"do\": 1 }",`+nightly+`}`),
		`{"jobTemplateArn":"arn:aws:iot:eu-west-1:111122223333:jobtemplate/nightly","jobTemplateId":"nightly"}`)
	var got, want any
	answer := env.must("GET", "/job-templates/nightly", "")
	expected := `{"jobTemplateArn":"arn:aws:iot:eu-west-1:111122223333:jobtemplate/nightly","jobTemplateId":"nightly","description":"At night",` +
		`"document":"{ \"do\": 1 }","createdAt":1790000000.123,` + nightly + `}`
	if json.Unmarshal([]byte(answer), &got) != nil || json.Unmarshal([]byte(expected), &want) != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("DescribeJobTemplate\n got %s\nwant %s", answer, expected)
	}
	env.pass(1000)
	env.must("PUT", "/job-templates/plain", `{"description":"Plain","document":"{}"}`)
	env.want("DescribeJobTemplate of one without configurations", env.must("GET", "/job-templates/plain", ""),
		`{"createdAt":1790000001.123,"description":"Plain","document":"{}",`+
			`"jobTemplateArn":"arn:aws:iot:eu-west-1:111122223333:jobtemplate/plain","jobTemplateId":"plain"}`)
	env.want("ListJobTemplates, newest first", env.must("GET", "/job-templates", ""), `{"jobTemplates":[`+
		`{"createdAt":1790000001.123,"description":"Plain","jobTemplateArn":"arn:aws:iot:eu-west-1:111122223333:jobtemplate/plain","jobTemplateId":"plain"},`+
		`{"createdAt":1790000000.123,"description":"At night","jobTemplateArn":"arn:aws:iot:eu-west-1:111122223333:jobtemplate/nightly","jobTemplateId":"nightly"}]}`)
	env.want("DeleteJobTemplate", env.must("DELETE", "/job-templates/plain", ""), "")
	env.wantError("GET", "/job-templates/plain", "", 404, "ResourceNotFoundException")
	env.wantError("DELETE", "/job-templates/plain", "", 404, "ResourceNotFoundException")
}

func TestCreateJobTemplateRefuses(t *testing.T) {
	const job = `"jobArn":"` + arnPrefix + `job/%s"`
	for name, test := range map[string]struct {
		id, body  string
		status    int
		errorType string
		message   string // part of it
	}{
		"no description":                {"x", `{"document":"{}"}`, 400, "InvalidRequestException", "'description'"},
		"a description with a newline":  {"x", `{"description":"a\nb","document":"{}"}`, 400, "InvalidRequestException", "'description'"},
		"an id with a dot":              {"a.b", `{"description":"d","document":"{}"}`, 400, "InvalidRequestException", "'jobTemplateId'"},
		"nothing to make it of":         {"x", `{"description":"d"}`, 400, "InvalidRequestException", "One of document, documentSource and jobArn is required"},
		"a document and a job":          {"x", `{"description":"d","document":"{}",` + fmt.Sprintf(job, "fw") + `}`, 400, "InvalidRequestException", "document and jobArn exclude each other"},
		"a source and a job":            {"x", `{"description":"d","documentSource":"https://s3.amazonaws.com/b/k",` + fmt.Sprintf(job, "fw") + `}`, 400, "InvalidRequestException", "documentSource and jobArn exclude"},
		"a source without a store":      {"x", `{"description":"d","documentSource":"https://s3.amazonaws.com/b/k"}`, 400, "InvalidRequestException", "This server has no store of job files"},
		"no package version":            {"x", `{"description":"d","document":"{}","destinationPackageVersions":["` + arnPrefix + `package/p"]}`, 400, "InvalidRequestException", "is not the ARN of a package version"},
		"URLs of a short life":          {"x", `{"description":"d","document":"{}","presignedUrlConfig":{"expiresInSec":59}}`, 400, "InvalidRequestException", "'presignedUrlConfig.expiresInSec'"},
		"a role that is none":           {"x", `{"description":"d","document":"{}","presignedUrlConfig":{"roleArn":"arn:aws:iam::111122223333:user/u"}}`, 400, "InvalidRequestException", "is not the ARN of a role"},
		"a presigned URL of nothing":    {"x", `{"description":"d","document":"{\"u\":\"${aws:iot:s3-presigned-url:b/k}\"}"}`, 400, "InvalidRequestException", "Provided argument for presigned url is invalid"},
		"a job that is missing":         {"x", `{"description":"d",` + fmt.Sprintf(job, "none") + `}`, 404, "ResourceNotFoundException", "Job none not found"},
		"something else than a job":     {"x", `{"description":"d","jobArn":"` + arnPrefix + `thing/lamp"}`, 400, "InvalidRequestException", "is not a job"},
		"a job elsewhere":               {"x", `{"description":"d","jobArn":"arn:aws:iot:us-east-1:111122223333:job/fw"}`, 404, "ResourceNotFoundException", "us-east-1"},
		"a document of no object":       {"x", `{"description":"d","document":"7"}`, 400, "InvalidRequestException", "not a JSON object"},
		"a parameter":                   {"x", `{"description":"d","document":"{\"a\":\"${aws:iot:parameter:p}\"}"}`, 400, "InvalidRequestException", "only valid in AWS managed job templates"},
		"a placeholder without an end":  {"x", `{"description":"d","document":"{\"a\":\"${aws:iot:parameter:p\"}"}`, 400, "InvalidRequestException", "One or more parameters or placeholders are not terminated."},
		"a window with a bad cron":      {"x", `{"description":"d","document":"{}","maintenanceWindows":[{"startTime":"cron(0 3 * * ?)","durationInMinutes":60}]}`, 400, "InvalidRequestException", "cron"},
		"a timeout of zero":             {"x", `{"description":"d","document":"{}","timeoutConfig":{"inProgressTimeoutInMinutes":0}}`, 400, "InvalidRequestException", "inProgressTimeoutInMinutes"},
		"a rate that never grows":       {"x", `{"description":"d","document":"{}","jobExecutionsRolloutConfig":{"exponentialRate":{"baseRatePerMinute":50,"incrementFactor":1.5,"rateIncreaseCriteria":{}}}}`, 400, "InvalidRequestException", "rateIncreaseCriteria"},
		"a reserved tag":                {"x", `{"description":"d","document":"{}","tags":[{"Key":"aws:x","Value":"y"}]}`, 400, "InvalidRequestException", "aws:"},
		"an id that is taken":           {"taken", `{"description":"d","document":"{}"}`, 409, "ConflictException", `"resourceId":"taken"`},
		"an id that is taken, bad text": {"taken", `{"description":"d","document":"{"}`, 400, "InvalidRequestException", "The job document is not valid JSON at line 1, column 2: unexpected end of the text"},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.thing("lamp")
			env.job("fw", "lamp")
			env.must("PUT", "/job-templates/taken", `{"description":"d","document":"{}"}`)
			got := env.wantError("PUT", "/job-templates/"+test.id, test.body, test.status, test.errorType)
			if !strings.Contains(got.body, test.message) {
				t.Errorf("message is %s, want one with %q", got.body, test.message)
			}
			if list := env.must("GET", "/job-templates", ""); strings.Count(list, "jobTemplateId") != 1 {
				t.Errorf("templates after a refusal: %s, want one", list)
			}
		})
	}
}

func TestListJobTemplatesPageByPage(t *testing.T) {
	env := newEnv(t)
	for i := range 5 {
		env.must("PUT", fmt.Sprintf("/job-templates/t%d", i), `{"description":"d","document":"{}"}`)
		env.pass(10)
	}
	var ids []string
	token := ""
	for range 10 {
		var page struct {
			JobTemplates []struct{ JobTemplateID string }
			NextToken    string
		}
		if err := json.Unmarshal([]byte(env.must("GET", "/job-templates?maxResults=2"+token, "")), &page); err != nil {
			t.Fatal(err)
		}
		for _, one := range page.JobTemplates {
			ids = append(ids, one.JobTemplateID)
		}
		if page.NextToken == "" {
			break
		}
		token = "&nextToken=" + url.QueryEscape(page.NextToken)
	}
	env.want("ListJobTemplates page by page", strings.Join(ids, " "), "t4 t3 t2 t1 t0")
	env.wantError("GET", "/job-templates?nextToken=garbage", "", 400, "InvalidRequestException")
	env.wantError("GET", "/job-templates?maxResults=251", "", 400, "InvalidRequestException")
	env.wantError("GET", "/managed-job-templates?maxResults=2"+token, "", 400, "InvalidRequestException")
}

func TestAJobFromATemplateOnTheWire(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.must("PUT", "/job-templates/nightly", `{"description":"At night","document":"{ \"do\": 1 }",`+nightly+`}`)
	job := `{"targets":[` + quoted([]string{"lamp"}) + `],"targetSelection":"CONTINUOUS","jobTemplateArn":"` + arnPrefix + `jobtemplate/nightly"`
	env.want("CreateJob answers with the template's description", env.must("PUT", "/jobs/fw", job+`}`),
		`{"description":"At night","jobArn":"arn:aws:iot:eu-west-1:111122223333:job/fw","jobId":"fw"}`)
	for range 2 {
		seen := env.describe("fw")
		if seen["jobTemplateArn"] != arnPrefix+"jobtemplate/nightly" || seen["description"] != "At night" || seen["documentParameters"] != nil ||
			fmt.Sprint(seen["schedulingConfig"]) != "map[maintenanceWindows:[map[durationInMinutes:60 startTime:cron(0 3 * * ? *)]]]" ||
			fmt.Sprint(seen["timeoutConfig"]) != "map[inProgressTimeoutInMinutes:100]" {
			t.Errorf("DescribeJob = %v, want what the template says", seen)
		}
		env.want("GetJobDocument", env.must("GET", "/jobs/fw/job-document?beforeSubstitution=true", ""), `{"document":"{ \"do\": 1 }"}`)
		env.send("DELETE", "/job-templates/nightly", "") // changes nothing of the job
	}
	env.wantError("PUT", "/jobs/late", job+`}`, 404, "ResourceNotFoundException")
}

func TestCreateJobFromATemplateRefuses(t *testing.T) {
	const custom = `"jobTemplateArn":"` + arnPrefix + `jobtemplate/plain"`
	const run = `"jobTemplateArn":"arn:aws:iot:eu-west-1::jobtemplate/AWS-Run-Command:1.0"`
	for name, test := range map[string]struct {
		target, body string
		status       int
		errorType    string
		message      string
	}{
		"a template and a document (jobs-control-plane.md J6)": {"lamp", custom + `,"document":"{}"`, 400, "InvalidRequestException", "document and jobTemplateArn exclude each other"},
		"a template and a source (jobs-control-plane.md J6)":   {"lamp", custom + `,"documentSource":"https://s3.amazonaws.com/b/k"`, 400, "InvalidRequestException", "documentSource and jobTemplateArn exclude"},
		"an unknown template":                     {"lamp", `"jobTemplateArn":"` + arnPrefix + `jobtemplate/none"`, 404, "ResourceNotFoundException", "Job template none not found"},
		"an unknown managed template":             {"lamp", `"jobTemplateArn":"arn:aws:iot:eu-west-1::jobtemplate/AWS-None:1.0"`, 404, "ResourceNotFoundException", "AWS-None:1.0 not found"},
		"an unknown version":                      {"lamp", `"jobTemplateArn":"arn:aws:iot:eu-west-1::jobtemplate/AWS-Reboot:9.9"`, 404, "ResourceNotFoundException", "AWS-Reboot:9.9 not found"},
		"no template's ARN":                       {"lamp", `"jobTemplateArn":"` + arnPrefix + `job/plain"`, 400, "InvalidRequestException", "is not a job template"},
		"parameters of a custom template":         {"lamp", custom + `,"documentParameters":{"command":"ls"}`, 400, "InvalidRequestException", "documentParameters are only valid with"},
		"a required parameter is missing":         {"lamp", run, 400, "InvalidRequestException", "requires the document parameter command"},
		"an unknown parameter":                    {"lamp", run + `,"documentParameters":{"command":"ls","x":"y"}`, 400, "InvalidRequestException", "no document parameter x"},
		"a value that does not match":             {"lamp", run + `,"documentParameters":{"command":"ls","runAsUser":"` + strings.Repeat("u", 257) + `"}`, 400, "InvalidRequestException", "does not match"},
		"an empty value":                          {"lamp", run + `,"documentParameters":{"command":""}`, 400, "InvalidRequestException", "documentParameters"},
		"a value that is a placeholder":           {"lamp", run + `,"documentParameters":{"command":"${aws:iot:parameter:runAsUser}"}`, 400, "InvalidRequestException", "only valid in AWS managed"},
		"a value that opens a placeholder":        {"lamp", run + `,"documentParameters":{"command":"${aws:iot:"}`, 400, "InvalidRequestException", "not terminated"},
		"values too long for a document":          {"lamp", `"jobTemplateArn":"arn:aws:iot:eu-west-1::jobtemplate/AWS-Download-File:1.0","documentParameters":{"downloadUrl":"` + strings.Repeat("u", 30000) + `","filePath":"` + strings.Repeat("p", 3000) + `"}`, 400, "InvalidRequestException", "at most 32768"},
		"targets are looked at first":             {"none", `"jobTemplateArn":"` + arnPrefix + `jobtemplate/none","documentParameters":{"a":"b"}`, 404, "ResourceNotFoundException", "thing/none"},
		"the template before its parameters":      {"lamp", `"jobTemplateArn":"` + arnPrefix + `jobtemplate/none","documentParameters":{"a":"b"}`, 404, "ResourceNotFoundException", "Job template none"},
		"parameters before the configuration":     {"lamp", run + `,"abortConfig":{"criteriaList":[{"action":"CANCEL","failureType":"FAILED","minNumberOfExecutedThings":1,"thresholdPercentage":0.001}]}`, 400, "InvalidRequestException", "parameter command"},
		"the windows of a template in a snapshot": {"lamp", `"jobTemplateArn":"` + arnPrefix + `jobtemplate/nightly"`, 400, "InvalidRequestException", "maintenanceWindows"},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.thing("lamp")
			env.must("PUT", "/job-templates/plain", `{"description":"d","document":"{}"}`)
			env.must("PUT", "/job-templates/nightly", `{"description":"d","document":"{}",`+nightly+`}`)
			got := env.wantError("PUT", "/jobs/fw", `{"targets":[`+quoted([]string{test.target})+`],`+test.body+`}`, test.status, test.errorType)
			if !strings.Contains(got.body, test.message) {
				t.Errorf("message is %s, want one with %q", got.body, test.message)
			}
			env.wantError("GET", "/jobs/fw", "", 404, "ResourceNotFoundException")
		})
	}
}
