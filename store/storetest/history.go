package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// History is a random sequence of transactions, the same for the same seed. They
// follow the rules of package muster. It remembers what a store should hold after
// each, so that after a crash it can tell how many of them the store still has.
type History struct {
	rng    *rand.Rand
	states []*model // by step; the first is empty
}

const (
	historyTable store.Table = "history"
	stepKey                  = "step" // under which each transaction leaves its number
	historyStart             = muster.Instant(1_700_000_000_000)
)

// Few names, so that transactions reuse them, some of which are prefixes of
// others.
var (
	things = []muster.ThingName{"pump", "pump-1", "pump:1", "lamp", "Lamp"}
	jobs   = []muster.JobID{"update", "update-2", "UPDATE", "reboot"}
)

func namespaceOf(job muster.JobID) muster.Namespace {
	if job == "reboot" {
		return "factory"
	}
	return ""
}

// errRefused ends the transactions of a history that must have no effect.
var errRefused = errors.New("storetest: this transaction is refused")

// NewHistory returns the history of seed before its first transaction.
func NewHistory(seed uint64) *History {
	return &History{rng: rand.New(rand.NewPCG(seed, 0)), states: []*model{newModel()}}
}

// Steps returns how many transactions have been applied.
func (h *History) Steps() int { return len(h.states) - 1 }

// Step applies the next transaction to s, which must be in the state of the
// last step. Some transactions fail on purpose: these are no step, and wait is
// nil.
func (h *History) Step(s store.Store) (wait func() error, err error) {
	seed, step := h.rng.Uint64(), len(h.states)
	var next *model
	wait, err = s.Apply(context.Background(), func(tx store.Tx) error {
		rng := rand.New(rand.NewPCG(seed, 1)) // the function may run more than once
		next = h.states[step-1].clone()
		next.keeps = isShared(s)
		return next.transaction(rng, tx, step)
	})
	if errors.Is(err, errRefused) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("step %d: %w", step, err)
	}
	h.states = append(h.states, next)
	return wait, nil
}

// Check returns the number of the step that r is at, and an error unless r shows
// exactly the state after that step.
func (h *History) Check(r store.Reader) (step int, err error) {
	value, err := r.Get(historyTable, stepKey)
	if err != nil {
		return 0, err
	}
	if value != nil {
		if step, err = strconv.Atoi(string(value)); err != nil {
			return 0, err
		}
	}
	if step >= len(h.states) {
		return step, fmt.Errorf("the store is at step %d of %d", step, h.Steps())
	}
	if err := h.states[step].check(r); err != nil {
		return step, fmt.Errorf("step %d: %w", step, err)
	}
	return step, nil
}

// Clone returns the history up to now, for Check.
func (h *History) Clone() *History {
	return &History{rng: rand.New(rand.NewPCG(0, 0)), states: slices.Clone(h.states)}
}

// Rewind forgets what was after step, as a crash does.
func (h *History) Rewind(step int) { h.states = h.states[:step+1] }

func (m *model) transaction(rng *rand.Rand, tx store.Tx, step int) error {
	now := historyStart.Minutes(step / 4) // a few steps share an instant
	for range 1 + rng.IntN(6) {
		if err := m.act(rng, tx, now); err != nil {
			return err
		}
	}
	if rng.IntN(8) == 0 {
		if err := m.check(tx); err != nil {
			return fmt.Errorf("inside the transaction: %w", err)
		}
	}
	if rng.IntN(8) == 0 {
		return errRefused
	}
	m.put(tx, stepKey, strconv.Itoa(step))
	return nil
}

func (m *model) act(rng *rand.Rand, tx store.Tx, now muster.Instant) error {
	thing, job := things[rng.IntN(len(things))], jobs[rng.IntN(len(jobs))]
	latest, err := store.LatestOf(tx, thing, job)
	if err := differ("Latest() inside the transaction", values(latest), values(m.latest(thing, job)), err); err != nil {
		return err
	}
	switch kind := rng.IntN(10); {
	case kind == 0:
		m.put(tx, string(rune('a'+rng.IntN(6))), strconv.Itoa(rng.Int()))
	case kind == 1:
		key := string(rune('a' + rng.IntN(6)))
		delete(m.records, key)
		tx.Delete(historyTable, key)
	case kind == 2:
		if all := m.ofThing(thing); len(all) > 0 {
			e := all[rng.IntN(len(all))]
			return m.change(tx, &e, nil)
		}
	case latest == nil || latest.Status.Terminal():
		e := muster.Execution{
			Thing: thing, Job: job, Number: 1, Namespace: namespaceOf(job), Status: muster.Queued, Version: 1,
			QueuedAt: now, UpdatedAt: now,
		}
		if latest != nil {
			e.Number, e.Retries.Failed = latest.Number+1, latest.Retries.Failed+1
		}
		return m.change(tx, nil, &e)
	default:
		if next, err := latest.Apply(randomUpdate(rng), now); err == nil {
			return m.change(tx, latest, &next)
		}
	}
	return nil
}

