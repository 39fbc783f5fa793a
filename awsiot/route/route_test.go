package route

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/awsiot/wire"
)

func TestMatch(t *testing.T) {
	r := New(wire.Operations())
	tests := map[string]struct {
		service, method, path string
		want                  *wire.Operation
		labels                []string
	}{
		"one label":                                     {"iot", "PUT", "/jobs/fw-12", wire.CreateJob, []string{"jobId=fw-12"}},
		"labels come in the order of the path":          {"iot", "PUT", "/things/lamp/jobs/fw/cancel", wire.CancelJobExecution, []string{"thingName=lamp", "jobId=fw"}},
		"a label is decoded once":                       {"iot", "GET", "/things/a%3Ab%2525", wire.DescribeThing, []string{"thingName=a:b%25"}},
		"an escaped slash stays inside its label":       {"iot", "POST", "/attached-policies/arn%3Aaws%3Aiot%3Aeu-west-1%3A111122223333%3Acert%2Fabc", wire.ListAttachedPolicies, []string{"target=arn:aws:iot:eu-west-1:111122223333:cert/abc"}},
		"a plus sign is no space":                       {"iot", "GET", "/things/a+b", wire.DescribeThing, []string{"thingName=a+b"}},
		"a literal beats a label":                       {"iot", "PUT", "/thing-groups/addThingToThingGroup", wire.AddThingToThingGroup, nil},
		"and the other one":                             {"iot", "PUT", "/thing-groups/updateThingGroupsForThing", wire.UpdateThingGroupsForThing, nil},
		"a label may be spelled like a literal":         {"iot", "POST", "/thing-groups/addThingToThingGroup", wire.CreateThingGroup, []string{"thingGroupName=addThingToThingGroup"}},
		"a literal may be escaped":                      {"iot", "GET", "/%74hings/lamp", wire.DescribeThing, []string{"thingName=lamp"}},
		"principals have things":                        {"iot", "GET", "/principals/things", wire.ListPrincipalThings, nil},
		"POST /things without a name":                   {"iot", "POST", "/things", wire.RegisterThing, nil},
		"POST /things with a name":                      {"iot", "POST", "/things/lamp", wire.CreateThing, []string{"thingName=lamp"}},
		"start next":                                    {"iot-jobs-data", "PUT", "/things/lamp/jobs/$next", wire.StartNextPendingJobExecution, []string{"thingName=lamp"}},
		"start next, escaped":                           {"iot-jobs-data", "PUT", "/things/lamp/jobs/%24next", wire.StartNextPendingJobExecution, []string{"thingName=lamp"}},
		"start next needs no service":                   {"iot", "PUT", "/things/lamp/jobs/$next", wire.StartNextPendingJobExecution, []string{"thingName=lamp"}},
		"describe next":                                 {"iot-jobs-data", "GET", "/things/lamp/jobs/%24next", wire.DataDescribeJobExecution, []string{"thingName=lamp", "jobId=$next"}},
		"shared list path signed for iot":               {"iot", "GET", "/things/lamp/jobs", wire.ListJobExecutionsForThing, []string{"thingName=lamp"}},
		"the same signed for execute-api":               {"execute-api", "GET", "/things/lamp/jobs", wire.ListJobExecutionsForThing, []string{"thingName=lamp"}},
		"shared list path signed for the data plane":    {"iot-jobs-data", "GET", "/things/lamp/jobs", wire.GetPendingJobExecutions, []string{"thingName=lamp"}},
		"shared list path signed for another service":   {"iotdevicegateway", "GET", "/things/lamp/jobs", wire.GetPendingJobExecutions, []string{"thingName=lamp"}},
		"shared list path with a client certificate":    {"", "GET", "/things/lamp/jobs", wire.GetPendingJobExecutions, []string{"thingName=lamp"}},
		"shared describe path signed for execute-api":   {"execute-api", "GET", "/things/lamp/jobs/fw", wire.DescribeJobExecution, []string{"thingName=lamp", "jobId=fw"}},
		"shared describe path signed for iot":           {"iot", "GET", "/things/lamp/jobs/fw", wire.DescribeJobExecution, []string{"thingName=lamp", "jobId=fw"}},
		"shared describe path without a signature":      {"", "GET", "/things/lamp/jobs/fw", wire.DataDescribeJobExecution, []string{"thingName=lamp", "jobId=fw"}},
		"a topic with escaped slashes":                  {"iotdata", "POST", "/topics/%24aws%2Fthings%2Fx", wire.Publish, []string{"topic=$aws/things/x"}},
		"a topic with raw slashes":                      {"iotdata", "POST", "/topics/a/b", wire.Publish, []string{"topic=a/b"}},
		"a topic with empty levels":                     {"iotdata", "POST", "/topics//a//", wire.Publish, []string{"topic=/a//"}},
		"a retained message with raw slashes":           {"iotdata", "GET", "/retainedMessage/a/b", wire.GetRetainedMessage, []string{"topic=a/b"}},
		"a greedy label of the model":                   {"iot", "DELETE", "/destinations/arn:aws:iot:x/y/z", wire.DeleteTopicRuleDestination, []string{"arn=arn:aws:iot:x/y/z"}},
		"a template that ends in a slash":               {"iot", "GET", "/authorizers/", wire.ListAuthorizers, nil},
		"the same without it":                           {"iot", "GET", "/authorizers", wire.ListAuthorizers, nil},
		"one execution by its number":                   {"iot", "DELETE", "/things/t/jobs/j/executionNumber/2", wire.DeleteJobExecution, []string{"thingName=t", "jobId=j", "executionNumber=2"}},
		"an operation that has no shapes is known, too": {"iot", "GET", "/security-profiles", wire.ListSecurityProfiles, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := r.Match(test.service, test.method, test.path)
			if err != nil {
				t.Fatalf("Match(%q, %s, %s): %v", test.service, test.method, test.path, err)
			}
			if m.Operation != test.want {
				t.Errorf("Match(%q, %s, %s) = %s, want %s", test.service, test.method, test.path, m.Operation.Name, test.want.Name)
			}
			var labels []string
			for _, l := range m.Labels {
				labels = append(labels, l.Name+"="+l.Value)
			}
			if !slices.Equal(labels, test.labels) {
				t.Errorf("Match(%q, %s, %s) has labels %q, want %q", test.service, test.method, test.path, labels, test.labels)
			}
		})
	}
}

