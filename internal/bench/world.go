package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/scheduler"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
)

// quiet is the log of what runs in this process.
var quiet = slog.New(slog.DiscardHandler)

// account is a server's default account.
var account = muster.Account{ID: "000000000000", Region: "us-east-1"}

// world is a service in this process, on the store of a server that is not running.
type world struct {
	service *service.Service
	store   store.Store
	stop    context.CancelFunc
	ended   sync.WaitGroup
}

// open opens a data folder, made if it is not there.
func (b *bench) open(folder string) (*world, error) {
	db := filepath.Join(folder, "db")
	if err := os.MkdirAll(db, 0o700); err != nil {
		return nil, err
	}
	opened, err := pebblestore.Open(db, pebblestore.Options{})
	if err != nil {
		return nil, err
	}
	return newWorld(opened), nil
}

// newWorld returns a service on a store, which it closes with itself.
func newWorld(s store.Store) *world {
	now := func() muster.Instant { return muster.At(time.Now()) }
	timer := scheduler.New(now, quiet)
	w := &world{store: s, service: service.New(service.Options{
		Store: s, Account: account, Now: now, Watcher: due{timer}, Audit: audit.Settings{Days: 400},
	})}
	w.runParts(w.serve, func(ctx context.Context) { timer.Run(ctx, w.service) })
	return w
}

// runParts runs parts of w until it is closed.
func (w *world) runParts(parts ...func(context.Context)) {
	var ctx context.Context
	ctx, w.stop = context.WithCancel(context.Background())
	for _, run := range parts {
		w.ended.Go(func() { run(ctx) })
	}
}

func (w *world) serve(ctx context.Context) { _ = w.service.Run(ctx) } // a failure shows in every operation

func (w *world) close() error {
	w.stop()
	w.ended.Wait()
	return w.store.Close()
}

// registering is how many operations of the registry are under way at once when
// the fleet is made: enough to fill the committer's batches.
const registering = 2048

// addGroup makes a group of n things, whose names begin with its own.
func (w *world) addGroup(ctx context.Context, group string, n int) error {
	if err := w.createGroup(ctx, group); err != nil {
		return err
	}
	return w.addThings(ctx, group, n, func(i int) string { return thingName(group, i) })
}

func (w *world) createGroup(ctx context.Context, group string) error {
	_, err := w.service.Registry.CreateThingGroup(ctx, muster.Group{Name: muster.GroupName(group)}, nil)
	return err
}

// addThings makes n things in a group. The fleet index of a new folder is built before, so
// that no server has it left to do.
func (w *world) addThings(ctx context.Context, group string, n int, name func(i int) string) error {
	if err := w.awaitIndex(ctx); err != nil {
		return err
	}
	return inParallel(registering, n, func(_, i int) error {
		thing := muster.ThingName(name(i))
		if _, err := w.service.Registry.CreateThing(ctx, muster.Thing{Name: thing}); err != nil {
			return err
		}
		return w.service.Registry.AddThingToThingGroup(ctx, thing, muster.GroupName(group))
	})
}

func (w *world) awaitIndex(ctx context.Context) error {
	return awaitCount(ctx, 1, 5*time.Millisecond, func() (int, error) {
		status, err := w.service.Registry.IndexStatus(ctx, fleetquery.Things.Name())
		return strings.Count(status, "ACTIVE"), err
	})
}

func thingName(group string, i int) string { return fmt.Sprintf("%s-%07d", group, i) }

// document is a small job document.
const document = `{"operation":"install","url":"https://example.com/firmware.bin","version":"1.2.3"}`

// fanOut gives a job to a group of n things and returns how long it took until
// the last execution was durable.
func (w *world) fanOut(ctx context.Context, job, group string, n int) (time.Duration, error) {
	began := time.Now()
	_, err := w.service.Jobs.CreateJob(ctx, jobs.NewJob{
		ID: muster.JobID(job), Document: document, Targets: []muster.Target{{Group: true, Name: group}},
	})
	if err != nil {
		return 0, err
	}
	for {
		d, err := w.service.Jobs.DescribeJob(ctx, muster.JobID(job)) // of what is durable
		switch got := d.Counts.Of(muster.Queued); {
		case err != nil:
			return 0, err
		case got == int64(n):
			return time.Since(began), nil
		case got > int64(n):
			return 0, fmt.Errorf("job %s has %d executions for %d things", job, got, n)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// pair starts the next execution of a thing and reports it done, both durable
// when it returns.
func (w *world) pair(ctx context.Context, thing, job string) error {
	name := muster.ThingName(thing)
	started, err := commit.Await(ctx, func(done func(jobs.Described, error)) {
		w.service.Jobs.StartNext(jobs.StartNextInput{Thing: name, StepMinutes: 30}, done)
	})
	if err != nil {
		return err
	}
	if started.Execution == nil || started.Execution.Job != muster.JobID(job) {
		return errors.New("nothing to start on " + thing)
	}
	_, err = commit.Await(ctx, func(done func(jobs.Described, error)) {
		w.service.Jobs.UpdateExecution(jobs.UpdateInput{
			Thing: name, Job: muster.JobID(job), Status: muster.Succeeded, StepMinutes: muster.NoStep,
			Details: map[string]string{"progress": "100 %"},
		}, done)
	})
	return err
}

// due is a service.Watcher that tells the scheduler of work.
type due struct{ timer *scheduler.Scheduler }

func (d due) Due()                        { d.timer.Due() }
func (d due) Told(muster.Instant)         {}
func (d due) Committed(int)               {}
func (d due) Recorded()                   {}
func (d due) RightsChanged(rights.Change) {}
