package commit_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// fleet is a service with few things, groups and jobs, so that they meet often. If several
// processes make up the service it is one of them.
type fleet struct {
	*service.Service
	*book
	working chan struct{}         // holds a token while Work is called
	dead    atomic.Bool           // the process was killed
	mine    func(key string) bool // the part of the work that it does
}

// book is what all processes of a service have done.
type book struct {
	t      *testing.T
	seed   uint64
	store  store.Store   // what there is in the end
	shared bool          // there are several processes
	deaths bool          // some of which are killed
	time   time.Duration // of a round

	reading chan struct{} // holds a token while events are read
	seen    map[string]bool
	place   string // of the last event that was read
	within  map[membership]bool
	rank    map[muster.JobID]int

	mu         sync.Mutex // guards what follows
	processes  []*fleet
	jobs       []muster.JobID
	versions   map[executionOf]int64 // the highest that a device was answered
	over       map[muster.JobID]bool // nothing of them may start any more
	groups     int
	continuous map[muster.JobID]muster.GroupName
	gone       map[muster.ThingName]map[muster.GroupName]bool
	wrong      []string
}

// membership is a thing in a group.
type membership struct {
	thing muster.ThingName
	group string
}

func newBook(t *testing.T, s store.Store, seed uint64) *book {
	return &book{
		t: t, seed: seed, store: s, time: fleetTime, reading: make(chan struct{}, 1), seen: map[string]bool{}, within: map[membership]bool{}, rank: map[muster.JobID]int{},
		versions: map[executionOf]int64{}, over: map[muster.JobID]bool{},
		continuous: map[muster.JobID]muster.GroupName{}, gone: map[muster.ThingName]map[muster.GroupName]bool{},
	}
}

// at returns one of the processes.
func (b *book) at(n int) *fleet {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.processes[n%len(b.processes)]
}

// all returns the processes that were not killed.
func (b *book) all() (alive []*fleet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.processes {
		if !f.dead.Load() {
			alive = append(alive, f)
		}
	}
	return alive
}

// executionOf is an execution, and not a later one with its number.
type executionOf struct {
	store.ExecutionKey
	queued muster.Instant
}

const (
	fleetThings = 10
	fleetRounds = 5
	fleetTime   = 30 * time.Millisecond
)

func thingAt(i int) muster.ThingName { return muster.ThingName(fmt.Sprint("t", i)) }

// playFleet plays a script and returns what is wrong then. without changes the committer.
func playFleet(t *testing.T, seed uint64, script func(*fleet, context.Context), without func(*commit.Committer)) (wrong []string) {
	synctest.Test(t, func(t *testing.T) {
		s := storetest.Skewed(memstore.New(), 4, seed, 3*time.Millisecond)
		f := newFleet(t, s, seed)
		without(f.Commits)
		f.run(func(ctx context.Context) { f.begin(ctx); script(f, ctx) })
		wrong = f.wrong
	})
	return wrong
}

func newFleet(t *testing.T, s store.Store, seed uint64) *fleet {
	f := newProcess(newBook(t, s, seed), service.Options{Store: s, Now: now})
	f.processes = []*fleet{f}
	return f
}

// newProcess returns a process of a service.
func newProcess(b *book, o service.Options) *fleet {
	o.Account = muster.Account{ID: "000000000000", Region: "us-east-1"}
	o.Sinks = eventlog.Sinks{Subscribers: true}
	return &fleet{Service: service.New(o), book: b, working: make(chan struct{}, 1)}
}

// run runs the service while fn plays.
func (f *fleet) run(fn func(context.Context)) {
	ctx, stop := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	fn(ctx)
	stop()
	f.must(<-ended)
}

// begin makes things and groups.
func (f *fleet) begin(ctx context.Context) {
	f.must(f.Events.UpdateEventConfigurations(ctx, map[muster.EventType]bool{
		muster.EventJob: true, muster.EventJobExecution: true, muster.EventThingGroupMembership: true,
	}))
	for _, g := range []muster.GroupName{"east", "west"} {
		f.may(f.Registry.CreateThingGroup(ctx, muster.Group{Name: g}, nil))
	}
	for i := range fleetThings {
		f.may(f.Registry.CreateThing(ctx, muster.Thing{Name: thingAt(i), Attributes: map[string]string{"fw": "1"}}))
		f.must(f.Registry.AddThingToThingGroup(ctx, thingAt(i), "east"))
	}
	f.work(ctx)
}