// change changes an execution as Muster does: first the queue, then the pair.
func (m *model) change(tx store.Tx, before, after *muster.Execution) error {
	e := before
	if after != nil {
		e = after
	}
	key := store.QueueKey{Thing: e.Thing, Namespace: e.Namespace}
	got, err := tx.Queues(key)
	if err := differ("Queues() inside the transaction", got, []muster.Queue{m.queue(key)}, err); err != nil {
		return err
	}
	q := got[0].Without(e.Job, e.Number)
	if after != nil {
		q = got[0].With(*after)
		m.executions[store.Key(*e)] = *after
	} else {
		delete(m.executions, store.Key(*e))
	}
	q = q.Revised(m.removed)
	if q.Rev <= m.revs[key] {
		return fmt.Errorf("%v has revision %d after %d", key, q.Rev, m.revs[key])
	}
	m.revs[key] = q.Rev
	if m.queues[key] = q; len(q.Entries) == 0 {
		delete(m.queues, key)
		m.removed = max(m.removed, q.Rev)
	}
	tx.PutQueue(q)
	tx.Change(before, after)
	return nil
}

func (m *model) put(tx store.Tx, key, value string) {
	m.records[key] = value
	tx.Put(historyTable, key, []byte(value))
}

func randomUpdate(rng *rand.Rand) muster.Update {
	u := muster.Update{
		By: muster.Device, To: muster.Statuses()[rng.IntN(8)], JobMinutes: rng.IntN(3) * 5,
		StepMinutes: rng.IntN(4)*3 - 1, // clear, or 2, 5, 8 minutes
	}
	switch u.To {
	case muster.Queued, muster.TimedOut: // a start instead of an update that would be refused
		u.To = muster.InProgress
	case muster.Removed:
		u.By = muster.Registry
	case muster.Canceled:
		u.By = muster.Forced
	case muster.InProgress, muster.Succeeded, muster.Failed, muster.Rejected:
	}
	if rng.IntN(2) == 0 {
		u.Details = map[string]string{"progress": strconv.Itoa(rng.IntN(100))}
	}
	return u
}

// Seeds returns the seeds 1 to n for tests with histories. MUSTER_SEEDS=1000
// asks for that many instead, and MUSTER_SEED=7 for that one alone: a failure
// names the seed to give.
func Seeds(t *testing.T, n int) []uint64 {
	t.Helper()
	number := func(name string) int {
		v, err := strconv.Atoi(os.Getenv(name))
		if err != nil && os.Getenv(name) != "" {
			t.Fatalf("%s: %v", name, err)
		}
		return v
	}
	if seed := number("MUSTER_SEED"); seed != 0 {
		return []uint64{uint64(seed)}
	}
	if many := number("MUSTER_SEEDS"); many != 0 {
		n = many
	}
	seeds := make([]uint64, n)
	for i := range seeds {
		seeds[i] = uint64(i + 1)
	}
	return seeds
}

const historySteps = 120

func histories() []promise {
	return []promise{{"a random history leaves what a naive model says", historyMatchesModel}}
}

// historyMatchesModel plays its histories one after the other on one store:
// each ends by deleting everything, which must leave nothing.
func historyMatchesModel(t *testing.T, s store.Store) {
	n := 3
	if testing.Short() { // one goroutine
		n = 1
	}
	for _, seed := range Seeds(t, n) {
		h := NewHistory(seed)
		for range historySteps {
			wait, err := h.Step(s)
			if err != nil {
				t.Fatalf("MUSTER_SEED=%d: %v", seed, err)
			}
			if h.Steps()%8 != 0 || wait == nil {
				continue
			}
			if err := wait(); err != nil {
				t.Fatalf("MUSTER_SEED=%d: %v", seed, err)
			}
			view(t, s, func(r store.Reader) {
				if step, err := h.Check(r); err != nil || step != h.Steps() {
					t.Fatalf("MUSTER_SEED=%d: the store is at step %d, want %d: %v", seed, step, h.Steps(), err)
				}
			})
		}
		verify(t, s)
		clearAll(t, s)
		newStoreIsEmpty(t, s)
	}
}

func verify(t *testing.T, s store.Store) {
	t.Helper()
	problems, err := store.Verify(context.Background(), s, jobs...)
	if err != nil {
		t.Fatalf("Verify() = %v", err)
	}
	for _, p := range problems {
		t.Errorf("Verify: %s", p)
	}
}

func clearAll(t *testing.T, s store.Store) {
	t.Helper()
	update(t, s, func(tx store.Tx) {
		for _, e := range list(t, tx.AllExecutions(), 0) {
			tx.Change(&e, nil)
		}
		for _, thing := range things {
			for _, job := range jobs { // also where a shared store keeps a revision
				tx.PutQueue(muster.Queue{Thing: thing, Namespace: namespaceOf(job)})
			}
		}
		for _, rec := range list(t, tx.Scan(historyTable, "", ""), 0) {
			tx.Delete(historyTable, rec.Key)
		}
	})
}
