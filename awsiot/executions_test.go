package awsiot

import (
	"testing"

	"github.com/muster-iot/muster"
)

func TestDescribeJobExecutionHasExactlyItsMembers(t *testing.T) { // 4
	env := newEnv(t)
	env.thing("sensor-7")
	env.job("fw", "sensor-7")
	env.want("DescribeJobExecution of a queued one", env.must("GET", "/things/sensor-7/jobs/fw", ""),
		`{"execution":{"executionNumber":1,"jobId":"fw","lastUpdatedAt":1790000000.123,"queuedAt":1790000000.123,"status":"QUEUED",`+
			`"statusDetails":{},"thingArn":"arn:aws:iot:eu-west-1:111122223333:thing/sensor-7","versionNumber":1}}`)
	env.pass(1000)
	env.report("sensor-7", "fw", muster.InProgress, map[string]string{"progress": "50%"})
	const started = `{"execution":{"executionNumber":1,"jobId":"fw","lastUpdatedAt":1790000001.123,"queuedAt":1790000000.123,"startedAt":1790000001.123,` +
		`"status":"IN_PROGRESS","statusDetails":{"detailsMap":{"progress":"50%"}},` +
		`"thingArn":"arn:aws:iot:eu-west-1:111122223333:thing/sensor-7","versionNumber":2}}`
	env.want("DescribeJobExecution of a started one", env.must("GET", "/things/sensor-7/jobs/fw?executionNumber=1", ""), started)

	env.must("PUT", "/things/sensor-7/jobs/fw/cancel?force=true", "")
	env.want("DescribeJobExecution of a cancelled one", env.must("GET", "/things/sensor-7/jobs/fw", ""),
		`{"execution":{"executionNumber":1,"forceCanceled":true,"jobId":"fw","lastUpdatedAt":1790000001.123,"queuedAt":1790000000.123,"startedAt":1790000001.123,`+
			`"status":"CANCELED","statusDetails":{"detailsMap":{"progress":"50%"}},`+
			`"thingArn":"arn:aws:iot:eu-west-1:111122223333:thing/sensor-7","versionNumber":3}}`)

	env.wantError("GET", "/things/sensor-7/jobs/fw?executionNumber=2", "", 404, "ResourceNotFoundException")
	env.wantError("GET", "/things/sensor-7/jobs/fw?executionNumber=two", "", 400, "InvalidRequestException")
	env.wantError("GET", "/things/sensor-7/jobs/none", "", 404, "ResourceNotFoundException")
}

func TestCancelJobExecution(t *testing.T) { // 7, 8
	env := newEnv(t)
	env.thing("lamp")
	env.job("fw", "lamp")
	env.wantError("PUT", "/things/lamp/jobs/fw/cancel", `{"expectedVersion":9}`, 409, "VersionConflictException")
	env.report("lamp", "fw", muster.InProgress, nil)
	env.wantError("PUT", "/things/lamp/jobs/fw/cancel", "", 409, "InvalidStateTransitionException")
	env.want("CancelJobExecution with force",
		env.must("PUT", "/things/lamp/jobs/fw/cancel?force=True", `{"expectedVersion":2,"statusDetails":{"by":"me"}}`), "")
	env.wantError("PUT", "/things/lamp/jobs/fw/cancel?force=true", "", 409, "InvalidStateTransitionException")
	env.wantError("PUT", "/things/none/jobs/fw/cancel", "", 404, "ResourceNotFoundException")
	env.wantError("PUT", "/things/lamp/jobs/fw/cancel?force=perhaps", "", 400, "InvalidRequestException")
	env.wantError("PUT", "/things/lamp/jobs/fw/cancel", `{"statusDetails":{"":"x"}}`, 400, "InvalidRequestException")
}

// jobs-data-plane.md J15 holds on this plane as well.
func TestCancelJobExecutionTakesScalarsInTheDetails(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("fw", "lamp")
	for _, bad := range []string{`{}`, `[1]`, `null`} {
		env.wantError("PUT", "/things/lamp/jobs/fw/cancel", `{"statusDetails":{"n":1,"a":`+bad+`}}`, 400, "InvalidRequestException")
	}
	env.must("PUT", "/things/lamp/jobs/fw/cancel", `{"statusDetails":{"a":1.50,"b":true,"c":"1e3"}}`)
	env.want("DescribeJobExecution", env.must("GET", "/things/lamp/jobs/fw", ""),
		`{"execution":{"executionNumber":1,"jobId":"fw","lastUpdatedAt":1790000000.123,"queuedAt":1790000000.123,"status":"CANCELED",`+
			`"statusDetails":{"detailsMap":{"a":"1.50","b":"true","c":"1e3"}},"thingArn":"arn:aws:iot:eu-west-1:111122223333:thing/lamp","versionNumber":2}}`)
}

func TestDeleteJobExecution(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("fw", "lamp")
	env.wantError("DELETE", "/things/lamp/jobs/fw/executionNumber/2", "", 404, "ResourceNotFoundException")
	env.wantError("DELETE", "/things/lamp/jobs/fw/executionNumber/first", "", 400, "InvalidRequestException")
	env.wantError("DELETE", "/things/lamp/jobs/fw/executionNumber/1?namespaceId=other", "", 404, "ResourceNotFoundException")
	env.report("lamp", "fw", muster.InProgress, nil)
	env.wantError("DELETE", "/things/lamp/jobs/fw/executionNumber/1", "", 409, "InvalidStateTransitionException")
	env.want("DeleteJobExecution with force", env.must("DELETE", "/things/lamp/jobs/fw/executionNumber/1?force=true", ""), "")
	env.wantError("GET", "/things/lamp/jobs/fw", "", 404, "ResourceNotFoundException")
}

func TestListsOfExecutions(t *testing.T) {
	env := newEnv(t)
	env.thing("sensor-7")
	env.job("fw", "sensor-7")
	const summary = `"jobExecutionSummary":{"executionNumber":1,"lastUpdatedAt":1790000000.123,"queuedAt":1790000000.123,"retryAttempt":0,"status":"QUEUED"}`
	const byJob = `{"executionSummaries":[{` + summary + `,"thingArn":"arn:aws:iot:eu-west-1:111122223333:thing/sensor-7"}]}`
	const byThing = `{"executionSummaries":[{` + summary + `,"jobId":"fw"}]}`
	const none = `{"executionSummaries":[]}`
	for target, want := range map[string]string{
		"/jobs/fw/things":                         byJob,
		"/jobs/fw/things?status=QUEUED":           byJob,
		"/jobs/fw/things?status=FAILED":           none,
		"/things/sensor-7/jobs":                   byThing,
		"/things/sensor-7/jobs?status=QUEUED":     byThing,
		"/things/sensor-7/jobs?status=FAILED":     none,
		"/things/sensor-7/jobs?jobId=fw":          byThing,
		"/things/sensor-7/jobs?jobId=other":       none,
		"/things/sensor-7/jobs?namespaceId=night": none,
	} {
		env.want("GET "+target, env.must("GET", target, ""), want)
	}
	env.wantError("GET", "/jobs/none/things", "", 404, "ResourceNotFoundException")
	env.wantError("GET", "/things/none/jobs", "", 404, "ResourceNotFoundException")
	env.wantError("GET", "/jobs/fw/things?status=DONE", "", 400, "InvalidRequestException")
	env.wantError("GET", "/things/sensor-7/jobs?maxResults=many", "", 400, "InvalidRequestException")
}
