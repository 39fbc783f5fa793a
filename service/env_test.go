package service

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/catalog"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/internal/uuid"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
	"github.com/muster-iot/muster/tags"
)

// rooms are a Service with the methods of all its rooms at hand.
type rooms struct {
	*Service
	*jobs.Jobs
	*registry.Registry
	*rights.Rights
	*catalog.Catalog
	*eventlog.Log
	*tags.Tags
}

func roomsOf(s *Service) rooms {
	return rooms{s, s.Jobs, s.Registry, s.Rights, s.Catalog, s.Events, s.Tags}
}

// env is one service on a store of its own, with a clock that tests move and a
// record of what the things were told.
type env struct {
	rooms
	t     *testing.T
	store store.Store
	stop  func() // ends the service and leaves the store open

	mu    sync.Mutex
	now   muster.Instant
	notes []string
}

const testEpoch = muster.Instant(1_790_000_000_000)

// newEnv returns an env on an empty store. In memory, every other one is a store with lanes.
func newEnv(t *testing.T) *env {
	t.Helper()
	if seed := rand.Uint64(); seed%2 == 0 && !teststore.Postgres(t) {
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the store had lanes, and its pauses the seed %d", seed)
			}
		})
		return newEnvOnJust(t, storetest.Skewed(memstore.New(), 4, seed, 200*time.Microsecond), Options{})
	}
	return newEnvOn(t, teststore.New(t, func() store.Store { return storetest.Behind(memstore.New(), nil) }), Options{})
}

// newStore returns an empty store, in memory unless the suites are aimed at another.
func newStore(t *testing.T) store.Store {
	t.Helper()
	return teststore.New(t, func() store.Store { return memstore.New() })
}

// newEnvOn returns an env on s, made to refuse some transactions, to run the others twice,
// and to take its time at every point.
func newEnvOn(t *testing.T, s store.Store, o Options) *env {
	t.Helper()
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the pauses and refusals of the store had the seed %d", seed)
		}
	})
	return newEnvOnJust(t, storetest.Late(storetest.Refusing(storetest.Twice(s), seed), storetest.AnyTime(seed, 100*time.Microsecond)), o)
}

// newEnvOnJust returns an env on s as it is. The Audience of o is an audience, if
// there is one; without its notify the env records.
func newEnvOnJust(t *testing.T, s store.Store, o Options) *env {
	t.Helper()
	env := &env{t: t, store: s, now: testEpoch}
	o.Store, o.Account = s, muster.Account{ID: "000000000000", Region: "us-east-1"}
	o.Now = env.clock
	told, _ := o.Audience.(audience)
	if told.notify == nil {
		told.notify = env.record
	}
	o.Audience = told
	env.rooms = roomsOf(New(o))
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- env.Run(ctx) }()
	env.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		env.stop()
		if err := env.CheckShared(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return env
}

func (env *env) clock() muster.Instant {
	env.mu.Lock()
	defer env.mu.Unlock()
	return env.now
}

// pass moves the clock on.
func (env *env) pass(ms int64) {
	env.mu.Lock()
	defer env.mu.Unlock()
	env.now += muster.Instant(ms)
}

// record writes notifications down as "lamp notify IN_PROGRESS[a] QUEUED[b]"
// and "lamp next a QUEUED v1".
func (env *env) record(notes []jobs.Notification) {
	env.mu.Lock()
	defer env.mu.Unlock()
	for _, n := range notes {
		if n.List {
			inProgress, queued := n.Queue.Shown()
			env.notes = append(env.notes, fmt.Sprintf("%s notify %s%s", n.Thing, listed("IN_PROGRESS", inProgress), listed("QUEUED", queued)))
		}
		if n.Next && n.Head == nil {
			env.notes = append(env.notes, fmt.Sprintf("%s next none", n.Thing))
		} else if n.Next {
			env.notes = append(env.notes, fmt.Sprintf("%s next %s %s v%d", n.Thing, n.Head.Job, n.Head.Status, n.Head.Version))
		}
	}
}

func listed(status string, entries []muster.Entry) string {
	if len(entries) == 0 {
		return ""
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, string(e.Job))
	}
	return fmt.Sprintf("%s[%s]", status, strings.Join(ids, ","))
}

