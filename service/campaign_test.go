package service

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store/memstore"
)

// campaign creates a job with a configuration, for targets as env.job takes
// them, and does what is due.
func (env *env) campaign(id string, selection muster.Selection, c muster.JobConfig, names ...string) {
	env.t.Helper()
	in := jobs.NewJob{ID: muster.JobID(id), Document: "{}", Selection: selection, Config: c, Targets: targetsNamed(names)}
	if _, err := env.CreateJob(env.t.Context(), in); err != nil {
		env.t.Fatalf("CreateJob(%s): %v", id, err)
	}
	env.settleDown()
}

// targetsNamed returns targets that are written as env.job takes them.
func targetsNamed(names []string) []muster.Target {
	var targets []muster.Target
	for _, name := range names {
		group, isGroup := strings.CutPrefix(name, "@")
		targets = append(targets, muster.Target{Group: isGroup, Name: group})
	}
	return targets
}

// fleet makes n things t000, t001, … in a group.
func (env *env) fleet(group string, n int) []string {
	env.t.Helper()
	names := fleetNames(n)
	env.thing(names...)
	env.group(group, names...)
	return names
}

func fleetNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("t%03d", i))
	}
	return names
}

// minutes lets time pass, doing what is due each second.
func (env *env) minutes(n int) {
	env.t.Helper()
	for range n * 60 {
		env.pass(1000)
		env.settleDown()
	}
}

func (env *env) queued(job string) int64 { env.t.Helper(); return env.counts(job).Of(muster.Queued) }

// jobs-lifecycle.md section 5.3: 100 a minute for 250 things.
func TestAConstantRateIsKept(t *testing.T) {
	env := newEnv(t)
	env.fleet("all", 250)
	env.campaign("job1", muster.Snapshot, muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 100}}, "@all")
	for minute, want := range []int64{1, 101, 201, 250} {
		if got := env.queued("job1"); got != want {
			t.Fatalf("after %d minutes there are %d executions, want %d", minute, got, want)
		}
		d, err := env.DescribeJob(t.Context(), "job1")
		if err != nil || d.Concurrent() != (minute < 3) || (len(d.Processing()) > 0) != (minute < 3) {
			t.Errorf("after %d minutes isConcurrent is %v and %v are processing, %v", minute, d.Concurrent(), d.Processing(), err)
		}
		env.minutes(1)
	}
}

// A bad job at 240 a minute, in which every other thing fails within a second,
// is stopped by its abort criterion after the first few (arbitration A8).
func TestAnAbortActsBeforeTheMinuteIsTold(t *testing.T) {
	env := newEnv(t)
	env.fleet("all", 80)
	env.campaign("job1", muster.Snapshot, muster.JobConfig{
		Rollout: muster.RolloutConfig{MaximumPerMinute: 240},
		Abort:   []muster.AbortCriterion{{Failure: muster.FailureFailed, ThresholdPercent: 20, MinExecuted: 10}},
	}, "@all")
	told := map[string]muster.Instant{} // the things that have the job, since when
	for range 200 {
		for _, name := range fleetNames(80) {
			d := env.start(name)
			if d.Execution == nil {
				continue
			}
			since, ok := told[name]
			if !ok {
				told[name] = env.clock()
			} else if env.clock() >= since+900 {
				status := muster.Succeeded
				if strings.ContainsAny(name[3:], "02468") {
					status = muster.Failed
				}
				env.mustReport(name, "job1", status)
			}
		}
		env.pass(100)
		env.settleDown()
	}
	if got := env.jobStatus("job1"); got != muster.JobCanceled {
		t.Errorf("the job is %s", got)
	}
	if n := env.counts("job1").Total(); n >= 32 {
		t.Errorf("%d things had the job before it was stopped, want less than 32", n)
	}
}

