package awsiot

import (
	"strings"
	"testing"
)

// Jobs and templates show presignedUrlConfig as it was given
// (jobs-control-plane.md sections 3.2, 3.8 and 3.14).
func TestPresignedURLConfig(t *testing.T) {
	const role = `"roleArn":"arn:aws:iam::111122223333:role/downloads"`
	env := newEnv(t)
	env.thing("lamp")
	lamp := `"targets":[` + quoted([]string{"lamp"}) + `]`
	shows := func(call, answer, want string) {
		t.Helper()
		if !strings.Contains(answer, want) {
			t.Errorf("%s: %s, want one with %s", call, answer, want)
		}
	}
	env.must("PUT", "/jobs/fw", `{`+lamp+`,"document":"{}","presignedUrlConfig":{`+role+`,"expiresInSec":60}}`)
	shows("DescribeJob", env.must("GET", "/jobs/fw", ""), `"presignedUrlConfig":{"expiresInSec":60,`+role+`}`)
	const short = `"presignedUrlConfig":{"roleArn":"arn:aws:iam::1:role/service-role/iot_job_role"}`
	env.must("PATCH", "/jobs/fw", `{`+short+`}`)
	shows("DescribeJob with a role of moto's", env.must("GET", "/jobs/fw", ""), short)
	env.must("PATCH", "/jobs/fw", `{"presignedUrlConfig":{`+role+`}}`)
	shows("DescribeJob after UpdateJob", env.must("GET", "/jobs/fw", ""), `"presignedUrlConfig":{`+role+`}`)
	env.wantError("PATCH", "/jobs/fw", `{"presignedUrlConfig":{"expiresInSec":3601}}`, 400, "InvalidRequestException")
	env.must("PATCH", "/jobs/fw", `{"presignedUrlConfig":{}}`)
	shows("DescribeJob after it was taken away", env.must("GET", "/jobs/fw", ""), `"presignedUrlConfig":{}`)

	env.must("PUT", "/job-templates/t", `{"description":"d","document":"{}","presignedUrlConfig":{`+role+`,"expiresInSec":3600}}`)
	shows("DescribeJobTemplate", env.must("GET", "/job-templates/t", ""), `"presignedUrlConfig":{"expiresInSec":3600,`+role+`}`)
	env.must("PUT", "/jobs/of-template", `{`+lamp+`,"jobTemplateArn":"`+arnPrefix+`jobtemplate/t"}`)
	shows("DescribeJob of one from it", env.must("GET", "/jobs/of-template", ""), `"presignedUrlConfig":{"expiresInSec":3600,`+role+`}`)
	env.must("PUT", "/job-templates/copy", `{"description":"d","jobArn":"`+arnPrefix+`job/of-template"}`)
	shows("DescribeJobTemplate of a copy", env.must("GET", "/job-templates/copy", ""), `"presignedUrlConfig":{"expiresInSec":3600,`+role+`}`)
}
