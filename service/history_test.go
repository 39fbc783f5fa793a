package service

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

var (
	historySeed  = flag.Uint64("history.seed", 1, "seed of the first random history")
	historyCount = flag.Int("history.count", 20, "number of random histories")
	historySteps = flag.Int("history.steps", 150, "steps of each random history")
)

// Random histories of operators, devices, timers and registry changes: after
// each step every invariant of the store holds, and whoever believes the last
// notification of each thing knows exactly what a device would be shown.
func TestRandomHistories(t *testing.T) {
	for i := range *historyCount {
		seed := *historySeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { newHistory(t, seed).play(*historySteps) })
	}
}

type history struct {
	*env
	rng    *rand.Rand
	things []muster.ThingName
	groups []muster.GroupName
	made   int // jobs
	limits jobs.Limits

	told sync.Mutex
	list map[muster.ThingName]string // what each thing was told last
	head map[muster.ThingName]string
	revs map[string]int64 // and as of which revision, by thing and kind
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{
		rng: rand.New(rand.NewPCG(seed, 1)), list: map[muster.ThingName]string{}, head: map[muster.ThingName]string{}, revs: map[string]int64{},
		things: []muster.ThingName{"a", "b", "c", "d", "e"}, groups: []muster.GroupName{"root", "left", "right", "leaf", "apart"},
	}
	h.limits = jobs.Limits{ConcurrentJobs: int(seed % 4), RetentionDays: int(seed % 3)}
	h.env = newEnvOn(t, newStore(t), Options{
		RemovedInProgress: seed%2 == 0, Audience: audience{notify: h.listen},
		Limits: h.limits,
		Sinks:  eventlog.Sinks{Webhook: map[muster.EventType]bool{muster.EventJob: true, muster.EventJobExecution: true}},
	})
	return h
}

func (h *history) listen(notes []jobs.Notification) {
	h.told.Lock()
	defer h.told.Unlock()
	for _, n := range notes {
		if n.List {
			h.rises(string(n.Thing)+" notify", n.Queue.Rev)
			h.list[n.Thing] = shownSet(n.Queue)
		}
		if n.Next {
			h.rises(string(n.Thing)+" next", n.HeadRev)
			h.head[n.Thing] = ""
			if n.Head != nil {
				h.head[n.Thing] = fmt.Sprintf("%s#%d", n.Head.Job, n.Head.Number)
			}
		}
	}
}

// rises notes the revision of a notification.
func (h *history) rises(told string, rev int64) {
	if rev <= h.revs[told] {
		h.t.Errorf("%s shows revision %d after %d", told, rev, h.revs[told])
	}
	h.revs[told] = rev
}