// Jobs that were made at any time go on at the same instants, and those that are
// due then share a transaction.
func TestJobsThatAreDueShareATransaction(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and one goroutine")
	}
	for _, test := range []struct {
		rate   int
		second int // transactions that it may take
	}{{60, 4}, {120, 4}, {600, 12}} { // 400 jobs at 600 a minute go to 1000 things a tick
		t.Run(fmt.Sprint(test.rate, " a minute"), func(t *testing.T) {
			var commits atomic.Int64
			env := newEnvOn(t, memstore.New(), Options{Watcher: watcher{committed: func(int) { commits.Add(1) }}}) // what it counts is the same on every store
			const n, seconds = 400, 5
			for i := range n {
				var names []string
				for k := range min(2+2*seconds*test.rate/60, jobs.TargetsMax) {
					names = append(names, fmt.Sprintf("t%d-%d", i, k))
				}
				env.thing(names...)
				env.campaign(fmt.Sprintf("j%d", i), muster.Snapshot, muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: test.rate}}, names...)
				env.pass(7)
			}
			commits.Store(0)
			for end := env.clock() + seconds*1000; env.clock() < end; {
				agenda, err := env.Work(t.Context())
				if err != nil || !agenda.More && agenda.Next <= env.clock() {
					t.Fatalf("Work = %+v, %v", agenda, err)
				}
				if !agenda.More {
					env.pass(int64(agenda.Next - env.clock()))
				}
			}
			if took := int(commits.Load()); took == 0 || took > test.second*(seconds+1) {
				t.Errorf("%d jobs took %d transactions in %d seconds, want %d a second at most", n, took, seconds, test.second)
			}
		})
	}
}

func TestAnExponentialRateGrowsWithSuccess(t *testing.T) {
	env := newEnv(t)
	names := env.fleet("all", 60)
	env.campaign("job1", muster.Snapshot, muster.JobConfig{Rollout: muster.RolloutConfig{
		Exponential: &muster.ExponentialRate{BasePerMinute: 10, Factor: 2, SucceededThings: 10},
	}}, "@all")
	env.minutes(2)
	if got := env.queued("job1"); got != 21 {
		t.Fatalf("after two minutes without success there are %d executions, want 21: one every six seconds", got)
	}
	for _, name := range names[:10] {
		env.mustReport(name, "job1", muster.Succeeded)
	}
	env.minutes(2)
	if got := env.counts("job1").Total(); got != 51 {
		t.Errorf("after ten successes two more minutes made it %d executions, want 51: twenty in the second", got)
	}
}

func TestAChangedRateCountsAtOnce(t *testing.T) {
	env := newEnv(t)
	env.fleet("all", 300)
	env.campaign("job1", muster.Snapshot, muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 1}}, "@all")
	if got := env.queued("job1"); got != 1 {
		t.Fatalf("%d executions at first, want 1", got)
	}
	if err := env.UpdateJob(t.Context(), "job1", nil, jobs.JobChange{Rollout: &muster.RolloutConfig{}}); err != nil {
		t.Fatal(err)
	}
	env.settleDown()
	if got := env.queued("job1"); got != 300 {
		t.Errorf("%d executions after the limit was taken away, want 300", got)
	}
}

func TestAnAbortCancelsWhatIsQueued(t *testing.T) {
	env := newEnv(t)
	names := env.fleet("all", 10)
	env.campaign("job1", muster.Snapshot, muster.JobConfig{
		Abort: []muster.AbortCriterion{{Failure: muster.FailureFailed, ThresholdPercent: 50, MinExecuted: 4}},
		Retry: []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 1}},
	}, "@all")
	env.mustReport(names[9], "job1", muster.InProgress)
	for i, status := range []muster.Status{muster.Succeeded, muster.Succeeded, muster.Failed} {
		env.mustReport(names[i], "job1", status)
	}
	if got := env.jobStatus("job1"); got != muster.JobInProgress {
		t.Fatalf("the job is %s before the criterion is met", got)
	}
	env.mustReport(names[3], "job1", muster.Failed)
	d, err := env.DescribeJob(t.Context(), "job1")
	if err != nil || d.Status != muster.JobCanceled || d.ReasonCode != "ABORT_CRITERIA_MET" || d.Comment == "" {
		t.Fatalf("the job is %+v, %v; want it CANCELED with a reason", d.Job, err)
	}
	env.settleDown()
	want := muster.Counts{}.Add(muster.Succeeded, 2).Add(muster.Failed, 2).Add(muster.InProgress, 1).Add(muster.Canceled, 6)
	if got := env.counts("job1"); got != want {
		t.Errorf("counts %v, want %v: the retry of the third was cancelled, the fourth got none", got, want)
	}
	env.mustReport(names[9], "job1", muster.Failed)
	if got := env.counts("job1"); got.Total() != 11 {
		t.Errorf("a survivor of a cancelled job was retried: %v", got)
	}
}