// everything plays rounds in which all happens.
func (f *fleet) everything(ctx context.Context) {
	for round := range uint64(fleetRounds) {
		f.playRound(ctx, round)
	}
}

// playRound lets everybody do what they do for a while, then the background what is due.
func (f *fleet) playRound(ctx context.Context, round uint64) {
	until := time.Now().Add(f.time)
	var all sync.WaitGroup
	act := func(n uint64, longest time.Duration, fn func(*rand.Rand)) {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(f.seed, round<<8+n))
			for time.Now().Before(until) {
				time.Sleep(time.Duration(rng.Int64N(int64(longest))))
				fn(rng)
			}
		})
	}
	for i := range fleetThings {
		act(uint64(i), 2*time.Millisecond, func(rng *rand.Rand) { f.any(rng).device(ctx, rng, thingAt(i)) })
	}
	act(100, 4*time.Millisecond, func(rng *rand.Rand) { f.any(rng).makeJob(ctx, rng) })
	act(101, 4*time.Millisecond, func(rng *rand.Rand) { f.any(rng).endJob(ctx, rng) })
	act(102, 3*time.Millisecond, func(rng *rand.Rand) { f.any(rng).moveThing(ctx, rng) })
	act(103, 6*time.Millisecond, func(rng *rand.Rand) { f.any(rng).regroup(ctx, rng) })
	act(105, 300*time.Microsecond, func(rng *rand.Rand) { f.any(rng).readEvents(ctx) })
	if !f.shared {
		act(104, 200*time.Microsecond, func(*rand.Rand) { f.work(ctx) })
	}
	all.Wait()
	if f.deaths {
		return
	}
	f.work(ctx)
	for f.all()[0].readEvents(ctx) {
	}
	f.judge()
	f.judgeEvents()
}

// any returns one of the processes.
func (b *book) any(rng *rand.Rand) *fleet { return b.at(rng.IntN(1 << 20)) }

// readEvents takes the next events, and reports whether there were any. They come in the order
// of their places, whoever reads them, though they may come again.
func (f *fleet) readEvents(ctx context.Context) bool {
	f.reading <- struct{}{}
	defer func() { <-f.reading }()
	events, err := f.Events.Events(ctx, eventlog.Subscribers, 7)
	if f.may(nil, err); err != nil {
		return false
	}
	for _, e := range events {
		if f.seen[e.Place] {
			continue
		}
		if e.Place <= f.place {
			f.complain("an event of place %s comes after one of %s", e.Place, f.place)
		}
		f.seen[e.Place], f.place = true, e.Place
		f.judgeEvent(e)
	}
	f.Events.Taken(eventlog.Subscribers, events)
	return len(events) > 0
}

// judgeEvent compares an event with those before it of the same thing and the same job.
func (f *fleet) judgeEvent(e eventlog.Event) {
	switch e.Type {
	case muster.EventThingGroupMembership:
		key, is := membership{e.Thing.Name, e.Group.ID}, e.Operation == eventlog.Added
		if f.within[key] == is {
			f.complain("%s was %s of %s, and was that before (place %s)", e.Thing.Name, e.Operation, e.Group.Name, e.Place)
		}
		f.within[key] = is
	case muster.EventJob:
		rank := map[eventlog.Operation]int{eventlog.DeletionInProgress: 1, eventlog.Deleted: 2}[e.Operation]
		if rank < f.rank[e.Job.ID] {
			f.complain("job %s is %s after a later state (place %s)", e.Job.ID, e.Operation, e.Place)
		}
		f.rank[e.Job.ID] = rank
	}
}

// judgeEvents names the events that no sink was given.
func (f *fleet) judgeEvents() {
	f.reading <- struct{}{}
	defer func() { <-f.reading }()
	time.Sleep(20 * time.Millisecond) // what was taken is removed
	f.must(f.store.View(context.Background(), func(r store.Reader) error {
		for row, err := range r.Scan("subscriberevent", "", "") {
			if err != nil {
				return err
			}
			if !f.seen[row.Key] {
				f.complain("event %s was passed over, and the last one was %s", row.Key, f.place)
			}
		}
		return nil
	}))
}

