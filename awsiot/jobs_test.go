package awsiot

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

// The numbers are those of jobs-control-plane.md section 11.

func TestCreateJobAnswersWithTheMembersThatTheJobHas(t *testing.T) { // 1
	env := newEnv(t)
	env.thing("sensor-7")
	const thing = "arn:aws:iot:eu-west-1:111122223333:thing/sensor-7"
	env.want("CreateJob without a description",
		env.must("PUT", "/jobs/fw-1", `{"targets":["`+thing+`"],"document":"{}"}`),
		`{"jobArn":"arn:aws:iot:eu-west-1:111122223333:job/fw-1","jobId":"fw-1"}`)
	env.want("CreateJob with a description",
		env.must("PUT", "/jobs/fw-2", `{"targets":["`+thing+`"],"document":"{}","description":"September"}`),
		`{"description":"September","jobArn":"arn:aws:iot:eu-west-1:111122223333:job/fw-2","jobId":"fw-2"}`)
}

func TestCreateJobTwiceIsAConflict(t *testing.T) { // 2
	env := newEnv(t)
	env.thing("lamp")
	env.job("fw", "lamp")
	body := `{"targets":[` + quoted([]string{"lamp"}) + `],"document":"{\"do\":\"fw\"}"}`
	for _, state := range []string{"in progress", "under deletion"} {
		if state == "under deletion" {
			env.must("DELETE", "/jobs/fw?force=true", "")
		}
		got := env.wantError("PUT", "/jobs/fw", body, http.StatusConflict, "ResourceAlreadyExistsException")
		env.want("CreateJob of a job "+state, got.body,
			`{"message":"Job fw already exists","resourceId":"fw","resourceArn":"arn:aws:iot:eu-west-1:111122223333:job/fw"}`)
	}
}

func TestCreateJobRefuses(t *testing.T) {
	const lamp = `"arn:aws:iot:eu-west-1:111122223333:thing/lamp"`
	tests := map[string]struct {
		id, body  string
		status    int
		errorType string
		message   string // part of it
	}{
		"no targets":                 {"fw", `{"document":"{}"}`, 400, "InvalidRequestException", "'targets' failed to satisfy constraint: Member must not be null"},
		"an id with a dot":           {"a.b", `{"targets":[` + lamp + `],"document":"{}"}`, 400, "InvalidRequestException", "'jobId'"},
		"a long id":                  {strings.Repeat("x", 65), `{"targets":[` + lamp + `],"document":"{}"}`, 400, "InvalidRequestException", "length less than or equal to 64"},
		"no document":                {"fw", `{"targets":[` + lamp + `]}`, 400, "InvalidRequestException", "document"},
		"parameters and no template": {"fw", `{"targets":[` + lamp + `],"document":"{}","documentParameters":{"a":"b"}}`, 400, "InvalidRequestException", "documentParameters are only valid with"},
		"an unknown placeholder":     {"fw", `{"targets":[` + lamp + `],"document":"{\"a\":\"${aws:iot:nope}\"}"}`, 400, "InvalidRequestException", "${aws:iot:nope}"},
		"two documents":              {"fw", `{"targets":[` + lamp + `],"document":"{}","documentSource":"https://s3.amazonaws.com/b/k"}`, 400, "InvalidRequestException", "exclude each other"},
		"a document of no JSON":      {"fw", `{"targets":[` + lamp + `],"document":"{\n \"ä\": 1,\n}"}`, 400, "InvalidRequestException", "The job document is not valid JSON at line 3, column 1: unexpected '}', expected a name in double quotes"},
		"a document of no object":    {"fw", `{"targets":[` + lamp + `],"document":"[]"}`, 400, "InvalidRequestException", "not a JSON object"},
		"a selection nobody knows":   {"fw", `{"targets":[` + lamp + `],"document":"{}","targetSelection":"SOME"}`, 400, "InvalidRequestException", "'targetSelection'"},
		"a description with newline": {"fw", `{"targets":[` + lamp + `],"document":"{}","description":"a\nb"}`, 400, "InvalidRequestException", "'description'"},
		"too many targets":           {"fw", `{"targets":[` + strings.Repeat(lamp+",", 100) + lamp + `],"document":"{}"}`, 410, "LimitExceededException", "100"},
		"a target of another kind":   {"fw", `{"targets":["arn:aws:iot:eu-west-1:111122223333:job/x"],"document":"{}"}`, 400, "InvalidRequestException", "neither a thing nor"},
		"a malformed target":         {"fw", `{"targets":["lamp"],"document":"{}"}`, 400, "InvalidRequestException", "not an ARN"},
		"a target that is missing":   {"fw", `{"targets":["arn:aws:iot:eu-west-1:111122223333:thing/none"],"document":"{}"}`, 404, "ResourceNotFoundException", "thing/none"},
		"a group that is missing":    {"fw", `{"targets":["arn:aws:iot:eu-west-1:111122223333:thinggroup/none"],"document":"{}"}`, 404, "ResourceNotFoundException", "thinggroup/none"},
		"a target elsewhere":         {"fw", `{"targets":["arn:aws:iot:us-east-1:111122223333:thing/lamp"],"document":"{}"}`, 404, "ResourceNotFoundException", "us-east-1"},
		"a reserved tag":             {"fw", `{"targets":[` + lamp + `],"document":"{}","tags":[{"Key":"aws:x","Value":"y"}]}`, 400, "InvalidRequestException", "aws:"},
		"a body of no JSON":          {"fw", `{"targets":`, 400, "InvalidRequestException", "not valid JSON"},
		"a wrong type":               {"fw", `{"targets":[` + lamp + `],"document":{}}`, 400, "InvalidRequestException", "'document' must be a string"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.thing("lamp")
			got := env.wantError("PUT", "/jobs/"+test.id, test.body, test.status, test.errorType)
			if !strings.Contains(got.body, test.message) {
				t.Errorf("message is %s, want one with %q", got.body, test.message)
			}
			if list := env.must("GET", "/jobs", ""); list != `{"jobs":[]}` {
				t.Errorf("jobs after a refusal: %s, want none", list)
			}
		})
	}
}

