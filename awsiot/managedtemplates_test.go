package awsiot

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestDescribeManagedJobTemplate(t *testing.T) {
	env := newEnv(t)
	const download = `{"description":"Downloads one file to a path on the device.",` +
		`"document":"{\"version\":\"1.0\",\"steps\":[{\"action\":{\"name\":\"Download-File\",\"type\":\"runHandler\",\"input\":{\"handler\":\"download-file.sh\",` +
		`\"args\":[\"${aws:iot:parameter:downloadUrl}\",\"${aws:iot:parameter:filePath}\"],\"path\":\"${aws:iot:parameter:pathToHandler}\"},` +
		`\"runAsUser\":\"${aws:iot:parameter:runAsUser}\"}}]}",` +
		`"documentParameters":[` +
		`{"description":"The URL to fetch the file from.","example":"http://www.example.com/index.html","key":"downloadUrl","optional":false,"regex":"(.*?)"},` +
		`{"description":"The path on the device that the file is written to.","example":"/path/to/file","key":"filePath","optional":false,"regex":"(.*?)"},` +
		`{"description":"The user to run as. By default, the one that the device client runs as.","example":"user1","key":"runAsUser","optional":true,"regex":"(.){0,256}"},` +
		`{"description":"The folder of the handler on the device. By default, where the device client looks for handlers.","example":"/path/to/handler/script","key":"pathToHandler","optional":true,"regex":"(.){0,4096}"}],` +
		`"environments":["LINUX"],"templateArn":"arn:aws:iot:eu-west-1::jobtemplate/AWS-Download-File:1.0",` +
		`"templateName":"AWS-Download-File","templateVersion":"1.0"}`
	for _, query := range []string{"", "?templateVersion=1.0"} {
		env.want("DescribeManagedJobTemplate"+query, env.must("GET", "/managed-job-templates/AWS-Download-File"+query, ""), download)
	}
	env.wantError("GET", "/managed-job-templates/AWS-Download-File?templateVersion=2.0", "", 404, "ResourceNotFoundException")
	env.wantError("GET", "/managed-job-templates/AWS-Download-File?templateVersion=new", "", 400, "InvalidRequestException")
	env.wantError("GET", "/managed-job-templates/AWS-Nothing", "", 404, "ResourceNotFoundException")
}

func TestListManagedJobTemplates(t *testing.T) {
	env := newEnv(t)
	env.want("ListManagedJobTemplates of one name", env.must("GET", "/managed-job-templates?templateName=AWS-Reboot", ""),
		`{"managedJobTemplates":[{"description":"Reboots the device.","environments":["LINUX"],`+
			`"templateArn":"arn:aws:iot:eu-west-1::jobtemplate/AWS-Reboot:1.0","templateName":"AWS-Reboot","templateVersion":"1.0"}]}`)
	env.wantError("GET", "/managed-job-templates?templateName=AWS-Nothing", "", 404, "ResourceNotFoundException")

	const all = "AWS-Download-File AWS-Install-Application AWS-Reboot AWS-Remove-Application AWS-Restart-Application AWS-Run-Command AWS-Start-Application AWS-Stop-Application"
	for _, limit := range []int{1, 3, 8, 250} {
		var names []string
		token := ""
		for range 10 {
			var page struct {
				ManagedJobTemplates []struct{ TemplateName string }
				NextToken           string
			}
			if err := json.Unmarshal([]byte(env.must("GET", fmt.Sprintf("/managed-job-templates?maxResults=%d%s", limit, token), "")), &page); err != nil {
				t.Fatal(err)
			}
			for _, one := range page.ManagedJobTemplates {
				names = append(names, one.TemplateName)
			}
			if page.NextToken == "" {
				break
			}
			token = "&nextToken=" + url.QueryEscape(page.NextToken)
		}
		env.want(fmt.Sprintf("ListManagedJobTemplates in pages of %d", limit), strings.Join(names, " "), all)
		if limit == 1 {
			env.wantError("GET", "/managed-job-templates?templateName=AWS-Reboot"+token, "", 400, "InvalidRequestException")
		}
	}
}

func TestAJobFromAManagedTemplateOnTheWire(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	const arn = "arn:aws:iot:eu-west-1::jobtemplate/AWS-Run-Command:1.0"
	env.want("CreateJob", env.must("PUT", "/jobs/hello", `{"targets":[`+quoted([]string{"lamp"})+`],"jobTemplateArn":"`+arn+`","documentParameters":{"command":"echo,\"hi\""}}`),
		`{"description":"Runs a command.","jobArn":"arn:aws:iot:eu-west-1:111122223333:job/hello","jobId":"hello"}`)
	seen := env.describe("hello")
	if seen["jobTemplateArn"] != arn || fmt.Sprint(seen["documentParameters"]) != `map[command:echo,"hi"]` || seen["description"] != "Runs a command." {
		t.Errorf("DescribeJob = %v, want the template, its description and the parameters", seen)
	}
	document := func(query string) string {
		var got struct{ Document string }
		if err := json.Unmarshal([]byte(env.must("GET", "/jobs/hello/job-document"+query, "")), &got); err != nil {
			t.Fatal(err)
		}
		return got.Document
	}
	env.want("GetJobDocument", document(""),
		`{"version":"1.0","steps":[{"action":{"name":"Run-Command","type":"runCommand","input":{"command":"echo,\"hi\""},"runAsUser":""}}]}`)
	env.want("GetJobDocument before substitution", document("?beforeSubstitution=true"),
		`{"version":"1.0","steps":[{"action":{"name":"Run-Command","type":"runCommand","input":{"command":"${aws:iot:parameter:command}"},"runAsUser":"${aws:iot:parameter:runAsUser}"}}]}`)

	env.must("PUT", "/job-templates/hello", `{"description":"Mine","jobArn":"`+arnPrefix+`job/hello"}`)
	if got := env.must("GET", "/job-templates/hello", ""); !strings.Contains(got, `echo,\\\"hi\\\"`) || strings.Contains(got, "parameter") {
		t.Errorf("a template of this job = %s, want the document with its parameters filled in", got)
	}
}
