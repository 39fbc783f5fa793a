package wiretest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muster-iot/muster/awsiot/wire"
)

func TestVerify(t *testing.T) {
	c := New(t)
	tests := map[string]struct {
		op     *wire.Operation
		status int
		code   string // of an error
		body   string
		want   string // part of the complaint; empty when there must be none
	}{
		"a full answer":                    {wire.DescribeJob, 200, "", `{"job":{"jobId":"fw","createdAt":1790000009.214,"status":"IN_PROGRESS"}}`, ""},
		"a whole second":                   {wire.DescribeJob, 200, "", `{"job":{"createdAt":1790000009}}`, ""},
		"an unknown member":                {wire.DescribeJob, 200, "", `{"job":{"jobID":"fw"}}`, "no member jobID"},
		"a member of the wrong type":       {wire.DescribeJob, 200, "", `{"job":{"jobId":7}}`, "body.job.jobId: 7 is no string"},
		"null instead of nothing":          {wire.DescribeJob, 200, "", `{"job":null}`, "is no structure"},
		"a member given twice":             {wire.DescribeJob, 200, "", `{"job":{},"job":{}}`, "job twice"},
		"milliseconds":                     {wire.DescribeJob, 200, "", `{"job":{"createdAt":1790000009214}}`, "is no timestamp"},
		"microseconds":                     {wire.DescribeJob, 200, "", `{"job":{"createdAt":1790000009.214001}}`, "is no timestamp"},
		"a fraction on the data plane":     {wire.DataDescribeJobExecution, 200, "", `{"execution":{"queuedAt":1790000009.5}}`, "is no long"},
		"a status that is none":            {wire.DescribeJob, 200, "", `{"job":{"status":"QUIET"}}`, "is none of"},
		"a map":                            {wire.DescribeThing, 200, "", `{"attributes":{"a":"b"}}`, ""},
		"a map with an unknown key":        {wire.DescribeEventConfigurations, 200, "", `{"eventConfigurations":{"JOBS":{"Enabled":true}}}`, "is none of"},
		"a list":                           {wire.ListThings, 200, "", `{"things":[{"thingName":"lamp","version":1}]}`, ""},
		"a list element of the wrong type": {wire.ListThings, 200, "", `{"things":["lamp"]}`, "body.things[0]"},
		"two documents":                    {wire.ListThings, 200, "", `{} {}`, "follows"},
		"cut off":                          {wire.ListThings, 200, "", `{"things":[`, "EOF"},
		"nothing where something must be":  {wire.ListThings, 200, "", ``, "EOF"},
		"no output, no body":               {wire.DeleteJob, 200, "", ``, ""},
		"no output, an empty object":       {wire.DeleteJob, 200, "", `{}`, ""},
		"no output, some body":             {wire.DeleteJob, 200, "", `{"a":1}`, "no output"},
		"another success":                  {wire.DeleteJob, 204, "", ``, "not modeled"},
		"a modeled error":                  {wire.CreateJob, 409, "ResourceAlreadyExistsException", `{"message":"taken","resourceId":"fw","resourceArn":"arn"}`, ""},
		"an error with a suffix":           {wire.CreateJob, 404, "ResourceNotFoundException:http://internal/", `{"message":"gone"}`, ""},
		"an error with another status":     {wire.CreateJob, 429, "ThrottlingException", `{"message":"slow"}`, "has status 400"},
		"the status of the data plane":     {wire.UpdateJobExecution, 429, "ThrottlingException", `{"message":"slow"}`, ""},
		"an error of another operation":    {wire.CreateJob, 409, "VersionConflictException", `{"message":"x"}`, "not modeled"},
		"an error without a message":       {wire.CreateJob, 400, "InvalidRequestException", `{"message":""}`, "no message"},
		"an error with a foreign member":   {wire.CreateJob, 400, "InvalidRequestException", `{"message":"x","code":"y"}`, "no member code"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			header.Set("x-amzn-RequestId", "6b6a")
			header.Set("Content-Type", "application/json")
			if test.code != "" {
				header.Set("x-amzn-ErrorType", test.code)
			}
			err := c.Verify(test.op, test.status, header, []byte(test.body))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("Verify(%s, %d, %s) = %v, want nil", test.op.Name, test.status, test.body, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("Verify(%s, %d, %s) = %v, want %q", test.op.Name, test.status, test.body, err, test.want)
			}
		})
	}
}

func TestVerifyHeaders(t *testing.T) {
	c := New(t)
	ok := http.Header{"X-Amzn-Requestid": {"6b6a"}, "Content-Type": {"application/json"}}
	for name, header := range map[string]http.Header{
		"no request id":   {"Content-Type": ok["Content-Type"]},
		"no content type": {"X-Amzn-Requestid": ok["X-Amzn-Requestid"]},
	} {
		if err := c.Verify(wire.ListThings, 200, header, []byte("{}")); err == nil {
			t.Errorf("%s: Verify(%v) = nil, want an error", name, header)
		}
	}
	if err := c.Verify(wire.ListThings, 200, ok, []byte("{}")); err != nil {
		t.Errorf("Verify(%v) = %v, want nil", ok, err)
	}
}