func TestEmptyConfigurationsAskForNothing(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.must("PUT", "/jobs/fw", `{"targets":[`+quoted([]string{"lamp"})+`],"document":"{}",
		"presignedUrlConfig":{},"jobExecutionsRolloutConfig":{},"timeoutConfig":{},"schedulingConfig":{},"documentParameters":{}}`)
}

func TestConfigurationsComeBackAsTheyWereGiven(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	config := `"abortConfig":{"criteriaList":[{"action":"CANCEL","failureType":"FAILED","minNumberOfExecutedThings":100,"thresholdPercentage":20.25}]},` +
		`"jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"FAILED","numberOfRetries":3},{"failureType":"TIMED_OUT","numberOfRetries":0}]},` +
		`"jobExecutionsRolloutConfig":{"exponentialRate":{"baseRatePerMinute":50,"incrementFactor":1.5,"rateIncreaseCriteria":{"numberOfSucceededThings":10}},"maximumPerMinute":1000},` +
		`"schedulingConfig":{"endBehavior":"CANCEL","endTime":"2027-01-01 00:00","maintenanceWindows":[{"durationInMinutes":60,"startTime":"cron(0 3 * * ? *)"}]},` +
		`"timeoutConfig":{"inProgressTimeoutInMinutes":100}`
	env.must("PUT", "/jobs/fw", `{"targets":[`+quoted([]string{"lamp"})+`],"document":"{}","targetSelection":"CONTINUOUS",`+config+`}`)
	answer := env.must("GET", "/jobs/fw", "")
	for _, member := range []string{"abortConfig", "jobExecutionsRetryConfig", "jobExecutionsRolloutConfig", "schedulingConfig", "timeoutConfig"} {
		var given, got map[string]json.RawMessage
		var job struct{ Job map[string]json.RawMessage }
		if json.Unmarshal([]byte("{"+config+"}"), &given) != nil || json.Unmarshal([]byte(answer), &job) != nil {
			t.Fatalf("DescribeJob = %s", answer)
		}
		if got = job.Job; string(got[member]) != string(given[member]) {
			t.Errorf("%s came back as %s, want %s", member, got[member], given[member])
		}
	}
	if !strings.Contains(answer, `"scheduledJobRollouts":[{"startTime":"2026-09-`) || strings.Count(answer, " 03:00") != 7 {
		t.Errorf("DescribeJob lists other openings than the next seven: %s", answer)
	}
	env.must("PATCH", "/jobs/fw", `{"timeoutConfig":{"inProgressTimeoutInMinutes":7}}`)
	if answer := env.must("GET", "/jobs/fw", ""); !strings.Contains(answer, `"timeoutConfig":{"inProgressTimeoutInMinutes":7}`) {
		t.Errorf("after UpdateJob: %s", answer)
	}
}

func TestConfigurationsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, config := range map[string]string{
		"a timeout of zero":                 `"timeoutConfig":{"inProgressTimeoutInMinutes":0}`,
		"windows of a snapshot job":         `"schedulingConfig":{"maintenanceWindows":[{"durationInMinutes":60,"startTime":"cron(0 3 * * ? *)"}]}`,
		"a cron expression of five fields":  `"targetSelection":"CONTINUOUS","schedulingConfig":{"maintenanceWindows":[{"durationInMinutes":60,"startTime":"cron(0 3 * * ?)"}]}`,
		"a start in the past":               `"schedulingConfig":{"startTime":"2020-01-01 00:00"}`,
		"too many retries":                  `"jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"FAILED","numberOfRetries":6},{"failureType":"TIMED_OUT","numberOfRetries":5}]}`,
		"a threshold of three decimals":     `"abortConfig":{"criteriaList":[{"action":"CANCEL","failureType":"FAILED","minNumberOfExecutedThings":1,"thresholdPercentage":20.125}]}`,
		"an exponential rate without steps": `"jobExecutionsRolloutConfig":{"exponentialRate":{"baseRatePerMinute":50,"incrementFactor":1.5,"rateIncreaseCriteria":{}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.thing("lamp")
			env.wantError("PUT", "/jobs/fw", `{"targets":[`+quoted([]string{"lamp"})+`],"document":"{}",`+config+`}`, 400, "InvalidRequestException")
		})
	}
}

func TestDescribeJobHasExactlyItsMembers(t *testing.T) { // 3, 5
	env := newEnv(t)
	env.thing("sensor-7", "sensor-8")
	env.must("PUT", "/jobs/fw", `{"targets":[`+quoted([]string{"sensor-7", "sensor-8"})+`],"document":"{}","jobExecutionsRolloutConfig":{"maximumPerMinute":1}}`)
	env.want("DescribeJob while rolling out", env.must("GET", "/jobs/fw", ""),
		`{"job":{"createdAt":1790000000.123,"isConcurrent":true,"jobArn":"arn:aws:iot:eu-west-1:111122223333:job/fw",`+
			`"jobExecutionsRolloutConfig":{"maximumPerMinute":1},"jobId":"fw",`+
			`"jobProcessDetails":{"numberOfCanceledThings":0,"numberOfFailedThings":0,"numberOfInProgressThings":0,"numberOfQueuedThings":1,`+
			`"numberOfRejectedThings":0,"numberOfRemovedThings":0,"numberOfSucceededThings":0,"numberOfTimedOutThings":0,`+
			`"processingTargets":["arn:aws:iot:eu-west-1:111122223333:thing/sensor-8"]},`+
			`"lastUpdatedAt":1790000000.123,"presignedUrlConfig":{},"status":"IN_PROGRESS","targetSelection":"SNAPSHOT",`+
			`"targets":["arn:aws:iot:eu-west-1:111122223333:thing/sensor-7","arn:aws:iot:eu-west-1:111122223333:thing/sensor-8"],"timeoutConfig":{}}}`)

	env.pass(60_000)
	env.settle()
	env.want("DescribeJob when rolled out", env.must("GET", "/jobs/fw?beforeSubstitution=TRUE", ""),
		`{"job":{"createdAt":1790000000.123,"isConcurrent":false,"jobArn":"arn:aws:iot:eu-west-1:111122223333:job/fw",`+
			`"jobExecutionsRolloutConfig":{"maximumPerMinute":1},"jobId":"fw",`+
			`"jobProcessDetails":{"numberOfCanceledThings":0,"numberOfFailedThings":0,"numberOfInProgressThings":0,"numberOfQueuedThings":2,`+
			`"numberOfRejectedThings":0,"numberOfRemovedThings":0,"numberOfSucceededThings":0,"numberOfTimedOutThings":0},`+
			`"lastUpdatedAt":1790000060.123,"presignedUrlConfig":{},"status":"IN_PROGRESS","targetSelection":"SNAPSHOT",`+
			`"targets":["arn:aws:iot:eu-west-1:111122223333:thing/sensor-7","arn:aws:iot:eu-west-1:111122223333:thing/sensor-8"],"timeoutConfig":{}}}`)

	env.report("sensor-7", "fw", muster.Succeeded, nil)
	env.report("sensor-8", "fw", muster.Succeeded, nil)
	job := env.describe("fw")
	for _, name := range []string{"forceCanceled", "comment", "reasonCode", "description", "namespaceId", "abortConfig", "jobTemplateArn"} {
		if value, ok := job[name]; ok {
			t.Errorf("DescribeJob of a completed job has %s: %v, want it absent", name, value)
		}
	}
	if job["status"] != "COMPLETED" || job["completedAt"] != 1790000060.123 {
		t.Errorf("DescribeJob of a completed job = %v at %v, want COMPLETED at 1790000060.123", job["status"], job["completedAt"])
	}
}

func (env *env) describe(id string) map[string]any {
	env.t.Helper()
	var got struct{ Job map[string]any }
	if err := json.Unmarshal([]byte(env.must("GET", "/jobs/"+id, "")), &got); err != nil {
		env.t.Fatal(err)
	}
	return got.Job
}

func TestCancelJob(t *testing.T) { // 6
	env := newEnv(t)
	env.thing("lamp", "pump")
	env.job("fw", "lamp", "pump")
	env.report("lamp", "fw", muster.InProgress, nil)

	env.want("CancelJob", env.must("PUT", "/jobs/fw/cancel", `{"comment":"no more","reasonCode":"BAD_BUILD"}`),
		`{"jobArn":"arn:aws:iot:eu-west-1:111122223333:job/fw","jobId":"fw"}`)
	job := env.describe("fw")
	if job["status"] != "CANCELED" || job["comment"] != "no more" || job["reasonCode"] != "BAD_BUILD" || job["forceCanceled"] != nil {
		t.Errorf("DescribeJob after CancelJob = %v", job)
	}
	env.wantError("PUT", "/jobs/fw/cancel", "", 400, "InvalidRequestException")
	env.must("PUT", "/jobs/fw/cancel?force=true", "")
	if job := env.describe("fw"); job["forceCanceled"] != true {
		t.Errorf("DescribeJob after CancelJob with force has forceCanceled %v, want true", job["forceCanceled"])
	}
	env.settle()
	env.wantError("PUT", "/jobs/fw/cancel?force=true", "", 400, "InvalidRequestException")

	env.job("done", "lamp")
	env.report("lamp", "done", muster.Succeeded, nil)
	env.wantError("PUT", "/jobs/done/cancel", "", 400, "InvalidRequestException")
	env.wantError("PUT", "/jobs/none/cancel", "", 404, "ResourceNotFoundException")
	env.wantError("PUT", "/jobs/fw/cancel", `{"reasonCode":"lower"}`, 400, "InvalidRequestException")
}

func TestDeleteJob(t *testing.T) { // 6
	env := newEnv(t)
	env.thing("lamp")
	env.job("fw", "lamp")
	env.wantError("DELETE", "/jobs/fw", "", 409, "InvalidStateTransitionException")
	env.want("DeleteJob with force", env.must("DELETE", "/jobs/fw?force=true", ""), "")
	env.wantError("DELETE", "/jobs/fw?force=true", "", 409, "InvalidStateTransitionException")
	env.wantError("PUT", "/jobs/fw/cancel", "", 400, "InvalidRequestException")
	env.settle()
	env.wantError("GET", "/jobs/fw", "", 404, "ResourceNotFoundException")
	env.wantError("DELETE", "/jobs/fw", "", 404, "ResourceNotFoundException")
	env.job("fw", "lamp") // the id is free again
}

func TestGetJobDocumentGivesTheTextBack(t *testing.T) { // 10
	env := newEnv(t)
	env.thing("lamp")
	document := "{ \"a\" :\t[1, 2.50, \"é \\u00e9 ${x}\"] \n}"
	in, _ := json.Marshal(map[string]any{"targets": []string{testAccount.ARN("thing", "lamp")}, "document": document})
	env.must("PUT", "/jobs/fw", string(in))
	var got struct{ Document string }
	if err := json.Unmarshal([]byte(env.must("GET", "/jobs/fw/job-document", "")), &got); err != nil {
		t.Fatal(err)
	}
	env.want("GetJobDocument", got.Document, document)
	env.wantError("GET", "/jobs/none/job-document", "", 404, "ResourceNotFoundException")
}

func TestListJobsReachesEveryJobPageByPage(t *testing.T) { // 12
	env := newEnv(t)
	env.thing("lamp")
	for i := range 5 {
		env.job(fmt.Sprintf("fw-%d", i), "lamp")
		env.pass(10)
	}
	var ids []string
	token := ""
	for range 10 {
		var page struct {
			Jobs      []struct{ JobID string }
			NextToken *string
		}
		body := env.must("GET", "/jobs?maxResults=1"+token, "")
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		for _, j := range page.Jobs {
			ids = append(ids, j.JobID)
		}
		if page.NextToken == nil {
			break
		}
		token = "&nextToken=" + url.QueryEscape(*page.NextToken)
	}
	env.want("ListJobs page by page", strings.Join(ids, " "), "fw-4 fw-3 fw-2 fw-1 fw-0")

	env.wantError("GET", "/jobs?status=COMPLETED"+token, "", 400, "InvalidRequestException")
	env.wantError("GET", "/jobs?nextToken=garbage", "", 400, "InvalidRequestException")
	env.wantError("GET", "/jobs?maxResults=0", "", 400, "InvalidRequestException")
	env.wantError("GET", "/jobs?maxResults=251", "", 400, "InvalidRequestException")
	env.wantError("GET", "/jobs?thingGroupName=none", "", 404, "ResourceNotFoundException")
}

func TestListJobsFilters(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("once", "lamp")
	env.pass(10)
	env.must("PUT", "/jobs/always", `{"targets":[`+quoted([]string{"lamp"})+`],"document":"{}","targetSelection":"CONTINUOUS","namespaceId":"night"}`)
	env.settle()
	const always = `{"jobs":[{"createdAt":1790000000.133,"isConcurrent":false,"jobArn":"arn:aws:iot:eu-west-1:111122223333:job/always",` +
		`"jobId":"always","lastUpdatedAt":1790000000.133,"status":"IN_PROGRESS","targetSelection":"CONTINUOUS"}]}`
	for _, query := range []string{"targetSelection=CONTINUOUS", "namespaceId=night", "status=IN_PROGRESS&namespaceId=night"} {
		env.want("ListJobs?"+query, env.must("GET", "/jobs?"+query, ""), always)
	}
	env.want("ListJobs?status=COMPLETED", env.must("GET", "/jobs?status=COMPLETED", ""), `{"jobs":[]}`)
	env.wantError("GET", "/jobs?status=SUCCEEDED", "", 400, "InvalidRequestException")
}

func TestUpdateJob(t *testing.T) { // 13
	env := newEnv(t)
	env.thing("lamp")
	env.job("fw", "lamp")
	retries := func(n int) string {
		return fmt.Sprintf(`{"jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"FAILED","numberOfRetries":%d}]}}`, n)
	}
	env.wantError("PATCH", "/jobs/fw", retries(2), 400, "InvalidRequestException")
	env.must("PATCH", "/jobs/fw", retries(0))
	for _, nothing := range []string{"", "{}", `{"description":null}`, `{"timeoutConfig":{}}`} {
		got := env.wantError("PATCH", "/jobs/fw", nothing, 400, "InvalidRequestException")
		env.want("UpdateJob of nothing", got.body, `{"message":"Update Job request for job fw cannot be empty"}`)
	}
	env.must("PATCH", "/jobs/fw", `{"description":"new"}`)
	if got := env.describe("fw")["description"]; got != "new" {
		t.Errorf("description after UpdateJob is %v, want new", got)
	}
	env.wantError("PATCH", "/jobs/fw", `{"timeoutConfig":{"inProgressTimeoutInMinutes":10081}}`, 400, "InvalidRequestException")
	env.wantError("PATCH", "/jobs/fw?namespaceId=other", `{"description":"x"}`, 404, "ResourceNotFoundException")
	env.report("lamp", "fw", muster.Succeeded, nil)
	env.wantError("PATCH", "/jobs/fw", `{"description":"late"}`, 400, "InvalidRequestException")
	env.wantError("PATCH", "/jobs/none", `{"description":"x"}`, 404, "ResourceNotFoundException")
}