// told returns what the things were told since it was last asked, after all
// that is due has been done.
func (env *env) told() []string {
	env.t.Helper()
	env.settleDown()
	env.write(func(store.Tx) {}) // answered after what was answered before has been told
	env.mu.Lock()
	defer env.mu.Unlock()
	notes := env.notes
	env.notes = nil
	return notes
}

// settleDown does the background work that is due.
func (env *env) settleDown() {
	env.t.Helper()
	for range 10_000 {
		agenda, err := env.Work(env.t.Context())
		if err != nil {
			env.t.Fatalf("Work: %v", err)
		}
		if !agenda.More {
			return
		}
	}
	env.t.Fatal("the background work never ends")
}

func (env *env) thing(names ...string) {
	env.t.Helper()
	env.write(func(tx store.Tx) {
		for _, name := range names {
			t := muster.Thing{Name: muster.ThingName(name), ID: uuid.New(), Version: 1, CreatedAt: env.clock()}
			things.Put(tx, name, t)
		}
	})
}

// group makes a group, and its ancestors where there are none, and puts things
// into it; path is the group and its ancestors, from the root, separated by
// slashes.
func (env *env) group(path string, names ...string) {
	env.t.Helper()
	parent := muster.GroupName("")
	for part := range strings.SplitSeq(path, "/") {
		g := muster.Group{Name: muster.GroupName(part), Parent: parent}
		if _, err := env.CreateThingGroup(env.t.Context(), g, nil); err != nil {
			env.t.Fatalf("CreateThingGroup(%s): %v", part, err)
		}
		parent = g.Name
	}
	for _, name := range names {
		if err := env.AddThingToThingGroup(env.t.Context(), muster.ThingName(name), parent); err != nil {
			env.t.Fatalf("AddThingToThingGroup(%s, %s): %v", name, parent, err)
		}
	}
}

// write runs fn in a transaction. A read fails where the store refuses the transaction, which
// then runs again: fn must not end the test for that.
func (env *env) write(fn func(store.Tx)) {
	env.t.Helper()
	err := env.Commits.Do(env.t.Context(), func(tx *commit.Tx) error { fn(tx); return nil })
	if err != nil {
		env.t.Fatalf("write: %v", err)
	}
}

// submit hands in a command and does not wait for it.
func (env *env) submit(run func(*commit.Tx) error, done func(error)) {
	commit.Submit(env.Commits, "", nil, func(tx *commit.Tx) (struct{}, error) { return struct{}{}, run(tx) }, func(_ struct{}, err error) { done(err) })
}

// audience is a jobs.Audience of functions, each of which may be nil.
type audience struct {
	keep   func(store.QueueKey, muster.Change) bool
	hears  func(store.QueueKey) bool
	notify func([]jobs.Notification)
}

func (a audience) Keep(key store.QueueKey, c muster.Change) bool {
	return a.keep != nil && a.keep(key, c)
}
func (a audience) Hears(key store.QueueKey) bool { return a.hears != nil && a.hears(key) }
func (a audience) Notify(n []jobs.Notification) {
	if a.notify != nil {
		a.notify(n)
	}
}

// watcher is a Watcher of functions, each of which may be nil.
type watcher struct {
	due, recorded func()
	committed     func(int)
	rightsChanged func(rights.Change)
}

func (w watcher) Due() {
	if w.due != nil {
		w.due()
	}
}
func (w watcher) Recorded() {
	if w.recorded != nil {
		w.recorded()
	}
}
func (w watcher) Told(muster.Instant) {}
func (w watcher) Committed(n int) {
	if w.committed != nil {
		w.committed(n)
	}
}
func (w watcher) RightsChanged(c rights.Change) {
	if w.rightsChanged != nil {
		w.rightsChanged(c)
	}
}

// Tables of records that tests write and read directly.
var (
	things     = store.Of[muster.Thing]{Table: "thing"}
	groups     = store.Of[muster.Group]{Table: "group"}
	jobRecords = store.Of[muster.Job]{Table: "job"}
)

// links is a table whose records say everything with their keys.
func links(table store.Table) store.Of[store.Link] { return store.Of[store.Link]{Table: table} }

