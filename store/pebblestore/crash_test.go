package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
	"github.com/muster-iot/muster/store/storetest"
)

// crashMemTable is so small that a history is flushed and compacted many times,
// and crashes hit these too.
const crashMemTable = 16 << 10

// The disk loses its power again and again, with any part of what was not
// synced lost. What comes back must be the state after one step of the
// history, whole, and no earlier one than any that was reported durable. More
// of it: MUSTER_SEEDS=1000 go test -run Crash ./store/pebblestore
func TestCrash(t *testing.T) {
	for _, seed := range storetest.Seeds(t, 5) {
		t.Run(fmt.Sprintf("MUSTER_SEED=%d", seed), func(t *testing.T) { crash(t, seed) })
	}
}

func crash(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	h := storetest.NewHistory(seed)
	disk := vfs.NewCrashableMem()
	for life := range 6 {
		o := pebblestore.Options{FS: disk, MemTableBytes: crashMemTable}
		if life%3 == 2 {
			o.Turns = resting(t)
		}
		s := open(t, "data", o)
		var last durable
		var all sync.WaitGroup
		for range 1 + rng.IntN(60) {
			wait, err := h.Step(s)
			if err != nil {
				t.Fatalf("life %d: %v", life, err)
			}
			step := h.Steps()
			if rng.IntN(3) > 0 {
				all.Go(func() { last.reach(step, wait) })
			}
			if rng.IntN(10) == 0 {
				last.reach(step, wait)
			}
		}
		promised := last.get() // before the power goes
		cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 30, 70, 100}[rng.IntN(4)], RNG: rng}
		crashed := disk.CrashClone(cfg)
		all.Wait()
		if err := s.Close(); err != nil {
			t.Fatalf("life %d: Close() = %v", life, err)
		}
		disk = crashed
		step := recovered(t, h, disk)
		if step < promised {
			t.Fatalf("life %d: back at step %d of %d, though step %d was durable", life, step, h.Steps(), promised)
		}
		h.Rewind(step)
	}
}

// recovered opens the disk, looks at everything, and says which step it shows.
func recovered(t *testing.T, h *storetest.History, disk vfs.FS) (step int) {
	t.Helper()
	ctx := context.Background()
	s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: crashMemTable})
	err := s.View(ctx, func(r store.Reader) (err error) { step, err = h.Check(r); return err })
	if err != nil {
		t.Fatalf("after the crash: %v", err)
	}
	problems, err := store.Verify(ctx, s)
	if err != nil || len(problems) > 0 {
		t.Fatalf("Verify() after the crash = %v, %v", problems, err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close() after the crash = %v", err)
	}
	return step
}

// durable is the latest step that was reported durable.
type durable struct {
	mu   sync.Mutex
	step int
}

func (d *durable) reach(step int, wait func() error) {
	if wait == nil || wait() != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.step = max(d.step, step)
}

func (d *durable) get() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step
}

// The power goes while many callers are at work. Each caller counts up its own
// thing's executions, so that afterwards none may be missing of those it saw
// durable, and what a view showed must be there too.
func TestCrashUnderLoad(t *testing.T) {
	for _, seed := range storetest.Seeds(t, 6) {
		t.Run(fmt.Sprintf("MUSTER_SEED=%d", seed), func(t *testing.T) { crashUnderLoad(t, seed) })
	}
}

func crashUnderLoad(t *testing.T, seed uint64) {
	const callers = 8
	rng := rand.New(rand.NewPCG(seed, 3))
	disk := vfs.NewCrashableMem()
	s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: crashMemTable})
	ctx, cancel := context.WithCancel(context.Background())
	var promised, seen [callers]durable
	var all sync.WaitGroup
	progress := make(chan struct{})
	for i := range callers {
		all.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				err := store.Update(context.Background(), s, func(tx store.Tx) error { return countUp(tx, i, n) })
				if err != nil {
					t.Errorf("Update() = %v", err)
					return
				}
				promised[i].reach(n, func() error { return nil })
				other := (i + 1) % callers
				var at int
				err = s.View(context.Background(), func(r store.Reader) (err error) { at, err = counted(r, other); return err })
				seen[other].reach(at, func() error { return err })
				select {
				case progress <- struct{}{}:
				case <-ctx.Done():
				}
			}
		})
	}
	for range 20 + rng.IntN(300) {
		<-progress
	}
	var atLeast [callers]int
	for i := range callers {
		atLeast[i] = max(promised[i].get(), seen[i].get())
	}
	crashed := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	cancel()
	all.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, "data", pebblestore.Options{FS: crashed})
	err := s.View(context.Background(), func(r store.Reader) error {
		for i, want := range atLeast {
			if got, err := counted(r, i); err != nil || got < want {
				t.Errorf("caller %d is back at %d, though %d was durable: %v", i, got, want, err)
			}
		}
		return nil
	})
	problems, verr := store.Verify(context.Background(), s)
	if err := errors.Join(err, verr, s.Close()); err != nil || len(problems) > 0 {
		t.Fatalf("after the crash: %v, Verify() = %v", err, problems)
	}
}

// countUp creates execution n of caller i and ends the one before it.
func countUp(tx store.Tx, i, n int) error {
	thing := muster.ThingName(fmt.Sprint("thing-", i))
	latest, err := store.LatestOf(tx, thing, "job")
	if err != nil {
		return err
	}
	queues, err := tx.Queues(store.QueueKey{Thing: thing})
	if err != nil {
		return err
	}
	q := queues[0]
	if latest != nil {
		done := *latest
		done.Status, done.Version = muster.Succeeded, 2
		tx.Change(latest, &done)
		q = q.With(done)
	}
	next := muster.Execution{
		Thing: thing, Job: "job", Number: int64(n), Status: muster.InProgress, Version: 1, JobDeadline: muster.Instant(n),
	}
	tx.Change(nil, &next)
	tx.PutQueue(q.With(next))
	return nil
}

func counted(r store.Reader, i int) (int, error) {
	latest, err := store.LatestOf(r, muster.ThingName(fmt.Sprint("thing-", i)), "job")
	if latest == nil || err != nil {
		return 0, err
	}
	return int(latest.Number), nil
}