func TestAssociateTargetsWithJob(t *testing.T) { // 14
	env := newEnv(t)
	env.thing("lamp", "pump")
	env.job("once", "lamp")
	pump := `{"targets":[` + quoted([]string{"pump"}) + `],"comment":"more"}`
	env.wantError("POST", "/jobs/once/targets", pump, 400, "InvalidRequestException")
	env.wantError("POST", "/jobs/none/targets", pump, 404, "ResourceNotFoundException")

	env.must("PUT", "/jobs/always", `{"targets":[`+quoted([]string{"lamp"})+`],"document":"{}","targetSelection":"CONTINUOUS","description":"d"}`)
	env.want("AssociateTargetsWithJob", env.must("POST", "/jobs/always/targets", pump),
		`{"description":"d","jobArn":"arn:aws:iot:eu-west-1:111122223333:job/always","jobId":"always"}`)
	env.settle()
	job := env.describe("always")
	if job["comment"] != "more" || len(job["targets"].([]any)) != 2 {
		t.Errorf("DescribeJob after AssociateTargetsWithJob = %v, want two targets and the comment", job)
	}
	env.wantError("POST", "/jobs/always/targets", `{"targets":["arn:aws:iot:eu-west-1:111122223333:thing/none"]}`, 404, "ResourceNotFoundException")
	env.wantError("POST", "/jobs/always/targets", `{"targets":[]}`, 400, "InvalidRequestException")
}

// The forms in which clients write startTime and endTime (arbitration A27).
func TestTimesOfASchedule(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	for i, form := range []string{"2026-10-18T%s", "2026-10-18 %s", "2026-10-18T%sZ", "2026-10-18 %sZ", "2026-10-18T%s:00", "2026-10-18 %s:00Z"} {
		start, end := fmt.Sprintf(form, "06:05"), fmt.Sprintf(form, "07:05")
		env.must("PUT", fmt.Sprintf("/jobs/fw-%d", i), fmt.Sprintf(
			`{"targets":[%s],"document":"{}","schedulingConfig":{"startTime":%q,"endTime":%q,"endBehavior":"CANCEL"}}`, quoted([]string{"lamp"}), start, end))
	}
	for _, bad := range []string{"2026-10-18", "2026-10-18T06:05+02:00", "2026-10-18t06:05", "18.10.2026 06:05"} {
		env.wantError("PUT", "/jobs/bad", fmt.Sprintf(`{"targets":[%s],"document":"{}","schedulingConfig":{"startTime":%q}}`, quoted([]string{"lamp"}), bad), 400, "InvalidRequestException")
	}
}