// work does what is due, in all processes.
func (f *fleet) work(ctx context.Context) {
	for range 2 { // what one of them leaves may be the work of another
		for _, f := range f.all() {
			for f.workOnce(ctx).More {
			}
		}
		if !f.shared {
			return
		}
	}
}

// workOnce does one round of what is due.
func (f *fleet) workOnce(ctx context.Context) commit.Agenda {
	f.working <- struct{}{}
	defer func() { <-f.working }()
	agenda, err := f.WorkOn(ctx, f.mine)
	if _, contended := errors.AsType[*muster.Error](err); err != nil && !contended && !f.dead.Load() && ctx.Err() == nil {
		f.t.Errorf("Work = %v", err)
	}
	agenda.More = agenda.More || err != nil && !f.dead.Load() && ctx.Err() == nil
	return agenda
}

// must notes an error that the fleet does not cause.
func (f *fleet) must(err error) {
	if err != nil && !f.excused(err) {
		f.t.Errorf("%v", err)
	}
}

// may passes over an error of an action that others have made impossible.
func (f *fleet) may(_ any, err error) {
	if me, ok := errors.AsType[*muster.Error](err); err != nil && (!ok || me.Kind == muster.Internal || me.Kind == muster.Throttled) && !f.excused(err) {
		f.t.Errorf("%v", err)
	}
}

// excused reports whether an error is that of a process which was killed, or of a transaction that
// met those of other processes too often.
func (f *fleet) excused(err error) bool {
	me, ok := errors.AsType[*muster.Error](err)
	return f.dead.Load() || f.shared && ok && me.Kind == muster.Throttled
}

// device works on what is next for a thing.
func (f *fleet) device(ctx context.Context, rng *rand.Rand, thing muster.ThingName) {
	began, gone, over := now(), f.whereGone(thing), f.whatIsOver()
	next, err := commit.Await(ctx, func(done func(jobs.Described, error)) { f.Jobs.StartNext(jobs.StartNextInput{Thing: thing}, done) })
	f.may(nil, err)
	if err != nil || next.Execution == nil {
		return
	}
	f.answered(next.Execution)
	if over[next.Execution.Job] && next.Execution.StartedAt >= began {
		f.complain("%s starts %s, which was over before", thing, next.Execution.Job)
	}
	if group := f.groupOf(next.Execution.Job); gone[group] && f.whereGone(thing)[group] && next.Execution.StartedAt >= began {
		f.complain("%s starts %s, and had left %s before", thing, next.Execution.Job, group)
	}
	time.Sleep(time.Duration(rng.Int64N(int64(4 * time.Millisecond))))
	status := []muster.Status{muster.Succeeded, muster.Failed, muster.Failed, muster.Rejected, muster.InProgress}[rng.IntN(5)]
	d, err := commit.Await(ctx, func(done func(jobs.Described, error)) {
		f.Jobs.UpdateExecution(jobs.UpdateInput{Thing: thing, Job: next.Execution.Job, Number: &next.Execution.Number, Status: status, StepMinutes: muster.NoStep}, done)
	})
	f.may(nil, err)
	if err == nil {
		f.answered(d.Execution)
	}
}

// answered notes the version of an execution that a device was told.
func (f *fleet) answered(x *muster.Execution) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := executionOf{store.Key(*x), x.QueuedAt}
	if x.Version < f.versions[key] {
		f.wrong = append(f.wrong, fmt.Sprintf("a device was answered version %d of %+v after %d", x.Version, key, f.versions[key]))
	}
	f.versions[key] = max(f.versions[key], x.Version)
}

func now() muster.Instant { return muster.Instant(time.Now().UnixMilli()) }

// whatIsOver returns the jobs that nothing of may start any more.
func (f *fleet) whatIsOver() map[muster.JobID]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.over)
}

// isOver notes that nothing of a job may start any more, unless err is an error.
func (f *fleet) isOver(id muster.JobID, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.over[id] = true
	}
}

// groupOf returns the group of a continuous job.
func (f *fleet) groupOf(job muster.JobID) muster.GroupName {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.continuous[job]
}

// setGone notes that a thing has left a group, or may be in it.
func (f *fleet) setGone(thing muster.ThingName, group muster.GroupName, gone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone[thing] == nil {
		f.gone[thing] = map[muster.GroupName]bool{}
	}
	f.gone[thing][group] = gone
}