// jobs-lifecycle.md section 10: FAILED 2, TIMED_OUT 1.
func TestRetries(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.campaign("job1", muster.Snapshot, muster.JobConfig{
		TimeoutMinutes: 5,
		Retry: []muster.RetryCriterion{
			{Failure: muster.FailureFailed, Max: 2}, {Failure: muster.FailureTimedOut, Max: 1},
		},
	}, "lamp")
	env.told()
	var lastQueued int64
	for i, end := range []muster.Status{muster.Failed, muster.TimedOut, muster.Failed, muster.Failed} {
		x := env.start("lamp").Execution
		if x == nil || x.Number != int64(i+1) || x.Retries.Attempt() != i || x.Version != 2 || x.QueuedAt.Seconds() <= lastQueued {
			t.Fatalf("attempt %d is %+v, want number %d in a later second than %d", i, x, i+1, lastQueued)
		}
		lastQueued = x.QueuedAt.Seconds()
		if end == muster.Failed {
			env.mustReport("lamp", "job1", muster.Failed)
		} else {
			env.minutes(6)
		}
	}
	want := muster.Counts{}.Add(muster.Failed, 3).Add(muster.TimedOut, 1)
	if got := env.counts("job1"); got != want {
		t.Errorf("counts %v, want %v", got, want)
	}
	if got := env.jobStatus("job1"); got != muster.JobCompleted {
		t.Errorf("the job is %s, want COMPLETED", got)
	}
	told := env.told()
	if len(told) != 8 || told[0] != "lamp notify QUEUED[job1]" || told[1] != "lamp next job1 QUEUED v1" || told[7] != "lamp next none" {
		t.Errorf("the thing was told %q: want list and next for each retry, and nothing at the end", told)
	}
}

func TestTheInProgressTimerRunsFromTheStart(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.campaign("job1", muster.Snapshot, muster.JobConfig{TimeoutMinutes: 10}, "lamp")
	env.minutes(30)
	x := env.start("lamp").Execution
	if want := env.clock().Minutes(10); x.Deadline() != want {
		t.Fatalf("the deadline is %v, want %v", x.Deadline(), want)
	}
	env.minutes(9)
	env.mustReport("lamp", "job1", muster.InProgress)
	env.minutes(1)
	if got := env.counts("job1").Of(muster.TimedOut); got != 1 {
		t.Errorf("%d timed out, want 1: reports do not move the timer", got)
	}
}

func TestAStartTimeHoldsTheJobBack(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp", "late")
	env.group("all", "lamp")
	start := env.clock().Minutes(60).Time().Format("2006-01-02 15:04")
	env.campaign("job1", muster.Snapshot, muster.JobConfig{Schedule: muster.Schedule{StartTime: start}}, "@all")
	if got := env.jobStatus("job1"); got != muster.JobScheduled || env.counts("job1").Total() != 0 {
		t.Fatalf("the job is %s with %v, want SCHEDULED with none", got, env.counts("job1"))
	}
	agenda, err := env.Work(t.Context())
	if err != nil || agenda.More || agenda.Next.Time().Format("2006-01-02 15:04") != start {
		t.Errorf("Work = %+v, %v; want to be called at %s", agenda, err, start)
	}
	env.minutes(30)
	if err := env.AddThingToThingGroup(t.Context(), "late", "all"); err != nil {
		t.Fatal(err)
	}
	env.minutes(31)
	if got := env.jobStatus("job1"); got != muster.JobInProgress || env.queued("job1") != 2 {
		t.Errorf("after the start time the job is %s with %v; members are captured then", got, env.counts("job1"))
	}
}

