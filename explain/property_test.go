package explain

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
)

// generated returns random facts of one instant: also such as contradict each other.
func generated(r *rand.Rand) Facts {
	yes := func(oneOf int) bool { return r.IntN(oneOf) == 0 }
	past := func() muster.Instant { return now - muster.Instant(r.IntN(3*24*60))*minute/2 }
	maybe := func() muster.Instant {
		if yes(2) {
			return 0
		}
		return past()
	}
	long := strings.Repeat("long-", 24)
	f := Facts{Now: now, Account: muster.Account{ID: "000000000000", Region: "eu-central-1"}, Thing: muster.ThingName(pick(r, "pump-7", "a:b", long)), JobID: "fw", HasThing: !yes(30)}
	if yes(30) {
		return f
	}
	j := muster.Job{
		ID: f.JobID, Status: pick(r, muster.JobStatuses()...), CreatedAt: past(), UpdatedAt: past(), CompletedAt: past(), Links: yes(3), ForceCanceled: yes(4),
		Namespace: pick(r, muster.Namespace(""), "blue"), Selection: pick(r, muster.Snapshot, muster.Continuous),
		Comment:    pick(r, "", "Job aborted: 11.90% FAILED, REJECTED or TIMED_OUT of 4200000 executed things (threshold 11.55%)", "a long comment of somebody who wants to say more than fits"),
		ReasonCode: pick(r, "", "OPS", rollout.AbortReasonCode), Targets: []muster.Target{{Group: true, Name: "hall"}},
	}
	if yes(2) {
		j.Status = muster.JobInProgress
	}
	j.Config.Rollout = pick(r, muster.RolloutConfig{}, muster.RolloutConfig{MaximumPerMinute: 1 + r.IntN(2000)},
		muster.RolloutConfig{MaximumPerMinute: 1000, Exponential: &muster.ExponentialRate{BasePerMinute: 10, Factor: 1.5, NotifiedThings: 100}})
	j.Config.Retry = pick(r, nil, []muster.RetryCriterion{{Failure: muster.FailureAll, Max: 2}})
	j.Config.Schedule = pick(r, muster.Schedule{}, muster.Schedule{}, muster.Schedule{StartTime: "2026-11-28 09:00"}, muster.Schedule{StartTime: "2026-11-28 06:00", EndTime: "2026-11-28 08:00", EndBehavior: pick(r, muster.StopRollout, muster.CancelAtEnd, muster.ForceAtEnd)},
		muster.Schedule{EndTime: "2026-11-28 12:00"})
	if j.Selection == muster.Continuous && yes(2) {
		j.Config.Schedule.Windows = []muster.MaintenanceWindow{{StartTime: pick(r, "cron(0 2 * * ? *)", "cron(0 8 * * ? *)", "cron(0 10 1 1 ? 2020)"), DurationMinutes: 60}}
	}
	j.Rollout = muster.Rollout{Started: pick(r, 0, past()), Done: yes(2), Held: yes(5), Pace: muster.Pace{Notified: int64(r.IntN(1000))}}
	j.Waiting, j.Over, j.Wake = yes(6), yes(10), pick(r, 0, past(), now.Add(time.Duration(r.IntN(5000))*time.Millisecond))
	if yes(2) {
		j.Config.Presigned.ExpiresInSec = 60
	}
	f.Job = &Job{Job: j, Maximum: pick(r, 0, 1000), NoRoom: yes(10), CanceledBy: pick(r, "", "user ann", "the long name of a user who has one")}
	if yes(2) {
		f.Job.Building = Building{Group: "canaries", Looked: r.IntN(1000), Of: r.IntN(1000), Since: maybe()}
		f.Job.Line = Line{Place: r.IntN(5), Of: 7, Before: []muster.JobID{"a", "b", "c"}}
	}
	f.Target = Target{
		State: pick(r, NotTargeted, JoinedLate, LeftTargets, NotReached, NotReached, NotReached, JoinWaits, JoinWaits, Reached), Group: "hall", Query: "attributes.ring:canary", JoinedAt: maybe(),
		Fails: pick(r, "", "attributes.ring:canary", `attributes.a:"a quoted value of many more words"`), Has: pick(r, "", "prod", "a value of very many words"),
		Ahead: pick(r, 0, 1, r.IntN(100), r.IntN(1_000_000)), AtLeast: yes(5), About: yes(3),
	}
	f.End = End{Who: pick(r, "", "ann"), Retry: yes(2)}
	if !yes(4) {
		x := muster.Execution{
			Thing: f.Thing, Job: f.JobID, Number: 1 + r.Int64N(3), Namespace: j.Namespace, Status: pick(r, muster.Statuses()...), Version: 2, QueuedAt: past(), Windowed: j.Windowed(),
			Details: pick(r, nil, map[string]string{"reason": "what a device says at great length, in more words than a sentence may have", "step\x1b[2J": "1"}),
		}
		if yes(2) {
			x.Status = pick(r, muster.Queued, muster.Queued, muster.InProgress)
		}
		x.StartedAt, x.UpdatedAt = 0, x.QueuedAt
		if x.Status != muster.Queued {
			x.StartedAt = x.QueuedAt + (now-x.QueuedAt)/3
			x.UpdatedAt = x.StartedAt + (now-x.StartedAt)/2
		}
		if x.Status == muster.InProgress {
			x.JobDeadline, x.StepDeadline = pick(r, 0, now.Minutes(r.IntN(100))), pick(r, 0, now.Minutes(r.IntN(100)))
			x.PresignedAt = pick(r, 0, x.StartedAt)
		}
		f.Execution = &x
		if !x.Status.Terminal() && !yes(20) {
			f.Queue.Entries = append(f.Queue.Entries, entryOf(x))
		}
	}
	if yes(3) {
		for i := range pick(r, 1, 1, 3, 12) {
			first := muster.Execution{Job: muster.JobID("cfg-" + string(rune('a'+i))), Number: 1, Status: pick(r, muster.Queued, muster.InProgress), QueuedAt: past(), StartedAt: past(), JobDeadline: pick(r, 0, now.Minutes(r.IntN(50)))}
			f.Queue.Entries = append(f.Queue.Entries, entryOf(first))
			f.Queue.First = &first
		}
		slices.SortFunc(f.Queue.Entries, func(a, b muster.Entry) int { return strings.Compare(string(a.Job), string(b.Job)) })
		if head, ok := (muster.Queue{Entries: f.Queue.Entries}).Head(); !ok || head.Job != f.Queue.First.Job {
			f.Queue.First = nil
		}
	}
	f.Device = Device{DiaryAsOf: now - 2000, Listens: Known(r.IntN(3))}
	d := &f.Device.Diary
	if !yes(5) {
		f.Device.Connectivity = muster.Connectivity{Connected: yes(2), At: past(), Reason: pick(r, "MQTT_KEEP_ALIVE_TIMEOUT", muster.UnknownReason, "WEBSOCKET_TTL_EXPIRATION")}
		d.Came.At, d.Left = maybe(), muster.Departure{At: maybe(), Kept: pick(r, 0, now.Minutes(10))}
		d.HTTPS = maybe()
		d.Asked = muster.Request{At: maybe(), Operation: "GetPendingJobExecutions"}
		d.Told = muster.Telling{At: maybe(), Acked: maybe(), Job: pick(r, f.JobID, "cfg-a")}
		if yes(3) {
			d.Failed = muster.Request{At: past(), Operation: "StartNextPendingJobExecution", Code: pick(r, "RequestThrottled", "InvalidRequest"), Message: "a message", Count: r.IntN(4), Job: pick(r, "", f.JobID)}
		}
		if yes(4) {
			d.Denied = muster.Denial{At: past(), Action: "iot:Subscribe", Resource: pick(r, "topicfilter/$aws/things/pump-7/jobs/#", "topicfilter/a topic of some more words/#", "topic/telemetry", "client/x"), Policy: pick(r, "", "p"), Count: r.IntN(3)}
		}
		if yes(4) {
			d.Refused = muster.ConnectRefusal{At: past(), Why: "the certificate is INACTIVE, and this is said in rather too many words", Certificate: pick(r, muster.CertificateID(""), certificate), Count: 2}
		}
	}
	if yes(2) {
		f.Device.Certificates = []Certificate{{ID: certificate, Status: pick(r, muster.CertificateActive, muster.CertificatePendingActivation), NotAfter: pick(r, 0, past()), Policies: pick(r, nil, []string{"p"})}}
	}
	if yes(4) {
		f.Device.Elsewhere = []muster.Namespace{"green"}
	}
	if yes(2) {
		f.Others = Others{Sample: 100, ToStart: 10 * minute, Work90: 10 * minute, Silence99: 500 * minute}
	}
	return f
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// then returns facts at a later instant, with what happens until then to the execution, to the first in the queue, and by a rollout
// that goes on.
func then(f Facts, code Code, at muster.Instant) Facts {
	f.Now = at
	if x := f.Execution; x != nil && x.Status == muster.InProgress && x.Deadline() != 0 && x.Deadline() <= at {
		ended := *x
		ended.Status, ended.UpdatedAt, ended.JobDeadline, ended.StepDeadline = muster.TimedOut, at, 0, 0
		f.Execution = &ended
		f.Queue.Entries = (muster.Queue{Entries: f.Queue.Entries}).Without(x.Job, x.Number).Entries
	}
	if first := f.Queue.First; first != nil && first.Deadline() != 0 && first.Deadline() <= at {
		f.Queue.Entries = (muster.Queue{Entries: f.Queue.Entries}).Without(first.Job, first.Number).Entries
		f.Queue.First = nil
	}
	if code == WaitingForRate || code == WaitingToJoin {
		x := muster.Execution{Thing: f.Thing, Job: f.JobID, Number: 1, Status: muster.Queued, QueuedAt: at, UpdatedAt: at}
		f.Execution, f.Target.State = &x, Reached
		f.Queue.Entries = muster.Queue{Entries: f.Queue.Entries}.With(x).Entries
	}
	return f
}

func TestWhateverTheFactsThereIsOneExplanation(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 1))
	seen, moved := map[Code]int{}, map[Code]int{}
	for range 60_000 {
		f := generated(r)
		e := Explain(f)
		seen[e.Code]++
		check(t, f, e)
		if e.Next.At == 0 || e.Next.Estimate {
			continue
		}
		moved[e.Code]++
		g := then(f, e.Code, e.Next.At)
		if later := Explain(g); later.Code == e.Code && later.Say == e.Say && statusOf(g) == statusOf(f) {
			t.Fatalf("at %s it is still %s: %s (%s)\n%+v\njob %+v", instant(e.Next.At), e.Code, e.Say, e.Next.Say, f, f.Job)
		}
	}
	for _, c := range Codes() {
		if seen[c] < 20 {
			t.Errorf("%s was met %d times: the facts are too much alike", c, seen[c])
		}
	}
	for _, c := range []Code{JobScheduled, WaitingForRate, WaitingToJoin, WindowClosed, RetryWaits, Behind, Refused, AsksWrongly, LinkExpired, Silent, Working} {
		if moved[c] < 5 {
			t.Errorf("%s had an instant %d times", c, moved[c])
		}
	}
}

