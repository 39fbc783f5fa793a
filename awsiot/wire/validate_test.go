package wire

import (
	"fmt"
	"strings"
	"testing"
)

// one is the message of a single violation.
func one(value, at, constraint string) string {
	return "1 validation error detected: Value " + value + " at '" + at + "' failed to satisfy constraint: " + constraint
}

func TestValidationMessages(t *testing.T) {
	job := func(body string) func() error {
		return func() error { _, err := decodeJob(body); return err }
	}
	const target = `"targets":["arn:aws:iot:eu-west-1:111122223333:thing/lamp"]`
	const jobID = `Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+`
	criterion := func(members string) func() error {
		return job(`{` + target + `,"abortConfig":{"criteriaList":[{"action":"CANCEL","failureType":"FAILED","minNumberOfExecutedThings":1,"thresholdPercentage":1},{` + members + `}]}}`)
	}
	tests := map[string]struct {
		call func() error
		want string
	}{
		"a required member is absent": {
			job(`{}`),
			one("null", "targets", "Member must not be null"),
		},
		"a required label is absent": {
			func() error { return new(DescribeThingRequest).Validate() },
			one("null", "thingName", "Member must not be null"),
		},
		"a pattern": {
			(&CreateJobRequest{JobID: new("fw 12"), Targets: []string{"t"}}).Validate,
			one("'fw 12'", "jobId", jobID),
		},
		"a pattern holds for the whole value": {
			(&CreateJobRequest{JobID: new("fw\n"), Targets: []string{"t"}}).Validate,
			one("'fw\n'", "jobId", jobID),
		},
		"too short": {
			job(`{` + target + `,"documentSource":""}`),
			one("''", "documentSource", "Member must have length greater than or equal to 1"),
		},
		"too long, counted in characters": {
			(&DescribeEndpointRequest{EndpointType: new(strings.Repeat("é", 129))}).Validate,
			one("'"+strings.Repeat("é", 128)+"...'", "endpointType", "Member must have length less than or equal to 128"),
		},
		"two constraints of one member": {
			(&CreateJobRequest{JobID: new(""), Targets: []string{"t"}}).Validate,
			"2 validation errors detected: Value '' at 'jobId' failed to satisfy constraint: " + jobID +
				"; Value '' at 'jobId' failed to satisfy constraint: Member must have length greater than or equal to 1",
		},
		"two members": {
			job(`{"targetSelection":"snapshot"}`),
			"2 validation errors detected: Value 'snapshot' at 'targetSelection' failed to satisfy constraint: Member must satisfy enum value set: [CONTINUOUS, SNAPSHOT]" +
				"; Value null at 'targets' failed to satisfy constraint: Member must not be null",
		},
		"a number that is too large": {
			(&ListJobsRequest{MaxResults: new(251)}).Validate,
			one("'251'", "maxResults", "Member must have value less than or equal to 250"),
		},
		"a number that is too small": {
			(&ListJobsRequest{MaxResults: new(0)}).Validate,
			one("'0'", "maxResults", "Member must have value greater than or equal to 1"),
		},
		"a fraction that is too small": {
			job(`{` + target + `,"jobExecutionsRolloutConfig":{"exponentialRate":{"baseRatePerMinute":1,"incrementFactor":1.05,"rateIncreaseCriteria":{"numberOfNotifiedThings":1}}}}`),
			one("'1.05'", "jobExecutionsRolloutConfig.exponentialRate.incrementFactor", "Member must have value greater than or equal to 1.1"),
		},
		"an empty list": {
			job(`{"targets":[]}`),
			one("'[]'", "targets", "Member must have length greater than or equal to 1"),
		},
		"too many structures": {
			job(`{` + target + `,"jobExecutionsRetryConfig":{"criteriaList":[` + strings.Repeat(`{"failureType":"ALL","numberOfRetries":1},`, 2) + `{"failureType":"ALL","numberOfRetries":1}]}}`),
			one("'[3 elements]'", "jobExecutionsRetryConfig.criteriaList", "Member must have length less than or equal to 2"),
		},
		"an element of a list of strings": {
			job(`{"targets":["a","` + strings.Repeat("x", 2049) + `"]}`),
			one("'[a, "+strings.Repeat("x", 252)+"...'", "targets", "Member must satisfy constraint: [Member must have length less than or equal to 2048]"),
		},
		"an element of a list of numbers": {
			(&GetPercentilesRequest{QueryString: new("*"), Percents: []float64{50, 100.5}}).Validate,
			one("'[50, 100.5]'", "percents", "Member must satisfy constraint: [Member must have value less than or equal to 100, Member must have value greater than or equal to 0]"),
		},
		"a member of a structure in a list": {
			criterion(`"action":"CANCEL","failureType":"BROKEN","minNumberOfExecutedThings":1,"thresholdPercentage":1`),
			one("'BROKEN'", "abortConfig.criteriaList.2.member.failureType", "Member must satisfy enum value set: [FAILED, REJECTED, TIMED_OUT, ALL]"),
		},
		"a required member of a structure in a list": {
			criterion(`"action":"CANCEL","failureType":"FAILED","thresholdPercentage":1`),
			one("null", "abortConfig.criteriaList.2.member.minNumberOfExecutedThings", "Member must not be null"),
		},
		"a name that the model writes with a capital": {
			job(`{` + target + `,"tags":[{"Key":"a*","Value":"b"}]}`),
			one("'a*'", "tags.1.member.key", `Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`),
		},
		"a key of a map": {
			job(`{` + target + `,"documentParameters":{"a":"b","c d":"e"}}`),
			one("'{c d=}'", "documentParameters", "Map keys must satisfy constraint: [Member must have length less than or equal to 128, "+
				"Member must have length greater than or equal to 1, "+jobID+"]"),
		},
		"a value of a map": {
			job(`{` + target + `,"documentParameters":{"a":"b","c":""}}`),
			one("'{c=}'", "documentParameters", "Map value must satisfy constraint: [Member must have length less than or equal to 30720, "+
				"Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [^\\p{C}]+]"),
		},
		"a key of a map of structures": {
			(&UpdateEventConfigurationsRequest{EventConfigurations: map[string]Configuration{"JOBS": {}}}).Validate,
			one("'{JOBS=}'", "eventConfigurations", "Map keys must satisfy constraint: [Member must satisfy enum value set: [THING, THING_GROUP, THING_TYPE, "+
				"THING_GROUP_MEMBERSHIP, THING_GROUP_HIERARCHY, THING_TYPE_ASSOCIATION, JOB, JOB_EXECUTION, POLICY, CERTIFICATE, CA_CERTIFICATE]]"),
		},
		"an empty map": {
			(&CreatePackageRequest{PackageName: new("p"), Tags: map[string]string{}}).Validate,
			one("'{0 entries}'", "tags", "Member must have length greater than or equal to 1"),
		},
		"a member of a structure in a map": {
			func() error {
				var v validator
				insideMap(&v, "labels", map[string]Tag{"p": {Key: new("a*")}}, (*Tag).validate)
				return v.err()
			},
			one("'a*'", "labels.p.member.key", `Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`),
		},
		"a sensitive value is not shown": {
			(&GetThingConnectivityDataRequest{ThingName: new("la mp")}).Validate,
			one("", "thingName", "Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			mustFail(t, "Validate", test.call(), Violation, strings.Replace(test.want, "Value  at", "Value at", 1))
		})
	}
}