// A nightly window of one hour, opening at the next full hour.
func TestMaintenanceWindows(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp", "pump", "late")
	env.group("all", "lamp", "pump")
	opens := env.clock().Time().Truncate(time.Hour).Add(time.Hour)
	env.campaign("job1", muster.Continuous, muster.JobConfig{
		Retry:    []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 3}},
		Schedule: muster.Schedule{Windows: []muster.MaintenanceWindow{{StartTime: fmt.Sprintf("cron(0 %d * * ? *)", opens.Hour()), DurationMinutes: 60}}},
	}, "@all")
	if got := env.jobStatus("job1"); got != muster.JobScheduled {
		t.Fatalf("outside the window the job is %s", got)
	}
	until := func(at time.Time) {
		env.pass(int64(muster.At(at) - env.clock()))
		env.settleDown()
	}
	env.told()
	until(opens)
	wantTold(t, "when the window opens", env.told(),
		"lamp notify QUEUED[job1]", "lamp next job1 QUEUED v1", "pump notify QUEUED[job1]", "pump next job1 QUEUED v1")
	env.start("lamp")

	until(opens.Add(time.Hour))
	wantTold(t, "when the window closes", env.told(), "pump notify ", "pump next none")
	if got := env.jobStatus("job1"); got != muster.JobScheduled {
		t.Errorf("after the window the job is %s", got)
	}
	if d := env.start("pump"); d.Execution != nil {
		t.Errorf("start-next outside the window gave %+v", d.Execution)
	}
	if err := env.AddThingToThingGroup(t.Context(), "late", "all"); err != nil {
		t.Fatal(err)
	}
	env.mustReport("lamp", "job1", muster.Failed)
	wantTold(t, "outside the window", env.told(), "lamp notify ", "lamp next none")
	if got := env.counts("job1"); got != (muster.Counts{}).Add(muster.Queued, 1).Add(muster.Failed, 1) {
		t.Errorf("outside the window the counts are %v: joins and retries must wait", got)
	}

	until(opens.Add(24 * time.Hour))
	told := strings.Join(env.told(), "\n")
	for _, thing := range []string{"lamp", "pump", "late"} {
		if !strings.Contains(told, thing+" next job1 QUEUED") {
			t.Errorf("%s was not told when the next window opened:\n%s", thing, told)
		}
	}
	if got := env.queued("job1"); got != 3 {
		t.Errorf("%d queued in the next window, want 3", got)
	}
}

func TestEndTimes(t *testing.T) {
	for _, test := range []struct {
		behavior muster.EndBehavior
		want     muster.Counts
		status   muster.JobStatus
	}{
		{"", muster.Counts{}.Add(muster.Queued, 9).Add(muster.InProgress, 1), muster.JobInProgress},
		{muster.CancelAtEnd, muster.Counts{}.Add(muster.Canceled, 9).Add(muster.InProgress, 1), muster.JobInProgress},
		{muster.ForceAtEnd, muster.Counts{}.Add(muster.Canceled, 10), muster.JobCompleted},
	} {
		t.Run("endBehavior "+string(test.behavior), func(t *testing.T) {
			env := newEnv(t)
			names := env.fleet("all", 100)
			end := env.clock().Minutes(60).Time().Format("2006-01-02 15:04")
			env.campaign("job1", muster.Snapshot, muster.JobConfig{
				Rollout:  muster.RolloutConfig{MaximumPerMinute: 1},
				Schedule: muster.Schedule{EndTime: end, EndBehavior: test.behavior},
			}, "@all")
			env.minutes(9)
			env.mustReport(names[0], "job1", muster.InProgress)
			if err := env.UpdateJob(t.Context(), "job1", nil, jobs.JobChange{Rollout: &muster.RolloutConfig{MaximumPerMinute: 1}}); err != nil {
				t.Fatal(err)
			}
			env.pass(60 * 60_000)
			env.settleDown()
			if got := env.counts("job1"); got != test.want {
				t.Errorf("after the end the counts are %v, want %v: a rate saves nothing up", got, test.want)
			}
			if got := env.jobStatus("job1"); got != test.status {
				t.Errorf("after the end the job is %s, want %s", got, test.status)
			}
			if test.status == muster.JobInProgress {
				for i, name := range names[:10] {
					if i == 0 || test.behavior == "" {
						env.mustReport(name, "job1", muster.Succeeded)
					}
				}
				if got := env.jobStatus("job1"); got != muster.JobCompleted {
					t.Errorf("when all have ended the job is %s, want COMPLETED", got)
				}
			}
		})
	}
}

