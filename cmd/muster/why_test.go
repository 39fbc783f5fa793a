package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/operator"
)

// puzzles is a server whose test clock shows the year 2030, and what it said of why jobs do not move.
type puzzles struct {
	*timelines
	operator operator.Client
}

func newPuzzles(t *testing.T, change ...func(*Config)) *puzzles {
	t.Helper()
	s := newTimelines(t, change...)
	return &puzzles{s, operator.Client{API: s.api}}
}

func thingOf(name string) string { return "arn:aws:iot:us-east-1:000000000000:thing/" + name }
func groupOf(name string) string { return "arn:aws:iot:us-east-1:000000000000:thinggroup/" + name }

// things makes things and, if group is not empty, makes it and puts them into it.
func (s *puzzles) things(group string, names ...string) {
	s.t.Helper()
	if group != "" {
		s.group(group)
	}
	for _, name := range names {
		s.call("POST", "/things/"+name, object{}, nil)
		if group != "" {
			s.call("PUT", "/thing-groups/addThingToThingGroup", object{"thingGroupName": group, "thingName": name}, nil)
		}
	}
}

// next has a thing start the job that comes next.
func (s *puzzles) next(thing string) {
	s.t.Helper()
	s.call("PUT", "/things/"+thing+"/jobs/$next", object{}, nil)
}

// report has a thing report on a job.
func (s *puzzles) report(thing, job string, report object) {
	s.t.Helper()
	s.call("POST", "/things/"+thing+"/jobs/"+job, report, nil)
}

// because asks why a job does not move on a thing, demands a code, and writes the answer down. When the answer names an
// instant that is certain, it moves the clock there and demands that the answer is another one: the property of explanations.
func (s *puzzles) because(want explain.Code, thing, job string) explain.Explanation {
	s.t.Helper()
	first := s.explained(want, thing, job)
	if first.Next.At == 0 || first.Next.Estimate {
		return first
	}
	s.call("POST", "/muster/v1/clock", object{"set": first.Next.At.Time().Format(time.RFC3339Nano)}, nil)
	then, err := s.operator.Explain(s.t.Context(), muster.ThingName(thing), muster.JobID(job))
	if err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(&s.said, "then %s: %s\n\n", then.Code, s.hide.Replace(then.Say))
	if then.Code == first.Code && then.Say == first.Say && statusOf(then) == statusOf(first) {
		s.t.Errorf("%s, %s: nothing changed at %s, which was said to be next: %s", thing, job, first.Next.At.Time(), then.Say)
	}
	return first
}

func statusOf(e explain.Explanation) muster.Status {
	if e.Execution == nil {
		return 0
	}
	return e.Execution.Status
}

// explained is because without the property.
func (s *puzzles) explained(want explain.Code, thing, job string) explain.Explanation {
	s.t.Helper()
	var answer json.RawMessage
	s.call("GET", "/muster/v1/jobs/"+job+"/things/"+thing+"/explanation", nil, &answer)
	text, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(&s.said, "%s, %s:\n%s\n\n", thing, job, s.hide.Replace(string(text)))
	var e explain.Explanation
	if err := json.Unmarshal(answer, &e); err != nil {
		s.t.Fatal(err)
	}
	if e.Code != want {
		s.t.Errorf("%s, %s: %s, want %s: %s", thing, job, e.Code, want, e.Say)
	}
	if n := len(strings.Fields(e.Say)); n > 25 || !strings.Contains(e.Say, thing) {
		s.t.Errorf("%d words, want at most 25 with the name of the thing: %s", n, e.Say)
	}
	return e
}