// whereGone returns the groups that a thing has left.
func (f *fleet) whereGone(thing muster.ThingName) map[muster.GroupName]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.gone[thing])
}

func (f *fleet) makeJob(ctx context.Context, rng *rand.Rand) {
	f.mu.Lock()
	id := muster.JobID(fmt.Sprint("j", len(f.jobs)))
	f.jobs = append(f.jobs, id)
	group := []muster.GroupName{"east", "west"}[rng.IntN(2)]
	kind := rng.IntN(4)
	if kind == 0 {
		f.continuous[id] = group
	}
	f.mu.Unlock()
	in := jobs.NewJob{ID: id, Document: `{}`}
	switch kind {
	case 0: // for whoever is in a group
		in.Selection = muster.Continuous
		in.Targets = []muster.Target{{Group: true, Name: string(group)}}
		in.Config.Retry = []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 10}}
	case 1: // aborted once two things have failed
		for _, i := range rng.Perm(fleetThings)[:4] {
			in.Targets = append(in.Targets, muster.Target{Name: string(thingAt(i))})
		}
		in.Config.Abort = []muster.AbortCriterion{{Failure: muster.FailureFailed, ThresholdPercent: 50, MinExecuted: 2}}
	default: // for two things
		for _, i := range rng.Perm(fleetThings)[:2] {
			in.Targets = append(in.Targets, muster.Target{Name: string(thingAt(i))})
		}
		if rng.IntN(2) == 0 {
			in.Config.Retry = []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 3}}
		}
	}
	f.may(f.Jobs.CreateJob(ctx, in))
}

// someJob returns a job that was made lately.
func (f *fleet) someJob(rng *rand.Rand) muster.JobID {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.jobs) == 0 {
		return "j0"
	}
	return f.jobs[max(0, len(f.jobs)-1-rng.IntN(12))]
}

func (f *fleet) endJob(ctx context.Context, rng *rand.Rand) {
	id := f.someJob(rng)
	switch rng.IntN(4) {
	case 0:
		_, err := f.Jobs.CancelJob(ctx, id, jobs.Cancellation{Force: rng.IntN(2) == 0})
		f.may(nil, err)
		f.isOver(id, err)
	case 1:
		err := f.Jobs.DeleteJob(ctx, id, nil, true)
		f.may(nil, err)
		f.isOver(id, err)
	case 2:
		f.may(nil, f.Jobs.CancelExecution(ctx, jobs.ExecutionCancellation{Thing: thingAt(rng.IntN(fleetThings)), Job: id, Force: true}))
	case 3:
		f.may(nil, f.Jobs.DeleteExecution(ctx, thingAt(rng.IntN(fleetThings)), id, 1, nil, true))
	}
}

func (f *fleet) moveThing(ctx context.Context, rng *rand.Rand) {
	thing := thingAt(rng.IntN(fleetThings))
	group := []muster.GroupName{"east", "west"}[rng.IntN(2)]
	switch rng.IntN(6) {
	case 0, 1:
		f.setGone(thing, group, false)
		f.may(nil, f.Registry.AddThingToThingGroup(ctx, thing, group))
	case 2, 3:
		err := f.Registry.RemoveThingFromThingGroup(ctx, thing, group)
		f.may(nil, err)
		f.setGone(thing, group, err == nil)
	case 4:
		f.may(nil, f.Registry.UpdateThing(ctx, thing, muster.ThingUpdate{
			Attributes: muster.AttributePayload{Attributes: map[string]string{"fw": fmt.Sprint(rng.IntN(2))}, Merge: true},
		}))
	case 5:
		f.may(nil, f.Registry.DeleteThing(ctx, thing, nil))
		time.Sleep(time.Millisecond)
		f.may(f.Registry.CreateThing(ctx, muster.Thing{Name: thing, Attributes: map[string]string{"fw": "0"}}))
	}
}