// fields are a record as JSON has it: of a table whose type only its room knows.
type fields map[string]any

func records(table store.Table) store.Of[fields] { return store.Of[fields]{Table: table} }

// Bounds of the rooms that tests go beyond. Most tests that use one also fail when
// the room has another; the others would prove less.
const (
	stepMax     = 128         // of jobs and of registry: what one step of background work touches
	departMax   = 100         // of registry: the things that leave a group in the command that deletes it
	buildingMax = 8           // of registry: the dynamic groups that one round of work builds
	smallLooks  = 1024        // of jobs: the members and groups that a small rollout looks at
	goneMax     = 512         // of eventlog: the events for a sink that is gone which one step removes
	rereadAfter = time.Minute // of eventlog: how often a sink begins at the start
)

// Keys of counts in store.Tallies.
const (
	activeJobs      = "active-jobs"
	deadLetterTally = "dead-letters"
)

// stepsOf returns the steps that a room would do in the background now.
func (env *env) stepsOf(room commit.Source) []func(*commit.Tx) error {
	env.t.Helper()
	var due commit.Due
	err := env.Commits.View(env.t.Context(), func(r store.Reader) (err error) {
		due, err = room.Due(r, commit.Asked{Now: env.clock(), Grow: true})
		return err
	})
	if err != nil || due.Steps == nil {
		env.t.Fatalf("Due = %+v, %v; want steps", due, err)
	}
	return due.Steps()
}

// job creates a job with the document {"do":"<id>"} for targets such as "lamp"
// (a thing) or "@lamps" (a group), and rolls it out.
func (env *env) job(id string, names ...string) {
	env.t.Helper()
	env.jobOf(muster.Snapshot, id, names...)
}

func (env *env) jobOf(selection muster.Selection, id string, names ...string) {
	env.t.Helper()
	in := jobs.NewJob{ID: muster.JobID(id), Document: fmt.Sprintf(`{"do":%q}`, id), Selection: selection, Targets: targetsNamed(names)}
	if _, err := env.CreateJob(env.t.Context(), in); err != nil {
		env.t.Fatalf("CreateJob(%s): %v", id, err)
	}
	env.settleDown()
	env.pass(10)
}

func (env *env) start(thing string) jobs.Described {
	env.t.Helper()
	d, err := commit.Await(env.t.Context(), func(done func(jobs.Described, error)) {
		env.StartNext(jobs.StartNextInput{Thing: muster.ThingName(thing)}, done)
	})
	if err != nil {
		env.t.Fatalf("StartNext(%s): %v", thing, err)
	}
	return d
}

func (env *env) report(thing, job string, status muster.Status) (jobs.Described, error) {
	return env.reportAs(jobs.UpdateInput{Thing: muster.ThingName(thing), Job: muster.JobID(job), Status: status})
}

func (env *env) reportAs(r jobs.UpdateInput) (jobs.Described, error) {
	return commit.Await(env.t.Context(), func(done func(jobs.Described, error)) { env.UpdateExecution(r, done) })
}

func (env *env) mustReport(thing, job string, status muster.Status) {
	env.t.Helper()
	if _, err := env.report(thing, job, status); err != nil {
		env.t.Fatalf("UpdateExecution(%s, %s, %s): %v", thing, job, status, err)
	}
}

func (env *env) counts(job string) muster.Counts {
	env.t.Helper()
	d, err := env.DescribeJob(env.t.Context(), muster.JobID(job))
	if err != nil {
		env.t.Fatalf("DescribeJob(%s): %v", job, err)
	}
	return d.Counts
}

func (env *env) jobStatus(job string) muster.JobStatus {
	env.t.Helper()
	d, err := env.DescribeJob(env.t.Context(), muster.JobID(job))
	if err != nil {
		env.t.Fatalf("DescribeJob(%s): %v", job, err)
	}
	return d.Status
}

func wantKind(t *testing.T, call string, err error, kind muster.Kind) *muster.Error {
	t.Helper()
	var me *muster.Error
	if !errors.As(err, &me) || me.Kind != kind {
		t.Fatalf("%s: error %v, want kind %d", call, err, kind)
	}
	return me
}

func wantTold(t *testing.T, when string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s, things were told\n  %s\nwant\n  %s", when, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}
