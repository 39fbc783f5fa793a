package commit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

var records = store.Of[string]{Table: "record"}

// running returns a Committer on o that runs until the test ends.
func running(t *testing.T, o Options) *Committer {
	t.Helper()
	if o.Now == nil {
		o.Now = func() muster.Instant { return 1 }
	}
	c := New(o)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return c
}

// hand hands in a command and does not wait for it.
func hand(c *Committer, run func(*Tx) error, done chan<- error) {
	Submit(c, "", nil, func(tx *Tx) (struct{}, error) { return struct{}{}, run(tx) }, func(_ struct{}, err error) { done <- err })
}

// block keeps the committer busy with one command, so that those handed in after it
// share a transaction. It returns what lets the command end.
func block(c *Committer) (release func()) {
	begun, held := make(chan struct{}, 2), make(chan struct{}) // a store may run the command twice
	hand(c, func(*Tx) error { begun <- struct{}{}; <-held; return nil }, make(chan error, 1))
	<-begun
	return func() { close(held) }
}

// handedIn returns how many steps of background work wait.
func handedIn(c *Committer) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.wide.work)
}

// stored reports whether there is a record.
func stored(t *testing.T, c *Committer, key string) (there bool) {
	t.Helper()
	if err := c.View(t.Context(), func(r store.Reader) (err error) { there, err = records.Has(r, key); return err }); err != nil {
		t.Fatal(err)
	}
	return there
}

func TestACallerHasOneStepOfWorkBeforeItAtMost(t *testing.T) {
	c := running(t, Options{Store: memstore.New()})
	var order []string // written by the committer alone, read when all is done
	called := make(chan error, 1)
	steps := make([]func(*Tx) error, 5)
	for i := range steps {
		steps[i] = func(*Tx) error {
			order = append(order, fmt.Sprint("step ", i))
			if i == 1 {
				hand(c, func(*Tx) error { order = append(order, "caller"); return nil }, called)
			}
			return nil
		}
	}
	if err := c.Background(t.Context(), steps); err != nil {
		t.Fatalf("Background = %v", err)
	}
	if err := <-called; err != nil {
		t.Fatalf("the caller was told %v", err)
	}
	const want = "step 0, step 1, caller, step 2, step 3, step 4"
	if got := strings.Join(order, ", "); got != want {
		t.Errorf("the order was %s, want %s", got, want)
	}
}

func TestWorkGoesOnHoweverManyCall(t *testing.T) {
	c := running(t, Options{Store: memstore.New()})
	var order []string // written by the committer alone, read when all is done
	worked, called := make(chan error, 1), make(chan error, 9)
	call := func(*Tx) error { return nil }
	for range 9 { // each caller brings the next one
		next := call
		call = func(*Tx) error {
			order = append(order, "caller")
			hand(c, next, called)
			return nil
		}
	}
	err := c.Do(t.Context(), func(b *Tx) error {
		go func() {
			worked <- c.Background(t.Context(), []func(*Tx) error{func(*Tx) error { order = append(order, "work"); return nil }})
		}()
		for handedIn(c) == 0 {
			runtime.Gosched()
		}
		return call(b)
	})
	if err != nil {
		t.Fatalf("Do = %v", err)
	}
	for range 9 {
		if err := <-called; err != nil {
			t.Fatalf("a caller was told %v", err)
		}
	}
	if err := <-worked; err != nil {
		t.Fatalf("the work ended with %v", err)
	}
	if order[0] != "caller" || order[1] != "work" {
		t.Errorf("the order was %s; want the work after the first caller", strings.Join(order, ", "))
	}
}

func TestABatchOfWorkTouchesAboutWorkMaxThings(t *testing.T) {
	touchAtMost(t, running(t, Options{Store: memstore.New()}), workMax)
}

func TestABatchOfWorkTouchesHalfOfThatWhileSomebodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := twoProcessors()
		all.Asked() // in virtual time, so all of it is not long ago
		touchAtMost(t, running(t, Options{Store: memstore.New(), Turns: all}), workMax/2)
	})
}