func shownSet(q muster.Queue) string {
	var all []string
	for _, e := range q.Pending() {
		all = append(all, fmt.Sprintf("%s#%d", e.Job, e.Number))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (h *history) play(steps int) {
	for range steps {
		name, err := h.step()
		var e *muster.Error
		if err != nil && (!errors.As(err, &e) || e.Kind == muster.Internal) {
			h.t.Fatalf("%s: %v", name, err)
		}
		h.pass(h.rng.Int64N(90_000))
		if h.rng.IntN(8) == 0 {
			h.pass(h.rng.Int64N(3 * 3600_000))
		}
		if h.rng.IntN(3) > 0 {
			h.settleDown()
			h.check(name)
		}
	}
	h.settleDown()
	h.check("the end")
}

// step does one thing that somebody might do.
func (h *history) step() (string, error) {
	ctx := h.t.Context()
	thing, group, job := pick(h.rng, h.things), pick(h.rng, h.groups), h.someJob()
	parents := map[muster.GroupName]muster.GroupName{"left": "root", "right": "root", "leaf": "left"}
	switch h.rng.IntN(21) {
	case 0, 1:
		_, err := h.CreateThing(ctx, muster.Thing{Name: thing})
		return "CreateThing", err
	case 2:
		return "DeleteThing", h.DeleteThing(ctx, thing, nil)
	case 3:
		_, err := h.CreateThingGroup(ctx, muster.Group{Name: group, Parent: parents[group]}, nil)
		return "CreateThingGroup", err
	case 4:
		return "DeleteThingGroup", h.DeleteThingGroup(ctx, group, nil)
	case 5, 6:
		return "AddThingToThingGroup", h.AddThingToThingGroup(ctx, thing, group)
	case 7:
		return "RemoveThingFromThingGroup", h.RemoveThingFromThingGroup(ctx, thing, group)
	case 8, 9:
		h.made++
		selection := muster.Selection(h.rng.IntN(2))
		_, err := h.CreateJob(ctx, jobs.NewJob{
			ID: muster.JobID(fmt.Sprint("job", h.made)), Document: "{}", Selection: selection, Config: h.someConfig(selection),
			Targets: []muster.Target{{Name: string(thing)}, {Group: true, Name: string(group)}}[h.rng.IntN(2):],
		})
		return "CreateJob", err
	case 10, 11:
		_, err := commit.Await(ctx, func(done func(jobs.Described, error)) {
			h.StartNext(jobs.StartNextInput{Thing: thing, StepMinutes: h.rng.IntN(3)}, done)
		})
		return "StartNext", err
	case 12, 13:
		to := []muster.Status{muster.InProgress, muster.Succeeded, muster.Failed, muster.Rejected}[h.rng.IntN(4)]
		_, err := h.reportAs(jobs.UpdateInput{Thing: thing, Job: job, Status: to, StepMinutes: h.rng.IntN(3)})
		return "UpdateExecution", err
	case 14:
		_, err := h.CancelJob(ctx, job, jobs.Cancellation{Force: h.rng.IntN(2) == 0})
		return "CancelJob", err
	case 15:
		return "DeleteJob", h.DeleteJob(ctx, job, nil, h.rng.IntN(2) == 0)
	case 16:
		return "CancelExecution", h.CancelExecution(ctx, jobs.ExecutionCancellation{Thing: thing, Job: job, Force: h.rng.IntN(2) == 0})
	case 19:
		events, err := h.Log.Events(ctx, eventlog.Webhook, 1+h.rng.IntN(5))
		if err == nil && len(events) > 0 && h.rng.IntN(2) == 0 {
			return "GiveUp", h.GiveUp(ctx, []eventlog.DeadLetter{{Event: events[0]}})
		}
		h.Taken(eventlog.Webhook, events)
		return "Taken", err
	case 17, 18:
		return "SetJobOptions", h.SetJobOptions(ctx, job, jobs.JobOptions{PaceJoiners: h.rng.IntN(3) > 0})
	default:
		return "DeleteExecution", h.DeleteExecution(ctx, thing, job, 1+h.rng.Int64N(2), nil, h.rng.IntN(2) == 0)
	}
}

// someConfig leaves about half of what can be configured out.
func (h *history) someConfig(selection muster.Selection) muster.JobConfig {
	var c muster.JobConfig
	maybe := func() bool { return h.rng.IntN(2) == 0 }
	if maybe() {
		c.Rollout.MaximumPerMinute = 1 + h.rng.IntN(3)
	}
	if maybe() {
		c.TimeoutMinutes = 1 + h.rng.IntN(30)
	}
	if maybe() {
		c.Retry = []muster.RetryCriterion{{Failure: muster.FailureAll, Max: 1 + h.rng.IntN(3)}}
	}
	if maybe() {
		c.Abort = []muster.AbortCriterion{{Failure: muster.FailureAll, ThresholdPercent: 60, MinExecuted: 1 + h.rng.IntN(3)}}
	}
	if maybe() {
		ends := h.clock().Minutes(60 + h.rng.IntN(300))
		c.Schedule.EndTime = ends.Time().Format("2006-01-02 15:04")
		c.Schedule.EndBehavior = pick(h.rng, []muster.EndBehavior{"", muster.StopRollout, muster.CancelAtEnd, muster.ForceAtEnd})
	}
	if selection == muster.Continuous && maybe() {
		c.Schedule.Windows = []muster.MaintenanceWindow{{StartTime: "cron(0 * * * ? *)", DurationMinutes: 30}}
	}
	return c
}

func (h *history) someJob() muster.JobID {
	return muster.JobID(fmt.Sprint("job", 1+h.rng.IntN(h.made+1)))
}

func pick[T any](rng *rand.Rand, all []T) T { return all[rng.IntN(len(all))] }

// check holds when all that is due was done.
func (h *history) check(after string) {
	h.t.Helper()
	problems, err := store.Verify(h.t.Context(), h.store)
	if err != nil || len(problems) > 0 {
		h.t.Fatalf("after %s: Verify: %v, %v", after, problems, err)
	}
	list, head := map[muster.ThingName]string{}, map[muster.ThingName]string{}
	err = h.store.View(h.t.Context(), func(r store.Reader) error {
		for q, err := range r.AllQueues() {
			if err != nil {
				return err
			}
			list[q.Thing] = shownSet(q)
			for _, e := range q.Entries {
				if j, err := jobRecords.Get(r, string(e.Job)); err != nil || e.Hidden != (j.Hides() && e.Status == muster.Queued) {
					return fmt.Errorf("entry %+v of %s is not as the windows of %+v say (%w)", e, q.Thing, j, err)
				}
			}
			if e, ok := q.Head(); ok {
				head[q.Thing] = fmt.Sprintf("%s#%d", e.Job, e.Number)
			}
			if ok, err := things.Has(r, string(q.Thing)); err != nil || !ok {
				return fmt.Errorf("thing %s is gone but has a queue (%w)", q.Thing, err)
			}
		}
		if err := h.checkTurns(r); err != nil {
			return err
		}
		return h.checkJobs(r)
	})
	if err != nil {
		h.t.Fatalf("after %s: %v", after, err)
	}
	h.told.Lock()
	defer h.told.Unlock()
	for _, m := range []map[muster.ThingName]string{h.list, h.head, list, head} {
		maps.DeleteFunc(m, func(_ muster.ThingName, s string) bool { return s == "" })
	}
	if !maps.Equal(list, h.list) || !maps.Equal(head, h.head) {
		h.t.Fatalf("after %s: things were told lists %v and heads %v, but have %v and %v", after, h.list, h.head, list, head)
	}
}

// checkTurns holds that no more jobs roll out than may, nor fewer while some
// wait, and that everything is filed where it belongs.
func (h *history) checkTurns(r store.Reader) error {
	problems, err := verify(h.t.Context(), r)
	if err != nil || len(problems) > 0 {
		return fmt.Errorf("verify: %v (%w)", problems, err)
	}
	most := h.limits.ConcurrentJobs
	if most == 0 {
		return nil
	}
	above, err := links("concurrent").Full(r, most+1)
	if err != nil || above {
		return fmt.Errorf("more than %d jobs roll out (%w)", most, err)
	}
	waits, err := links("line").Full(r, 1)
	if err != nil || !waits {
		return err
	}
	if taken, err := links("concurrent").Full(r, most); err != nil || !taken {
		return fmt.Errorf("a job waits though fewer than %d roll out (%w)", most, err)
	}
	return nil
}

// checkJobs holds what the jobs promise once their background work is done.
func (h *history) checkJobs(r store.Reader) error {
	for row, err := range records("deferred").Scan(r, "", "") {
		if err != nil {
			return err
		}
		if j, err := jobRecords.Get(r, store.SplitKey(row.Key)[0]); err != nil || j == nil || !j.Hides() {
			return fmt.Errorf("%q waits for a window of %+v (%w)", row.Key, j, err)
		}
	}
	for row, err := range links("joining").Scan(r, "", "") {
		if err != nil {
			return err
		}
		if j, err := jobRecords.Get(r, store.SplitKey(row.Key)[0]); err != nil || j == nil || !j.Gives() || j.Wake == 0 {
			return fmt.Errorf("%q waits for the pace of %+v (%w)", row.Key, j, err)
		}
	}
	for row, err := range jobRecords.Scan(r, "", "") {
		if err != nil {
			return err
		}
		j := row.Value
		counts, err := store.CountsOf(r, j.ID)
		if err != nil {
			return err
		}
		switch {
		case j.Settling || j.Revealing || (j.Wake != 0 && j.Wake <= h.clock()):
			return fmt.Errorf("job %s has work left: %+v", j.ID, j)
		case j.Status.Active() && !j.Over && !j.Rollout.Done && !j.Waiting && j.Wake == 0:
			return fmt.Errorf("job %s will never roll out: %+v", j.ID, j)
		case j.Config.Rollout.MaximumPerMinute > 0 && j.Rollout.Pace.Credit > muster.ExecutionCredit+1000*int64(j.Rollout.Pace.Rate):
			return fmt.Errorf("job %s has saved up more than a slice: %+v", j.ID, j)
		case j.Ended(counts):
			return fmt.Errorf("job %s has ended with %v but is %s", j.ID, counts, j.Status)
		case j.Status == muster.JobCompleted && counts.Pending() > 0:
			return fmt.Errorf("job %s is complete with %v", j.ID, counts)
		case j.Status == muster.JobCanceled && (counts.Of(muster.Queued) > 0 || (j.ForceCanceled && counts.Pending() > 0)):
			return fmt.Errorf("job %s is cancelled with %v", j.ID, counts)
		}
	}
	return nil
}