func TestUpdateJobRetriesOnlyToZero(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.campaign("job1", muster.Snapshot, muster.JobConfig{Retry: []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 2}}}, "lamp")
	two, zero := []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 2}}, []muster.RetryCriterion{{Failure: muster.FailureFailed}}
	wantKind(t, "UpdateJob to 2 retries", env.UpdateJob(t.Context(), "job1", nil, jobs.JobChange{Retry: &two}), muster.Invalid)
	if err := env.UpdateJob(t.Context(), "job1", nil, jobs.JobChange{Retry: &zero}); err != nil {
		t.Fatalf("UpdateJob to 0 retries: %v", err)
	}
	env.mustReport("lamp", "job1", muster.Failed)
	if got := env.counts("job1"); got.Total() != 1 {
		t.Errorf("retried after retries were ended: %v", got)
	}
}

// A retry that waits for a window is a further one, not a queued one
// (jobs-lifecycle.md section 10).
func TestUpdateJobEndsRetriesThatWaitForAWindow(t *testing.T) {
	for name, change := range map[string]jobs.JobChange{
		"nothing of retries": {Description: new("d")},
		"no more retries":    {Retry: &[]muster.RetryCriterion{{Failure: muster.FailureFailed}}},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.thing("lamp")
			opens := env.clock().Time().Truncate(time.Hour).Add(time.Hour)
			env.campaign("job1", muster.Continuous, muster.JobConfig{
				Retry:    []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 3}},
				Schedule: muster.Schedule{Windows: []muster.MaintenanceWindow{{StartTime: "cron(0 * * * ? *)", DurationMinutes: 10}}},
			}, "lamp")
			env.pass(int64(muster.At(opens) - env.clock()))
			env.settleDown()
			env.start("lamp")
			env.minutes(20)
			env.mustReport("lamp", "job1", muster.Failed)
			if err := env.UpdateJob(t.Context(), "job1", nil, change); err != nil {
				t.Fatal(err)
			}
			env.minutes(41)
			want := muster.Counts{}.Add(muster.Failed, 1)
			if change.Retry == nil {
				want = want.Add(muster.Queued, 1)
			}
			if got := env.counts("job1"); got != want {
				t.Errorf("in the next window the counts are %v, want %v", got, want)
			}
		})
	}
}

// A job whose end time has passed may still be worked on, but is given to
// nobody any more (jobs-lifecycle.md section 9.3).
func TestNoTargetsAfterTheEnd(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp", "pump")
	end := env.clock().Minutes(60).Time().Format("2006-01-02 15:04")
	env.campaign("job1", muster.Continuous, muster.JobConfig{Schedule: muster.Schedule{EndTime: end}}, "lamp")
	env.start("lamp")
	env.pass(61 * 60_000)
	env.settleDown()
	_, err := env.AssociateTargets(t.Context(), "job1", nil, []muster.Target{{Name: "pump"}}, nil)
	wantKind(t, "AssociateTargets after the end", err, muster.Invalid)
	env.settleDown()
	if got, want := env.counts("job1"), (muster.Counts{}).Add(muster.InProgress, 1); got != want {
		t.Errorf("after the end the counts are %v, want %v", got, want)
	}
}