// touchAtMost hands in steps of work and expects that a batch ends with the step that
// touches as many things as most.
func touchAtMost(t *testing.T, c *Committer, most int) {
	t.Helper()
	const each = 100
	batches := map[*Tx]int{}
	steps := make([]func(*Tx) error, 3*workMax/each)
	for i := range steps {
		steps[i] = func(b *Tx) error {
			batches[b] += each
			keys := make([]store.QueueKey, each)
			for n := range keys {
				keys[n].Thing = muster.ThingName(fmt.Sprintf("thing-%d-%d", i, n))
			}
			return b.Load(keys)
		}
	}
	if err := c.Background(t.Context(), steps); err != nil {
		t.Fatalf("Background = %v", err)
	}
	touched := 0
	for _, n := range batches {
		if touched += n; n >= most+each {
			t.Errorf("a batch touched %d things, want fewer than %d", n, most+each)
		}
	}
	if touched != len(steps)*each {
		t.Errorf("%d things were touched, want %d", touched, len(steps)*each)
	}
}

func TestWorkThatFailsIsToldAndTheRestIsDone(t *testing.T) {
	c := running(t, Options{Store: memstore.New()})
	failure := errors.New("no")
	done := 0
	err := c.Background(t.Context(), []func(*Tx) error{
		func(*Tx) error { done++; return nil },
		func(b *Tx) error { records.Put(b, "lamp", "on"); return failure },
		func(*Tx) error { done++; return nil },
	})
	if !errors.Is(err, failure) || done < 2 {
		t.Errorf("Background = %v with %d of 2 other steps done", err, done)
	}
	if stored(t, c, "lamp") {
		t.Error("what the failed step wrote is there")
	}
}

// Values are those of the run that counts, also when an earlier one was given up
// because another command of the batch failed after it wrote.
func TestTheValueIsThatOfTheRunThatCounts(t *testing.T) {
	c := running(t, Options{Store: storetest.Twice(memstore.New())})
	release := block(c)
	var runs atomic.Int64
	type answer struct {
		value int64
		err   error
	}
	answers := make(chan answer, 1)
	Submit(c, "", nil, func(tx *Tx) (int64, error) { records.Put(tx, "a", "b"); return runs.Add(1), nil }, func(v int64, err error) { answers <- answer{v, err} })
	spoiled := make(chan error, 1)
	hand(c, func(tx *Tx) error { records.Put(tx, "c", "d"); return muster.Errorf(muster.Invalid, "no") }, spoiled)
	release()
	if err := <-spoiled; err == nil {
		t.Error("the command that fails succeeded")
	}
	if got := <-answers; got.err != nil || got.value != runs.Load() {
		t.Errorf("the value is that of run %d (%v), want of run %d, the last", got.value, got.err, runs.Load())
	}
	if runs.Load() < 2 {
		t.Errorf("the command ran %d times, want several", runs.Load())
	}
	if !stored(t, c, "a") || stored(t, c, "c") {
		t.Error("want what the one command wrote and nothing of the other")
	}
}