// regroup makes or deletes a dynamic group whose members the devices change.
func (f *fleet) regroup(ctx context.Context, rng *rand.Rand) {
	if f.groups++; f.groups%3 == 0 { // nobody else does it
		f.may(nil, f.Registry.DeleteDynamicThingGroup(ctx, muster.GroupName(fmt.Sprint("g", 1+rng.IntN(f.groups))), nil))
		return
	}
	query := fmt.Sprintf("jobs.%s.status:(FAILED OR SUCCEEDED)", f.someJob(rng))
	if rng.IntN(2) == 0 {
		query += " AND attributes.fw:1"
	}
	f.may(f.Registry.CreateDynamicThingGroup(ctx, muster.Group{Name: muster.GroupName(fmt.Sprint("g", f.groups)), Dynamic: &muster.MembershipRule{Query: query}}, nil))
}

// meet plays rounds in which all things, each a moment later and in another process, report that
// an execution of a new job has FAILED, while an operator does something about it.
func (f *fleet) meet(ctx context.Context, in jobs.NewJob, operator func(f *fleet, round int, job muster.JobID, soon func() time.Duration)) {
	for round := range 6 {
		in.ID = muster.JobID(fmt.Sprint("j", round))
		f.may(f.at(round).Jobs.CreateJob(ctx, in))
		f.work(ctx)
		for i := range fleetThings {
			f.at(i).report(ctx, thingAt(i), in.ID, muster.InProgress)
		}
		rng := rand.New(rand.NewPCG(f.seed, uint64(round)))
		soon := func() time.Duration { return time.Duration(rng.Int64N(int64(3 * time.Millisecond))) }
		var all sync.WaitGroup
		for i := range fleetThings {
			begin := soon()
			all.Go(func() {
				time.Sleep(begin)
				f.at(i).report(ctx, thingAt(i), in.ID, muster.Failed)
			})
		}
		operator(f.at(round+1), round, in.ID, soon)
		f.work(ctx)
		all.Wait()
		if !f.deaths {
			f.judgeEnds()
		}
		f.work(ctx)
		f.judge()
	}
}

func (f *fleet) report(ctx context.Context, thing muster.ThingName, job muster.JobID, status muster.Status) {
	f.may(commit.Await(ctx, func(done func(jobs.Described, error)) {
		f.Jobs.UpdateExecution(jobs.UpdateInput{Thing: thing, Job: job, Status: status, StepMinutes: muster.NoStep}, done)
	}))
}

var retrying = []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 10}}

func (f *fleet) groupMeetsReports(ctx context.Context) {
	in := jobs.NewJob{Document: "{}", Targets: []muster.Target{{Group: true, Name: "east"}}}
	f.meet(ctx, in, func(f *fleet, round int, job muster.JobID, soon func() time.Duration) {
		time.Sleep(soon())
		rule := muster.MembershipRule{Query: fmt.Sprintf("jobs.%s.status:FAILED", job)}
		f.may(f.Registry.CreateDynamicThingGroup(ctx, muster.Group{Name: muster.GroupName(fmt.Sprint("g", round)), Dynamic: &rule}, nil))
	})
}

func (f *fleet) attributeMeetsReports(ctx context.Context) {
	in := jobs.NewJob{Document: "{}", Targets: []muster.Target{{Group: true, Name: "east"}}}
	for round := range 6 {
		rule := muster.MembershipRule{Query: fmt.Sprintf("jobs.j%d.status:FAILED AND attributes.fw:%d", round, round+2)}
		f.may(f.Registry.CreateDynamicThingGroup(ctx, muster.Group{Name: muster.GroupName(fmt.Sprint("g", round)), Dynamic: &rule}, nil))
	}
	f.meet(ctx, in, func(f *fleet, round int, job muster.JobID, soon func() time.Duration) {
		attributes := muster.AttributePayload{Attributes: map[string]string{"fw": fmt.Sprint(round + 2)}}
		for i := range fleetThings {
			time.Sleep(soon() / fleetThings)
			f.must(f.Registry.UpdateThing(ctx, thingAt(i), muster.ThingUpdate{Attributes: attributes}))
		}
	})
}

func (f *fleet) endMeetsRetries(ctx context.Context) {
	in := jobs.NewJob{Document: "{}", Targets: []muster.Target{{Group: true, Name: "east"}}, Config: muster.JobConfig{Retry: retrying}}
	f.meet(ctx, in, func(f *fleet, round int, job muster.JobID, soon func() time.Duration) {
		time.Sleep(soon())
		if round%2 == 0 {
			f.may(f.Jobs.CancelJob(ctx, job, jobs.Cancellation{})) // what is in progress goes on
		} else {
			f.must(f.Jobs.DeleteJob(ctx, job, nil, true))
		}
	})
}

