package diary

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/integrity"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// registry says that there are things.
type registry struct{}

var things = store.Of[muster.Thing]{Table: "thing"}

func (registry) Thing(r store.Reader, name muster.ThingName) (*muster.Thing, error) {
	return things.Get(r, string(name))
}
func (registry) WantThing(w *commit.Wants, name muster.ThingName) {
	w.Record(things.Table, string(name))
}

// rig is a Recorder on a store in memory that has the things lamp and pump.
type rig struct {
	*Recorder
	t     testing.TB
	store *memstore.Store
	now   atomic.Int64
}

func newRig(t testing.TB) *rig {
	t.Helper()
	g := &rig{t: t, store: memstore.New()}
	g.now.Store(1_790_000_000_000)
	g.Recorder = g.node()
	g.update(func(tx store.Tx) {
		for _, name := range []string{"lamp", "pump"} {
			things.Put(tx, name, muster.Thing{Name: muster.ThingName(name)})
		}
	})
	return g
}

// node returns another Recorder on the store.
func (g *rig) node() *Recorder {
	now := func() muster.Instant { return muster.Instant(g.now.Add(1)) }
	c := commit.New(commit.Options{Store: g.store, Now: now})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := c.Run(ctx); err != nil {
			g.t.Errorf("Run: %v", err)
		}
	})
	g.t.Cleanup(func() { stop(); running.Wait() })
	return New(Options{Commits: c, Things: registry{}, Now: now, Pages: listing.NewPager(nil)})
}

func (g *rig) update(fn func(tx store.Tx)) {
	g.t.Helper()
	if err := store.Update(g.t.Context(), g.store, func(tx store.Tx) error { fn(tx); return nil }); err != nil {
		g.t.Fatal(err)
	}
}

// flush writes what a Recorder has gathered.
func (g *rig) flush(r *Recorder) {
	g.t.Helper()
	if err := r.write(); err != nil {
		g.t.Fatal(err)
	}
}

