package contract

import (
	"strings"
	"testing"

	"github.com/muster-iot/muster/awsiot/wire"
)

func TestReplies(t *testing.T) {
	const (
		execution = `{"jobId":"fw","status":"QUEUED","queuedAt":1790000000,"lastUpdatedAt":1790000000,"versionNumber":1,"executionNumber":1,"jobDocument":{"a":1}}`
		rejected  = `{"clientToken":"t","timestamp":1790000000,"code":"InvalidRequest","message":"Value at 'status' must be a string"}`
	)
	get := message{op: wire.GetPendingJobExecutions, topic: "t", token: `"t"`}
	next := message{op: wire.StartNextPendingJobExecution, topic: "t"}
	update := message{op: wire.UpdateJobExecution, topic: "t", token: `"t"`, state: true}
	bad := message{op: wire.UpdateJobExecution, topic: "t", token: `"t"`, code: "InvalidRequest", names: names{"status"}}
	tests := map[string]struct {
		message message
		topic   string
		payload string
		want    string // part of the complaint; empty if there must be none
	}{
		"lists of nothing":                  {get, "t/accepted", `{"clientToken":"t","timestamp":1790000000,"inProgressJobs":[],"queuedJobs":[]}`, ""},
		"a list is missing":                 {get, "t/accepted", `{"clientToken":"t","timestamp":1790000000,"inProgressJobs":[]}`, "queuedJobs is missing"},
		"a list that is null":               {get, "t/accepted", `{"clientToken":"t","timestamp":1790000000,"inProgressJobs":null,"queuedJobs":[]}`, "is no list"},
		"a status in a list":                {get, "t/accepted", `{"clientToken":"t","timestamp":1790000000,"inProgressJobs":[{"status":"QUEUED","jobId":"fw","queuedAt":1790000000,"lastUpdatedAt":1790000000,"executionNumber":1,"versionNumber":1}],"queuedJobs":[]}`, "no member status"},
		"another token":                     {get, "t/accepted", `{"clientToken":"u","timestamp":1790000000,"inProgressJobs":[],"queuedJobs":[]}`, "clientToken"},
		"no token":                          {get, "t/accepted", `{"timestamp":1790000000,"inProgressJobs":[],"queuedJobs":[]}`, "clientToken"},
		"another topic":                     {get, "t/get/accepted", `{"clientToken":"t","timestamp":1790000000,"inProgressJobs":[],"queuedJobs":[]}`, "another topic"},
		"milliseconds":                      {get, "t/accepted", `{"clientToken":"t","timestamp":1790000000123,"inProgressJobs":[],"queuedJobs":[]}`, "is no seconds"},
		"white space":                       {get, "t/accepted", `{"clientToken":"t", "timestamp":1790000000,"inProgressJobs":[],"queuedJobs":[]}`, "compact"},
		"an execution":                      {next, "t/accepted", `{"timestamp":1790000000,"execution":` + execution + `}`, ""},
		"no execution":                      {next, "t/accepted", `{"timestamp":1790000000}`, ""},
		"a thing's name over MQTT":          {next, "t/accepted", `{"timestamp":1790000000,"execution":` + strings.Replace(execution, `{`, `{"thingName":"lamp",`, 1) + `}`, "no member thingName"},
		"a document as a string":            {next, "t/accepted", `{"timestamp":1790000000,"execution":` + strings.Replace(execution, `{"a":1}`, `"{}"`, 1) + `}`, "is no object"},
		"details without anything in them":  {next, "t/accepted", `{"timestamp":1790000000,"execution":` + strings.Replace(execution, `{`, `{"statusDetails":{},`, 1) + `}`, "is no map"},
		"a status in lower case":            {next, "t/accepted", `{"timestamp":1790000000,"execution":` + strings.Replace(execution, `QUEUED`, `queued`, 1) + `}`, "is no status"},
		"a member twice":                    {next, "t/accepted", `{"timestamp":1790000000,"timestamp":1790000000}`, "twice"},
		"the state that was asked for":      {update, "t/accepted", `{"clientToken":"t","timestamp":1790000000,"executionState":{"status":"FAILED","versionNumber":2}}`, ""},
		"it is missing":                     {update, "t/accepted", `{"clientToken":"t","timestamp":1790000000}`, "executionState is there: false"},
		"a mismatch without its state":      {update, "t/rejected", `{"clientToken":"t","timestamp":1790000000,"code":"VersionMismatch","message":"x"}`, "executionState goes with"},
		"a mismatch with it":                {update, "t/rejected", `{"clientToken":"t","timestamp":1790000000,"code":"VersionMismatch","message":"x","executionState":{"status":"FAILED","versionNumber":2}}`, ""},
		"a fault":                           {update, "t/rejected", strings.Replace(rejected, "InvalidRequest", "InternalError", 1), "the code InternalError is none"},
		"a refusal without a reason":        {bad, "t/rejected", strings.Replace(rejected, "status", "x", 1), "does not name"},
		"bad input that is accepted":        {bad, "t/accepted", `{"clientToken":"t","timestamp":1790000000}`, "want the code InvalidRequest"},
		"bad input, refused":                {bad, "t/rejected", rejected, ""},
		"a refusal on the topic of success": {bad, "t/accepted", rejected, "another topic"},
		"no JSON":                           {bad, "t/rejected", `{`, "no JSON object"},
	}
	j, err := newJudge()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := j.reply(&test.message, reply{test.topic, []byte(test.payload)})
			switch {
			case test.want == "" && err != nil:
				t.Errorf("reply(%s) = %v, want nil", test.payload, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("reply(%s) = %v, want %q", test.payload, err, test.want)
			}
		})
	}
}