func TestViolationsAreBounded(t *testing.T) {
	in := &CreateJobRequest{JobID: new("fw"), Targets: []string{"t"}}
	for range 1000 {
		in.Tags = append(in.Tags, Tag{})
	}
	err := in.Validate()
	if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("%d validation errors detected: ", maxViolations)) {
		t.Fatalf("Validate = %.60v, want %d violations", err, maxViolations)
	}
}

func TestLongValuesAreCutBetweenCharacters(t *testing.T) {
	for _, value := range []string{strings.Repeat("x", shownLimit), strings.Repeat("x", shownLimit-1) + "é", strings.Repeat("é", shownLimit)} {
		got := shown(value)
		if want := value; len(value) <= shownLimit && got != want {
			t.Errorf("shown(%q) = %q, want it whole", value, got)
		}
		if rest, cut := strings.CutSuffix(got, "..."); cut && (!strings.HasPrefix(value, rest) || strings.ToValidUTF8(rest, "") != rest) {
			t.Errorf("shown(%q) = %q, which is no beginning of it", value, got)
		}
	}
}

func TestTheModelHasTheLastWord(t *testing.T) {
	const target = `"targets":["t"]`
	for what, body := range map[string]string{
		"maximumPerMinute has no maximum (arbitration.md A8)": `{` + target + `,"jobExecutionsRolloutConfig":{"maximumPerMinute":1000000}}`,
		"an empty tag value":              `{` + target + `,"tags":[{"Key":"a","Value":""}]}`,
		"letters beyond ASCII in a tag":   `{` + target + `,"tags":[{"Key":"größe","Value":"große Lampe"}]}`,
		"letters beyond ASCII in a text":  `{` + target + `,"description":"größer – 大きい 😀"}`,
		"an empty description of a thing": `{` + target + `,"schedulingConfig":{"startTime":"2026-09-21T10:00Z","maintenanceWindows":[]}}`,
	} {
		if _, err := decodeJob(body); err != nil {
			t.Errorf("%s: Decode(%s) = %v", what, body, err)
		}
	}
}