func (f *fleet) leavingMeetsRetries(ctx context.Context) {
	in := jobs.NewJob{Document: "{}", Selection: muster.Continuous, Config: muster.JobConfig{Retry: retrying}}
	in.Targets = []muster.Target{{Group: true, Name: "east"}}
	f.meet(ctx, in, func(f *fleet, _ int, job muster.JobID, soon func() time.Duration) {
		for i := range fleetThings {
			time.Sleep(soon() / fleetThings)
			f.must(f.Registry.RemoveThingFromThingGroup(ctx, thingAt(i), "east"))
		}
		f.work(ctx)
		f.judge()
		f.may(f.Jobs.CancelJob(ctx, job, jobs.Cancellation{Force: true}))
		for i := range fleetThings {
			f.must(f.Registry.AddThingToThingGroup(ctx, thingAt(i), "east"))
		}
	})
}

// lastEnds has the last executions of jobs end at the same time.
func (f *fleet) lastEnds(ctx context.Context) {
	in := jobs.NewJob{Document: "{}", Targets: []muster.Target{{Group: true, Name: "east"}}}
	f.meet(ctx, in, func(*fleet, int, muster.JobID, func() time.Duration) {})
}

func (f *fleet) complain(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wrong = append(f.wrong, fmt.Sprintf(format, args...))
}

// judge says what is wrong in the end.
func (f *fleet) judge() {
	f.judgeEnds()
	problems, err := service.Verify(context.Background(), f.store)
	f.must(err)
	for _, p := range problems {
		f.complain("%s", p)
	}
	f.must(f.store.View(context.Background(), func(r store.Reader) error {
		for row, err := range jobRecords.Scan(r, "", "") {
			if err != nil {
				return err
			}
			if err := f.judgeJob(r, &row.Value); err != nil {
				return err
			}
		}
		for key, version := range f.versions {
			found, err := r.Executions(key.ExecutionKey)
			if err != nil {
				return err
			}
			if x := found[0]; x != nil && x.QueuedAt == key.queued && x.Version < version {
				f.complain("%+v has version %d, and a device was answered %d", key, x.Version, version)
			}
		}
		return nil
	}))
}

// judgeEnds says which jobs have come to their end and do not say so.
func (f *fleet) judgeEnds() {
	f.must(f.store.View(context.Background(), func(r store.Reader) error {
		for row, err := range jobRecords.Scan(r, "", "") {
			if err != nil {
				return err
			}
			counts, err := store.CountsOf(r, row.Value.ID)
			if err != nil {
				return err
			}
			if row.Value.Ended(counts) {
				f.complain("%s is %s, and all of its executions have ended: %v", row.Key, row.Value.Status, counts)
			}
		}
		return nil
	}))
}

var jobRecords = store.Of[muster.Job]{Table: "job"}

func (f *fleet) judgeJob(r store.Reader, j *muster.Job) error {
	counts, err := store.CountsOf(r, j.ID)
	if err != nil {
		return err
	}
	if comment, met := rollout.Abort(j.Config.Abort, counts); met && j.Status.Active() {
		f.complain("%s is %s: %s", j.ID, j.Status, comment)
	}
	for x, err := range r.ExecutionsOfJob(j.ID, muster.Queued, store.Cursor{}) {
		if err != nil {
			return err
		}
		if !j.Status.Active() {
			f.complain("%+v is QUEUED, and the job is %s", store.Key(x), j.Status)
		}
		if j.Selection == muster.Snapshot {
			continue
		}
		in, err := f.isIn(r, x.Thing, j.Targets[0].Name)
		if err == nil && !in {
			f.complain("%+v is QUEUED, and the thing has left %s", store.Key(x), j.Targets[0].Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isIn reports whether a thing is in a group.
func (f *fleet) isIn(r store.Reader, thing muster.ThingName, group string) (bool, error) {
	from, to := store.Under(string(thing))
	for row, err := range (store.Of[map[string]any]{Table: "groupof"}).Scan(r, from, to) {
		if err != nil {
			return false, err
		}
		if store.SplitKey(row.Key)[1] == group {
			return true, nil
		}
	}
	return false, nil
}