func TestUnknownPath(t *testing.T) {
	r := New(wire.Operations())
	for _, path := range []string{"", "*", "/", "/nothing", "/things/", "/things//jobs", "/things/lamp/", "/things/lamp/jobs/fw/x", "/things/%zz", "/jobs/a/b/c", "/topics/", "/topics/%zz"} {
		_, err := r.Match("iot", "GET", path)
		if e, ok := errors.AsType[*UnknownPathError](err); !ok || e.Path != path {
			t.Errorf("Match(GET %s) = %v, want an *UnknownPathError", path, err)
		}
	}
}

func TestWrongMethod(t *testing.T) {
	r := New(wire.Operations())
	for path, allow := range map[string]string{
		"/jobs/fw":                "DELETE GET PATCH PUT",
		"/things/lamp/jobs/$next": "GET POST PUT",
		"/topics/a/b":             "POST",
	} {
		_, err := r.Match("iot", "BREW", path)
		e, ok := errors.AsType[*MethodError](err)
		if !ok || strings.Join(e.Allow, " ") != allow {
			t.Errorf("Match(BREW %s) = %v, want a *MethodError that allows %s", path, err, allow)
		}
	}
}

func TestEveryOperationIsFound(t *testing.T) {
	operations := wire.Operations()
	r := New(operations)
	for _, op := range operations {
		path := ""
		for _, s := range op.Segments {
			if path += "/" + s.Literal; s.Label != "" {
				path += "x"
			}
		}
		m, err := r.Match(string(op.Service), op.Method, path)
		if err != nil || m.Operation != op {
			t.Errorf("Match(%s, %s, %s) = %v, %v, want %s", op.Service, op.Method, path, m.Operation, err, op.Name)
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, path := range []string{"/things/lamp/jobs/$next", "/topics/a%2Fb/c", "/things/%25", "//", "/%"} {
		f.Add("GET", path)
	}
	r := New(wire.Operations())
	f.Fuzz(func(t *testing.T, method, path string) {
		m, err := r.Match("iot", method, path)
		if (err == nil) != (m.Operation != nil) {
			t.Fatalf("Match(%q, %q) = %v, %v", method, path, m, err)
		}
		for _, l := range m.Labels {
			if l.Value == "" {
				t.Fatalf("Match(%q, %q) gives label %s no value", method, path, l.Name)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	r := New(wire.Operations())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Match("iot", "PUT", "/things/lamp/jobs/fw/cancel"); err != nil {
			b.Fatal(err)
		}
	}
}