// stored returns the diary of a thing in the store.
func (g *rig) stored(thing muster.ThingName) (d muster.Diary) {
	g.t.Helper()
	err := g.store.View(g.t.Context(), func(r store.Reader) (err error) {
		d, err = Of(r, thing)
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return d
}

// shown returns what Recorder.Of returns.
func (g *rig) shown(r *Recorder, thing muster.ThingName) (d muster.Diary) {
	g.t.Helper()
	err := g.store.View(g.t.Context(), func(s store.Reader) (err error) {
		d, err = r.Of(s, thing)
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return d
}

// verify fails the test if the records do not agree.
func (g *rig) verify() {
	g.t.Helper()
	err := g.store.View(g.t.Context(), func(r store.Reader) error {
		problems, err := integrity.Run(g.t.Context(), r, func(c *integrity.Check) { Verify(c, things.Table) })
		for _, p := range problems {
			g.t.Error(p)
		}
		return err
	})
	if err != nil {
		g.t.Error(err)
	}
}

var lamp = Subject{Attached: []muster.ThingName{"lamp"}, Active: true, ClientID: "lamp"}

func TestWhatWasSeenIsShownAtOnceAndKept(t *testing.T) {
	g := newRig(t)
	g.Came(lamp)
	g.Told("lamp", "fw")
	g.Acknowledged("lamp")
	g.Denied(lamp, "iot:Subscribe", notify, "fleet", "#1")
	g.Failed("lamp", muster.Request{Operation: update, Code: "InvalidRequest", Message: "no status", Job: "fw"})
	g.Asked("lamp", muster.Request{Operation: start}, false)
	g.HTTPS("lamp")
	g.Left(lamp, "CONNECTION_LOST", time.Hour)
	g.Refused(lamp, someCertificate, "no")
	want := g.shown(g.Recorder, "lamp")
	switch {
	case want.Came.At == 0, want.Told.Acked <= want.Told.At, want.Denied.Count != 1, want.Failed.Code != "InvalidRequest", want.Asked.Operation != start,
		want.HTTPS == 0, want.Left.Kept != want.Left.At.Add(time.Hour), want.Refused.Certificate != someCertificate, want.Refused.Count != 1:
		t.Errorf("the diary shows %+v", want)
	}
	if g.stored("lamp") != (muster.Diary{}) {
		t.Error("something is stored before the time")
	}
	g.flush(g.Recorder)
	if got := g.stored("lamp"); got != want {
		t.Errorf("stored is %+v, want %+v", got, want)
	}
	if got := g.shown(g.node(), "lamp"); got != want {
		t.Errorf("another node shows %+v, want %+v", got, want)
	}
	g.verify()
}

// rows returns the things that have a diary.
func (g *rig) rows() (all []string) {
	g.t.Helper()
	err := g.store.View(g.t.Context(), func(r store.Reader) error {
		for row, err := range r.Scan(tables.diaries.Table, "", "") {
			if err != nil {
				return err
			}
			all = append(all, row.Key)
		}
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return all
}

func TestStrangersWriteNoDiary(t *testing.T) {
	g := newRig(t)
	for _, s := range []Subject{{}, {ClientID: "lamp"}} {
		g.Came(s)
		g.Left(s, "CONNECTION_LOST", 0)
		g.Refused(s, someCertificate, "an unknown certificate")
		g.Denied(s, "iot:Publish", "topic/$aws/things/lamp/jobs/get", "", "")
		g.Allowed(s, "iot:Publish", "topic/$aws/things/lamp/jobs/get")
	}
	g.flush(g.Recorder)
	if rows := g.rows(); len(rows) != 0 {
		t.Errorf("strangers have written the diaries of %v", rows)
	}
}

func TestOnlyThingsHaveDiaries(t *testing.T) {
	g := newRig(t)
	g.Came(Subject{Active: true, ClientID: "nothing"})
	g.Came(Subject{Active: true, ClientID: "pump"})
	g.Failed("no name", muster.Request{Operation: update, Code: "InvalidRequest"})
	g.Failed("nobody", muster.Request{Operation: update, Code: "ResourceNotFound"})
	g.flush(g.Recorder)
	if rows := g.rows(); !slices.Equal(rows, []string{"pump"}) || !g.stored("pump").Came.AsClientID {
		t.Errorf("there are diaries of %v, %+v", rows, g.stored("pump"))
	}
	g.update(func(tx store.Tx) { things.Delete(tx, "pump"); Deleted{}.ThingDeleted(&commit.Tx{Tx: tx}, "pump") })
	g.Told("pump", "fw")
	g.flush(g.Recorder)
	if rows := g.rows(); len(rows) != 0 {
		t.Errorf("there are diaries of %v after the thing was deleted", rows)
	}
}

// A success removes what failed before, whichever node and process of the server is told of it.
func TestASuccessIsWrittenWhereSomethingHasFailed(t *testing.T) {
	g := newRig(t)
	g.Asked("lamp", muster.Request{Operation: start}, true)
	g.Allowed(lamp, "iot:Subscribe", notify)
	g.flush(g.Recorder)
	if rows := g.rows(); len(rows) != 0 {
		t.Errorf("successes of which others tell were written: %v", rows)
	}
	fail := func() {
		g.Came(lamp)
		g.Denied(lamp, "iot:Subscribe", notify, "", "")
		g.Failed("lamp", muster.Request{Operation: start, Code: "InvalidRequest"})
		g.flush(g.Recorder)
		if d := g.stored("lamp"); !troubled(d) {
			t.Fatalf("stored is %+v", d)
		}
	}
	succeed := func(r *Recorder) {
		r.Allowed(lamp, "iot:Subscribe", notify)
		r.Asked("lamp", muster.Request{Operation: start}, true)
		g.flush(r)
		if d := g.stored("lamp"); troubled(d) {
			t.Errorf("after successes %+v is stored", d)
		}
	}
	fail()
	succeed(g.Recorder)
	fail()
	other := g.node()
	other.Came(lamp)
	g.flush(other)
	succeed(other)
	fail()
	again := g.node()
	again.Came(lamp)
	succeed(again)
}

func TestWhatCannotBeWrittenIsKept(t *testing.T) {
	g := newRig(t)
	g.Came(lamp)
	g.Refuse(Refusal{Principal: "p", Action: "iot:Connect", Resource: "client/lamp"})
	steps := g.refusalSteps()
	if len(g.take()) != 1 || len(steps) != 1 {
		t.Fatal("nothing was taken")
	}
	g.Told("lamp", "fw")
	g.Told("pump", "fw")
	g.Refuse(Refusal{Principal: "p", Action: "iot:Connect", Resource: "client/lamp"})
	for i := range g.shards {
		g.shards[i].written(false)
	}
	g.refusals.written(false)
	if d := g.shown(g.Recorder, "lamp"); d.Came.At == 0 || d.Told.Job != "fw" {
		t.Errorf("the diary shows %+v", d)
	}
	g.flush(g.Recorder)
	if d := g.stored("lamp"); d.Came.At == 0 || d.Told.Job != "fw" || g.stored("pump").Told.Job != "fw" {
		t.Errorf("stored is %+v and %+v", d, g.stored("pump"))
	}
	if all := g.listed(RefusalFilter{}); len(all) != 1 || all[0].Count != 2 {
		t.Errorf("the refusals are %+v", all)
	}
	g.verify()
}

func TestWhatIsGatheredIsBounded(t *testing.T) {
	g := newRig(t)
	for i := range 2 * shardCount * waitingMax {
		g.Told(muster.ThingName(fmt.Sprint(i)), "fw")
	}
	waiting, lost := 0, 0
	for i := range g.shards {
		waiting += len(g.shards[i].waiting)
		lost += g.shards[i].lost
	}
	if waiting > shardCount*waitingMax || waiting+lost != 2*shardCount*waitingMax || len(g.hurry) != 1 {
		t.Errorf("%d things wait, and %d are lost", waiting, lost)
	}
	for i := range 2 * troubledMax {
		g.shards[0].know(muster.ThingName(fmt.Sprint(i)), true)
	}
	if n := len(g.shards[0].troubled); n != troubledMax {
		t.Errorf("%d things of a shard are known to be in trouble", n)
	}
}

// failing fails every transaction.
type failing struct{ store.Store }

var errFull = errors.New("full")

func (failing) Apply(context.Context, func(store.Tx) error) (func() error, error) {
	return nil, errFull
}

func TestRunWritesWithinItsTimeAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		g.Came(lamp)
		time.Sleep(Behind)
		synctest.Wait()
		if g.stored("lamp").Came.At == 0 {
			t.Errorf("nothing is stored after %v", Behind)
		}
		g.Told("lamp", "fw")
		stop()
		if err := <-done; err != nil || g.stored("lamp").Told.Job != "fw" {
			t.Errorf("at the end %v, and stored is %+v", err, g.stored("lamp"))
		}
		if now, asOf := g.now.Load(), g.AsOf(); int64(asOf) <= now {
			t.Errorf("AsOf() = %v after %v", asOf, now)
		}
	})
}

func TestAStoreThatFails(t *testing.T) {
	c := commit.New(commit.Options{Store: failing{memstore.New()}, Now: func() muster.Instant { return 1 }})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	defer func() { stop(); running.Wait() }()
	r := New(Options{Commits: c, Things: registry{}, Now: func() muster.Instant { return 1 }, Pages: listing.NewPager(nil)})
	r.Came(lamp)
	ended, end := context.WithCancel(t.Context())
	end()
	if err := r.Run(ended); err == nil {
		t.Error("Run says nothing of a store that fails")
	}
	if r.shard("lamp").waiting["lamp"] == nil {
		t.Error("what could not be written is not kept")
	}
}