func statusOf(f Facts) muster.Status {
	if f.Execution == nil {
		return 0
	}
	return f.Execution.Status
}

// check has what holds for every explanation.
func check(t *testing.T, f Facts, e Explanation) {
	t.Helper()
	fail := func(why string) { t.Fatalf("%s: %s: %s\n%+v", e.Code, why, e.Say, f) }
	switch words := strings.Fields(e.Say); {
	case len(words) > 25:
		fail("more than 25 words")
	case !strings.HasSuffix(e.Say, "."), strings.Contains(e.Say, "  "), strings.Contains(e.Say, "%!"), strings.ContainsAny(e.Say, "\n\t\x1b"):
		fail("it is no sentence")
	case !strings.Contains(e.Say, string(f.Thing)) && e.Code != NoThing:
		fail("it does not name the thing")
	case e.Next.Say == "":
		fail("it does not say what comes next")
	case e.Next.At != 0 && e.Next.At <= f.Now:
		fail("what comes next was before")
	case len(e.Help) > 3:
		fail("more than three commands")
	case slices.Contains(e.Passed, e.Code), len(e.Passed) != slices.Index(Codes(), e.Code):
		fail("it was checked twice, or not all before it")
	case CodeOf(f) != e.Code:
		fail("CodeOf says otherwise")
	case e.Since > f.Now:
		fail("it is so since later")
	}
	if _, err := e.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
}