// What the job and its rollout are the cause of, brought about through the API and the test clock.
func TestWhyTheJobDoesNotReachAThing(t *testing.T) {
	s := newPuzzles(t)
	s.things("", "lamp", "apart")
	s.because(explain.NoThing, "nothing", "none")
	s.because(explain.NoJob, "lamp", "none")

	s.job("done", thingOf("lamp"), nil)
	s.next("lamp")
	s.advance("90s")
	s.report("lamp", "done", object{"status": "FAILED", "statusDetails": object{"reason": "flash verify mismatch"}})
	s.because(explain.Ended, "lamp", "done")
	s.because(explain.JobOver, "apart", "done")
	s.job("runs", thingOf("lamp"), object{"timeoutConfig": object{"inProgressTimeoutInMinutes": 30}})
	s.because(explain.NotInTargets, "apart", "runs")
	s.next("lamp")
	s.advance("31m")
	s.because(explain.Ended, "lamp", "runs")

	s.call("POST", "/indexing/config", object{"thingIndexingConfiguration": object{"thingIndexingMode": "REGISTRY"}}, nil)
	s.call("PATCH", "/things/apart", object{"attributePayload": object{"attributes": object{"fw": "1.9"}}}, nil)
	s.advance("1s")
	s.call("POST", "/dynamic-thing-groups/new", object{"queryString": "thingName:a* AND attributes.fw:2*"}, nil)
	s.job("dynamic", groupOf("new"), object{"targetSelection": "CONTINUOUS"})
	s.because(explain.NotInTargets, "apart", "dynamic")

	s.things("doomed", "d1", "d2", "d3")
	s.job("aborted", groupOf("doomed"), object{"abortConfig": object{"criteriaList": []object{{"action": "CANCEL", "failureType": "FAILED", "minNumberOfExecutedThings": 1, "thresholdPercentage": 50}}}})
	s.next("d1")
	s.report("d1", "aborted", object{"status": "FAILED"})
	s.advance("1s")
	s.because(explain.Ended, "d2", "aborted")
	s.things("", "d4")
	s.because(explain.JobOver, "d4", "aborted")

	s.job("canceled", thingOf("lamp"), nil)
	s.call("PUT", "/jobs/canceled/cancel", object{"comment": "a mistake"}, nil)
	s.advance("1s")
	s.because(explain.Ended, "lamp", "canceled")

	s.things("slow", "s1", "s2", "s3", "s4")
	s.job("slow", groupOf("slow"), object{"jobExecutionsRolloutConfig": object{"maximumPerMinute": 2}})
	s.things("", "s5")
	s.call("PUT", "/thing-groups/addThingToThingGroup", object{"thingGroupName": "slow", "thingName": "s5"}, nil)
	s.because(explain.NotInTargets, "s5", "slow")
	s.because(explain.WaitingForRate, "s2", "slow")
	s.because(explain.WaitingForRate, "s4", "slow")

	s.things("more", "m1", "m2", "m3")
	s.job("over", groupOf("more"), object{"jobExecutionsRolloutConfig": object{"maximumPerMinute": 1}})
	s.call("PUT", "/jobs/over/cancel", object{}, nil)
	s.because(explain.JobOver, "m3", "over")

	s.job("later", thingOf("lamp"), object{"schedulingConfig": object{"startTime": "2030-01-01 02:00"}})
	s.because(explain.JobScheduled, "lamp", "later")

	s.group("night")
	s.job("nightly", groupOf("night"), object{"targetSelection": "CONTINUOUS", "schedulingConfig": object{"maintenanceWindows": []object{{"startTime": "cron(0 4 * * ? *)", "durationInMinutes": 60}}},
		"jobExecutionsRetryConfig": object{"criteriaList": []object{{"failureType": "FAILED", "numberOfRetries": 2}}}})
	s.things("", "n1")
	s.call("PUT", "/thing-groups/addThingToThingGroup", object{"thingGroupName": "night", "thingName": "n1"}, nil)
	s.because(explain.WindowClosed, "n1", "nightly")
	s.next("n1")
	s.call("POST", "/muster/v1/clock", object{"set": "2030-01-01T05:30:00Z"}, nil)
	s.report("n1", "nightly", object{"status": "FAILED"})
	s.because(explain.RetryWaits, "n1", "nightly")

	s.group("paced")
	s.job("paced", groupOf("paced"), object{"targetSelection": "CONTINUOUS", "jobExecutionsRolloutConfig": object{"maximumPerMinute": 1}})
	s.call("PUT", "/muster/v1/jobs/paced/options", object{"paceJoiners": true}, nil)
	for _, name := range []string{"p1", "p2", "p3"} {
		s.things("", name)
		s.call("PUT", "/thing-groups/addThingToThingGroup", object{"thingGroupName": "paced", "thingName": name}, nil)
	}
	s.advance("1s")
	s.because(explain.WaitingToJoin, "p3", "paced")
	s.compare("whyjobs")
}

// What else the thing has to do is the cause.
func TestWhyAThingDoesOtherThingsFirst(t *testing.T) {
	s := newPuzzles(t)
	s.things("", "lamp", "busy")
	s.job("first", thingOf("lamp"), object{"timeoutConfig": object{"inProgressTimeoutInMinutes": 30}})
	s.job("second", thingOf("lamp"), nil)
	s.explained(explain.Behind, "lamp", "second")
	s.next("lamp")
	s.because(explain.Behind, "lamp", "second")
	for i := range 11 {
		s.job(fmt.Sprintf("j%02d", i), thingOf("busy"), nil)
	}
	s.because(explain.BeyondTheList, "busy", "j10")
	s.because(explain.Behind, "busy", "j01")

	s.next("lamp")
	s.advance("5m")
	s.because(explain.Working, "lamp", "second")
	s.report("lamp", "second", object{"status": "IN_PROGRESS", "statusDetails": object{"step": "verify"}, "stepTimeoutInMinutes": 10})
	s.because(explain.Working, "lamp", "second")
	s.because(explain.Ended, "lamp", "second")
	all, err := s.operator.ExplainThing(t.Context(), "busy")
	if err != nil || len(all.Explanations) != 11 || all.Explanations[0].Job != "j00" || all.Explanations[10].Code != explain.BeyondTheList {
		t.Errorf("the whole thing: %+v, %v", all, err)
	}
	s.compare("whyothers")
}