// What a command owes is done in this order, and nothing of one that fails.
func TestWhatACommandOwesIsDoneInOrder(t *testing.T) {
	c := running(t, Options{Store: storetest.Twice(memstore.New())})
	var order []string // written by the goroutine that answers
	note := func(s string) func() { return func() { order = append(order, s) } }
	owe := func(tx *Tx, who string, fails error) error {
		tx.Before(2, func() error { tx.After(note(who + " sealed last")); return nil })
		tx.Before(1, func() error {
			tx.Before(1, func() error { tx.After(note(who + " sealed by a seal")); return nil })
			tx.After(note(who + " sealed first"))
			return fails
		})
		tx.Ahead(note(who + " ahead"))
		return nil
	}
	done := make(chan struct{}, 3)
	release := block(c)
	for _, who := range []string{"one", "two", "three"} {
		fails := error(nil)
		if who == "two" {
			fails = muster.Errorf(muster.Invalid, "no")
		}
		Submit(c, "", nil, func(tx *Tx) (struct{}, error) {
			_, err := OfTransaction(tx, "closing", func() (*int, error) {
				tx.Close(func() error { tx.After(note("closed")); return nil })
				return new(int), nil
			})
			return struct{}{}, errors.Join(err, owe(tx, who, fails))
		}, func(_ struct{}, err error) {
			order = append(order, fmt.Sprintf("%s answered %v", who, err == nil))
			done <- struct{}{}
		})
	}
	release()
	for range 3 {
		<-done
	}
	if err := c.Do(t.Context(), func(*Tx) error { return nil }); err != nil { // answered after all that came before
		t.Fatal(err)
	}
	want := []string{
		"one ahead", "one answered true", "one sealed first", "one sealed by a seal", "one sealed last",
		"two answered false",
		"three ahead", "three answered true", "three sealed first", "three sealed by a seal", "three sealed last",
		"closed",
	}
	if !slices.Equal(order, want) {
		t.Errorf("the order was\n%q, want\n%q", order, want)
	}
}