func TestAnExplanationOfNothingKnown(t *testing.T) {
	e := Explain(Facts{Thing: "pump-7", JobID: "fw"})
	if e.Code != NoThing {
		t.Errorf("%s, want %s", e.Code, NoThing)
	}
	e = Explain(Facts{Thing: "pump-7", JobID: "fw", HasThing: true, Job: &Job{}})
	check(t, Facts{Thing: "pump-7", JobID: "fw", HasThing: true, Job: &Job{}}, e)
}

// A played rate is that of the planner, step by step.
func TestARateIsPlayedToTheMillisecond(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 2))
	for range 300 {
		f := ready()
		f.Job.Config.Rollout.MaximumPerMinute = 1 + r.IntN(pick(r, 60, 300, 3000))
		f.Target.Ahead = r.IntN(20_000)
		if r.IntN(3) == 0 { // a window is open, and closes soon
			windowed(&f)
			f.Job.Status, f.Job.Config.Schedule.Windows[0] = muster.JobInProgress, muster.MaintenanceWindow{StartTime: "cron(0 * * * ? *)", DurationMinutes: 31}
			f.Target.Ahead /= 10
		}
		times, err := rollout.Compile(f.Job.Config.Schedule)
		if err != nil {
			t.Fatal(err)
		}
		s := rollout.Snapshot{Status: muster.JobInProgress, Config: f.Job.Config.Rollout}
		at := now.Add(time.Duration(r.IntN(1000)) * time.Millisecond)
		if r.IntN(3) == 0 {
			at = now // on a tick of the planner
		}
		for range r.IntN(50) { // it has begun
			s.Schedule = times.At(at)
			d := rollout.Plan(at, s)
			s.Pace, at = d.Pace.With(d.Queue), d.Wake
		}
		if f.Job.Windowed() && times.At(at-1).Phase != rollout.Open {
			continue
		}
		f.Now, f.Job.Wake, f.Job.Rollout.Pace = at-1, at, s.Pace
		left := f.Target.Ahead
		steps := 0
		for ; ; steps++ {
			s.Schedule = times.At(at)
			d := rollout.Plan(at, s)
			if d.Queue > left {
				break
			}
			left -= d.Queue
			s.Pace, at = d.Pace.With(d.Queue), d.Wake
		}
		if e := Explain(f); e.Next.At == 0 && f.Job.Windowed() && steps > stepsMax {
			continue // too far away
		} else if e.Next.At != at || e.Next.Estimate {
			t.Fatalf("%d ahead at %d a minute: %s (estimate %t), the planner has %s", f.Target.Ahead, f.Job.Config.Rollout.MaximumPerMinute, instant(e.Next.At), e.Next.Estimate, instant(at))
		}
	}
}