// As many jobs roll out as may.
func TestWhyAJobWaitsForItsTurn(t *testing.T) {
	s := newPuzzles(t, func(c *Config) { c.LimitOrders = []string{"concurrent-jobs=1"} })
	s.things("all", "a", "b", "c")
	slow := object{"jobExecutionsRolloutConfig": object{"maximumPerMinute": 1}}
	s.job("first", groupOf("all"), slow)
	s.job("second", groupOf("all"), slow)
	s.job("third", groupOf("all"), slow)
	s.because(explain.JobInLine, "b", "second")
	s.because(explain.JobInLine, "b", "third")
	s.compare("whyturns")
}

// A key must allow the thing and the job, and what makes no sense is refused.
func TestWhyIsRefused(t *testing.T) {
	s := newPuzzles(t)
	s.things("", "pump", "other")
	s.job("a", thingOf("pump"), nil)
	weak := addKey(t, s.data, `{"Effect":"Allow","Action":"muster:Explain","Resource":["arn:aws:iot:us-east-1:000000000000:thing/pump","arn:aws:iot:us-east-1:000000000000:job/b"]}`)
	s.hide = strings.NewReplacer(s.admin.AccessKeyID, "ADMIN", weak.AccessKeyID, "WEAK")
	for _, path := range []string{
		"jobs/a/things/pump/explanation", "jobs/b/things/other/explanation", "jobs/none/things/nothing/explanation", "things/other/explanation", "things/nothing/explanation", "jobs/a/explanations", "jobs/none/explanations",
	} {
		s.ask(weak, "GET", "/muster/v1/"+path, "", "")
	}
	for _, path := range []string{
		"jobs/a%2Fb/things/pump/explanation", "jobs/a/things/p%2Fump/explanation", "jobs/a/things/pump/explanation?zone=x", "things/nothing/explanation", "things/pump/explanation?nextToken=AA", "jobs/none/explanations", "jobs/a/explanations?sample=1",
		"jobs/111122223333%3Ajob%2Fx/things/arn:aws:iot:eu-west-1:111122223333:thing%2Fpump/explanation",
	} {
		s.ask(s.admin, "GET", "/muster/v1/"+path, "", "")
	}
	s.compare("whyrefused")
}

// A whole job: each thing once, and the sum is that of its targets.
func TestWhyAWholeJobDoesNotMove(t *testing.T) {
	s := newPuzzles(t)
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("t%02d", i))
	}
	s.things("all", names...)
	s.job("fw", groupOf("all"), object{"jobExecutionsRolloutConfig": object{"maximumPerMinute": 10}})
	s.advance("59s")
	for i, status := range []string{"SUCCEEDED", "FAILED", "SUCCEEDED", "IN_PROGRESS"} {
		s.next(names[i])
		s.report(names[i], "fw", object{"status": status})
	}
	all, err := s.operator.ExplainJob(t.Context(), "fw")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&s.said, "%s\n", text)
	sum := int64(0)
	for _, cause := range all.Causes {
		sum += cause.Things
		for _, e := range cause.Sample {
			var one explain.Explanation
			if s.call("GET", e.Link, nil, &one); one.Code != cause.Code {
				t.Errorf("%s counts as %s, and is %s", e.Thing, cause.Code, one.Code)
			}
		}
	}
	if all.Things != 20 || sum != 20 || !all.Exact {
		t.Errorf("%d things, and %d in all causes, want 20", all.Things, sum)
	}
	s.compare("whyjob")
}

// The command prints for people, or JSON that programs read.
func TestExplainOnTheCommandLine(t *testing.T) {
	s := newPuzzles(t)
	s.things("all", "lamp", "pump")
	s.job("fw", groupOf("all"), nil)
	command := func(args ...string) (string, error) {
		root, out := rootCommand(), new(strings.Builder)
		root.SetOut(out)
		root.SetErr(out)
		root.SetArgs(append([]string{"explain", "--data", s.data}, args...))
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := command(args...)
		if err != nil {
			t.Fatalf("explain %q: %v", args, err)
		}
		fmt.Fprintf(&s.said, "$ muster explain %s\n%s\n", strings.Join(args, " "), out)
		return out
	}
	run("lamp", "fw")
	run("lamp")
	run("--job", "fw")
	var e explain.Explanation
	if err := json.Unmarshal([]byte(run("lamp", "fw", "--json")), &e); err != nil || e.Code != explain.NeverConnected {
		t.Errorf("--json: %+v, %v", e, err)
	}
	for _, args := range [][]string{{}, {"lamp", "--job", "fw"}, {"a", "b", "c"}} {
		if out, err := command(args...); err == nil {
			t.Errorf("explain %q: %s, want an error", args, out)
		}
	}
	s.compare("whycommand")
}