// A batch of commands that name what they read asks the store once for it.
func TestABatchReadsAtOnceWhatItsCommandsName(t *testing.T) {
	s := &counting{Store: memstore.New()}
	c := running(t, Options{Store: s})
	release := block(c)
	const many = 20
	done := make(chan error, many)
	for i := range many {
		key := store.QueueKey{Thing: muster.ThingName(fmt.Sprint("thing-", i))}
		x := store.ExecutionKey{Thing: key.Thing, Job: "job", Number: 1}
		Submit(c, "", func(w *Wants) { w.Queue(key); w.Execution(x) }, func(tx *Tx) (struct{}, error) {
			q, err := tx.Queue(key)
			if err == nil && q.Thing != key.Thing {
				err = muster.Errorf(muster.Internal, "the queue of %s is that of %q", key.Thing, q.Thing)
			}
			if found, failed := tx.Executions(x); failed != nil || len(found) != 1 || found[0] != nil {
				err = muster.Errorf(muster.Internal, "the execution is %v, %v", found, failed)
			}
			return struct{}{}, err
		}, func(_ struct{}, err error) { done <- err })
	}
	s.reads.Store(0)
	release()
	for range many {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := s.reads.Load(); n != 2 {
		t.Errorf("the store was asked %d times, want 2", n)
	}
}

// What was read for a whole batch is not what its later commands get once an earlier one
// has changed it.
func TestABatchForgetsWhatItsCommandsChange(t *testing.T) {
	c := running(t, Options{Store: storetest.Twice(memstore.New())})
	release := block(c)
	const many = 3
	key := store.QueueKey{Thing: "lamp"}
	x := store.ExecutionKey{Thing: "lamp", Job: "job", Number: 1}
	done := make(chan error, many)
	for i := range many {
		Submit(c, "", func(w *Wants) { w.Latest(key, "job"); w.Execution(x) }, func(tx *Tx) (struct{}, error) {
			found, err := tx.Executions(x)
			if err != nil {
				return struct{}{}, err
			}
			if latest, err := store.LatestOf(tx, x.Thing, x.Job); err != nil || (latest == nil) != (found[0] == nil) || latest != nil && !latest.Equal(*found[0]) {
				return struct{}{}, muster.Errorf(muster.Internal, "command %d finds %v and the latest %v, %v", i, found[0], latest, err)
			}
			q, err := tx.Queue(key)
			if err != nil {
				return struct{}{}, err
			}
			version := int64(0)
			if found[0] != nil {
				version = found[0].Version
			}
			if version != int64(i) || len(q.Entries) != min(i, 1) {
				return struct{}{}, muster.Errorf(muster.Internal, "command %d finds version %d and %d entries", i, version, len(q.Entries))
			}
			after := muster.NewExecution(&muster.Job{ID: "job"}, "lamp", 1, tx.Now)
			after.Version = version + 1
			tx.Change(found[0], &after)
			tx.PutQueue(q.With(after))
			return struct{}{}, nil
		}, func(_ struct{}, err error) { done <- err })
	}
	release()
	for range many {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// What a transaction leaves for the next one is adopted only from the run that was
// applied, before the next one begins.
func TestOnlyTheRunThatWasAppliedIsAdopted(t *testing.T) {
	c := running(t, Options{Store: memstore.New()})
	var adopted []string // used by the committer alone, read when all is done
	release := block(c)
	runs := 0
	done := make(chan error, 2)
	hand(c, func(tx *Tx) error {
		runs++
		run := fmt.Sprint("run ", runs)
		tx.Adopt(func() { adopted = append(adopted, run) })
		return nil
	}, done)
	hand(c, func(tx *Tx) error {
		tx.Adopt(func() { adopted = append(adopted, "of a command that failed") })
		records.Put(tx, "a", "b")
		return muster.Errorf(muster.Invalid, "no")
	}, done)
	release()
	for range 2 {
		<-done
	}
	var next []string
	if err := c.Do(t.Context(), func(*Tx) error { next = slices.Clone(adopted); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"run 2"}; !slices.Equal(next, want) {
		t.Errorf("the next transaction begins with %q, want %q", next, want)
	}
}

// The revisions of a queue rise with every write, also within a transaction, when the
// queue is removed and comes again, and after a restart, of which the clock here shows no
// more than one millisecond. A transaction that runs twice gives the same ones.
func TestRevisionsOfQueuesRise(t *testing.T) {
	var now atomic.Int64
	clock := func() muster.Instant { return muster.Instant(now.Load()) }
	s := memstore.New()
	written := &writtenQueues{Store: s}
	all := map[muster.ThingName][]int64{} // written by the committer alone, read when it rests
	rng := rand.New(rand.NewPCG(1, 2))
	const lives, rounds, many = 5, 20, 8
	for range lives {
		now.Add(1)
		c := running(t, Options{Store: storetest.Twice(written), Now: clock})
		for range rounds {
			release := block(c)
			done := make(chan error, many)
			for range many {
				key := store.QueueKey{Thing: muster.ThingName(fmt.Sprint("lamp", rng.IntN(3)))}
				job := muster.Job{ID: muster.JobID(fmt.Sprint("job", rng.IntN(2)))}
				hand(c, func(tx *Tx) error {
					q, err := tx.Queue(key)
					if err != nil {
						return err
					}
					if entry, ok := q.Find(job.ID); ok {
						tx.PutQueue(q.Without(job.ID, entry.Number))
					} else {
						tx.PutQueue(q.With(muster.NewExecution(&job, key.Thing, 1, tx.Now)))
					}
					q, err = tx.Queue(key)
					tx.After(func() { all[key.Thing] = append(all[key.Thing], q.Rev) })
					return err
				}, done)
			}
			release()
			for range many {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Do(t.Context(), func(*Tx) error { return nil }); err != nil { // after what is told
				t.Fatal(err)
			}
		}
	}
	for thing, revs := range all {
		for i, rev := range revs[1:] {
			if rev <= revs[i] {
				t.Errorf("the queue of %s has the revisions %v", thing, revs)
				break
			}
		}
	}
	if len(all) != 3 {
		t.Errorf("%d queues were written, want 3", len(all))
	}
	for i, runs := range slices.Collect(slices.Chunk(written.runs, 2)) {
		if !slices.Equal(runs[0], runs[1]) {
			t.Fatalf("transaction %d writes the revisions %v in its first run and %v in its second", i, runs[0], runs[1])
		}
	}
}

// writtenQueues is a store that notes the revisions of the queues that are written, by
// run of a transaction.
type writtenQueues struct {
	store.Store
	runs [][]int64
}

func (s *writtenQueues) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return s.Store.Apply(ctx, func(tx store.Tx) error {
		s.runs = append(s.runs, nil)
		return fn(writtenTx{tx, &s.runs[len(s.runs)-1]})
	})
}

type writtenTx struct {
	store.Tx
	revs *[]int64
}

func (t writtenTx) PutQueue(q muster.Queue) {
	*t.revs = append(*t.revs, q.Rev)
	t.Tx.PutQueue(q)
}

// A command may want the execution that an entry of a queue names. Then all queues are
// read first, and all executions after that.
func TestWhatEntriesNameIsReadAtOnce(t *testing.T) {
	s := &counting{Store: memstore.New()}
	const many = 20
	name := func(i int) muster.ThingName { return muster.ThingName(fmt.Sprint("thing-", i)) }
	err := store.Update(t.Context(), s.Store, func(tx store.Tx) error {
		for i := range many {
			ended := muster.NewExecution(&muster.Job{ID: "job"}, name(i), 1, 1)
			ended.Status = muster.Succeeded
			tx.Change(nil, &ended)
			if i%2 == 0 {
				pending := muster.NewExecution(&muster.Job{ID: "job"}, name(i), 2, 1)
				tx.PutQueue(muster.Queue{Thing: name(i)}.With(pending))
				tx.Change(nil, &pending)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := running(t, Options{Store: s})
	release := block(c)
	done := make(chan error, 2*many)
	for i := range many {
		key, of := store.QueueKey{Thing: name(i)}, store.AttemptsKey{Thing: name(i), Job: "job"}
		Submit(c, "", func(w *Wants) { w.Latest(key, "job") }, func(tx *Tx) (struct{}, error) {
			want := int64(1)
			if i%2 == 0 {
				want = 2
				found, err := tx.Executions(store.ExecutionKey{Thing: of.Thing, Job: of.Job, Number: want})
				if err != nil || found[0] == nil || found[0].Number != want {
					return struct{}{}, muster.Errorf(muster.Internal, "the pending execution is %v, %v", found, err)
				}
				return struct{}{}, nil
			}
			latest, err := store.LatestOf(tx, of.Thing, of.Job)
			if err != nil || latest == nil || latest.Number != want {
				return struct{}{}, muster.Errorf(muster.Internal, "the latest execution is %v, %v", latest, err)
			}
			return struct{}{}, nil
		}, func(_ struct{}, err error) { done <- err })
		Submit(c, "", func(w *Wants) { w.Head(key) }, func(tx *Tx) (struct{}, error) {
			q, err := tx.Queue(key)
			if err != nil {
				return struct{}{}, err
			}
			head, pending := q.Head()
			if !pending {
				return struct{}{}, nil
			}
			_, err = tx.Executions(store.ExecutionKey{Thing: key.Thing, Job: head.Job, Number: head.Number})
			return struct{}{}, err
		}, func(_ struct{}, err error) { done <- err })
	}
	s.reads.Store(0)
	release()
	for range 2 * many {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := s.reads.Load(); n != 3 {
		t.Errorf("the store was asked %d times, want 3: for queues, executions and latest ones", n)
	}
}

// counting is a store that counts how often queues and executions are read.
type counting struct {
	store.Store
	reads atomic.Int64
}

func (s *counting) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return s.Store.Apply(ctx, func(tx store.Tx) error { return fn(countingTx{tx, s}) })
}

type countingTx struct {
	store.Tx
	s *counting
}

func (t countingTx) Queues(keys ...store.QueueKey) ([]muster.Queue, error) {
	t.s.reads.Add(1)
	return t.Tx.Queues(keys...)
}

func (t countingTx) Latest(keys ...store.AttemptsKey) ([]*muster.Execution, error) {
	t.s.reads.Add(1)
	return t.Tx.Latest(keys...)
}

func (t countingTx) Executions(keys ...store.ExecutionKey) ([]*muster.Execution, error) {
	t.s.reads.Add(1)
	return t.Tx.Executions(keys...)
}
