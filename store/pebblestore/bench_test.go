package pebblestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

const benchStart = muster.Instant(1_700_000_000_000)

// thingName returns names in order that compress no better than real ones.
func thingName(i int) muster.ThingName {
	return muster.ThingName(fmt.Sprintf("device-%07d-%08x", i, uint32(i)*2654435761))
}

func openBench(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// fanOut gives things from to below to an execution of job, in one transaction
// that reads what package jobs reads.
func fanOut(s *Store, job muster.JobID, from, to int, now muster.Instant) (wait func() error, err error) {
	return s.Apply(context.Background(), func(tx store.Tx) error {
		keys := make([]store.QueueKey, 0, to-from)
		for i := from; i < to; i++ {
			keys = append(keys, store.QueueKey{Thing: thingName(i)})
		}
		queues, err := tx.Queues(keys...)
		if err != nil {
			return err
		}
		if counts, err := store.CountsOf(tx, job); err != nil || counts.Total() != counts.Pending() {
			return fmt.Errorf("some have ended: %v, %w", counts, err)
		}
		for _, q := range queues {
			e := muster.Execution{
				Thing: q.Thing, Job: job, Number: 1, Status: muster.Queued, Version: 1, QueuedAt: now, UpdatedAt: now,
			}
			tx.PutQueue(q.With(e).Revised(0))
			tx.Change(nil, &e)
		}
		return nil
	})
}

// fill gives n things an execution of job, 1,000 a transaction.
func fill(b *testing.B, s *Store, job muster.JobID, n int) {
	b.Helper()
	for from := 0; from < n; from += 1000 {
		wait, err := fanOut(s, job, from, min(from+1000, n), benchStart.Minutes(from/100_000))
		if err != nil {
			b.Fatal(err)
		}
		if from+1000 < n {
			continue
		}
		if err := wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// One operation is one new execution; 1,000 are one transaction, and each is
// awaited while the next runs, as a rollout does it.
func BenchmarkFanOut(b *testing.B) {
	s := openBench(b)
	pending := func() error { return nil }
	for from := 0; b.Loop(); from++ {
		if from%1000 != 0 {
			continue
		}
		job := muster.JobID(fmt.Sprint("job-", from/100_000)) // a thing gathers ten or so
		wait, err := fanOut(s, job, from%100_000, from%100_000+1000, benchStart)
		if err != nil {
			b.Fatal(err)
		}
		if err := pending(); err != nil {
			b.Fatal(err)
		}
		pending = wait
	}
	if err := pending(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
}

// flip is one of the two halves of a device's work: the start of an execution,
// or its end.
func flip(e muster.Execution, now muster.Instant) muster.Execution {
	e.Version++
	e.UpdatedAt = now
	if e.Status == muster.InProgress {
		e.Status, e.JobDeadline = muster.Succeeded, 0
		e.Details = map[string]string{"progress": "100 %"}
		return e
	}
	e.Status, e.StartedAt, e.JobDeadline, e.Details = muster.InProgress, now, now.Minutes(30), nil
	return e
}

// benchThings is how many things benchmarks have at least.
const benchThings = 100_000

// BenchmarkPair compares one durable start or end of an execution per
// operation, as many starts as ends: Pebble alone, one commit for each, with the
// very keys and values of the store; and the store, in transactions of all that is
// waiting.
func BenchmarkPair(b *testing.B) {
	for _, callers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("pebble/callers=%d", callers), func(b *testing.B) {
			s := openBench(b)
			things := fillForPairs(b, s)
			raw := rawPebble{db: s.db, things: int64(things)}
			race(b, callers, things, raw.flip)
		})
		b.Run(fmt.Sprintf("store/callers=%d", callers), func(b *testing.B) {
			s := openBench(b)
			things := fillForPairs(b, s)
			g := group{s: s, waiting: make(chan request, 2048)}
			ctx, cancel := context.WithCancel(b.Context())
			var done sync.WaitGroup
			done.Go(func() { g.run(ctx) })
			race(b, callers, things, g.flip)
			cancel()
			done.Wait()
		})
	}
}

// fillForPairs gives every thing an execution that is started once and ended once, and
// returns how many things there are.
func fillForPairs(b *testing.B, s *Store) (things int) {
	b.Helper()
	things = max(benchThings, (b.N+1)/2)
	fill(b, s, "job", things)
	return things
}

// race lets callers flip the executions of things in random order, each twice in a row.
func race(b *testing.B, callers, things int, flip func(i int) error) {
	b.Helper()
	latencies := make([]time.Duration, b.N)
	order := rand.Perm(things)
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range callers {
		all.Go(func() {
			for n := next.Add(1) - 1; n < int64(b.N); n = next.Add(1) - 1 {
				begun := time.Now()
				if err := flip(order[n/2]); err != nil {
					b.Error(err)
					return
				}
				latencies[n] = time.Since(begun)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	slices.Sort(latencies)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(float64(latencies[b.N*99/100].Microseconds())/1000, "p99-ms")
}

// rawPebble is the ceiling: no seam, no transactions, a lock per thing, a
// commit per operation.
type rawPebble struct {
	db     *pebble.DB
	things int64
	locks  [1024]sync.Mutex
	tally  atomic.Int64
}

func (p *rawPebble) flip(i int) error {
	b, err := p.apply(thingName(i), &p.locks[i%len(p.locks)])
	if err != nil {
		return err
	}
	if err := b.SyncWait(); err != nil {
		return err
	}
	return b.Close()
}

func (p *rawPebble) apply(thing muster.ThingName, lock *sync.Mutex) (*pebble.Batch, error) {
	lock.Lock()
	defer lock.Unlock()
	t := newTx(p.db.NewBatch())
	t.from = p.db
	queues, err := t.Queues(store.QueueKey{Thing: thing})
	if err != nil {
		return nil, err
	}
	executions, err := t.Executions(store.ExecutionKey{Thing: thing, Job: "job", Number: 1})
	if err != nil {
		return nil, err
	}
	before := *executions[0]
	next := flip(before, benchStart.Minutes(1))
	t.PutQueue(queues[0].With(next).Revised(0))
	t.Change(&before, &next)
	if err := t.writeQueues(); err != nil {
		return nil, err
	}
	t.set(appendCountsKey(nil, "job"), appendCounts(nil, muster.Counts{p.tally.Add(1), p.things}))
	return t.batch, p.db.ApplyNoSyncWait(t.batch, pebble.Sync)
}

// group runs what is waiting as one transaction, as package commit does.
type group struct {
	s       *Store
	waiting chan request
}

type request struct {
	thing muster.ThingName
	done  chan error
}

const maxGroup = 512

func (g *group) flip(i int) error {
	r := request{thingName(i), make(chan error, 1)}
	g.waiting <- r
	return <-r.done
}

func (g *group) run(ctx context.Context) {
	answers := make(chan func(), 16)
	var answering sync.WaitGroup
	answering.Go(func() {
		for answer := range answers {
			answer()
		}
	})
	defer answering.Wait()
	defer close(answers)
	for {
		var batch []request
		select {
		case r := <-g.waiting:
			batch = append(batch, r)
		case <-ctx.Done():
			return
		}
		for len(batch) < maxGroup && len(g.waiting) > 0 {
			batch = append(batch, <-g.waiting)
		}
		wait, err := g.s.Apply(ctx, func(tx store.Tx) error { return flipAll(tx, batch) })
		answers <- func() {
			if err == nil {
				err = wait()
			}
			for _, r := range batch {
				r.done <- err
			}
		}
	}
}

func flipAll(tx store.Tx, batch []request) error {
	queueKeys := make([]store.QueueKey, len(batch))
	keys := make([]store.ExecutionKey, len(batch))
	for i, r := range batch {
		queueKeys[i] = store.QueueKey{Thing: r.thing}
		keys[i] = store.ExecutionKey{Thing: r.thing, Job: "job", Number: 1}
	}
	queues, err := tx.Queues(queueKeys...)
	if err != nil {
		return err
	}
	executions, err := tx.Executions(keys...)
	if err != nil {
		return err
	}
	done := make(map[muster.ThingName]int, len(batch))
	for i := range batch {
		at := i
		if first, again := done[batch[i].thing]; again { // the same thing twice in a batch
			at = first
		}
		done[batch[i].thing] = at
		next := flip(*executions[at], benchStart.Minutes(1))
		queues[at] = queues[at].With(next).Revised(0)
		tx.PutQueue(queues[at])
		tx.Change(executions[at], &next)
		executions[at] = &next
	}
	return nil
}

// BenchmarkMillion builds a folder with a million things, each with an
// execution, and measures what grows with them and what must not.
func BenchmarkMillion(b *testing.B) {
	const million = 1_000_000
	dir := b.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	fill(b, s, "job", million)
	rate := million / time.Since(begun).Seconds()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}

	b.Run("open", func(b *testing.B) {
		before := heap()
		for range b.N {
			if s, err = Open(dir, Options{}); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.ReportMetric(float64(heap()-before)/1e6, "heap-MB")
			b.ReportMetric(float64(s.db.Metrics().DiskSpaceUsage())/1e6, "disk-MB")
			b.ReportMetric(rate, "filled/s")
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	before := heap()
	if s, err = Open(dir, Options{}); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for name, status := range map[string]muster.Status{"first page": 0, "first page QUEUED": muster.Queued, "first page FAILED": muster.Failed} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				page(b, s, status, store.Cursor{})
			}
		})
	}
	b.Run("page in the middle", func(b *testing.B) {
		for b.Loop() {
			page(b, s, 0, store.Cursor{QueuedAt: benchStart.Minutes(rand.IntN(10)), Thing: thingName(rand.IntN(million))})
		}
	})
	b.Run("queue and execution of a random thing", func(b *testing.B) {
		for b.Loop() {
			err := s.View(context.Background(), func(r store.Reader) error {
				thing := thingName(rand.IntN(million))
				_, err := r.Queues(store.QueueKey{Thing: thing})
				if err == nil {
					_, err = r.Executions(store.ExecutionKey{Thing: thing, Job: "job", Number: 1})
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heap()-before)/1e6, "heap-MB")
	})
	b.Run("latest execution of a random thing", func(b *testing.B) {
		for b.Loop() {
			err := s.View(context.Background(), func(r store.Reader) error {
				_, err := store.LatestOf(r, thingName(rand.IntN(million)), "job")
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if problems, err := store.Verify(context.Background(), s); err != nil || len(problems) > 0 {
				b.Fatal(problems, err)
			}
		}
	})
}

func page(b *testing.B, s *Store, status muster.Status, after store.Cursor) {
	err := s.View(context.Background(), func(r store.Reader) error {
		n := 0
		for _, err := range r.ExecutionsOfJob("job", status, after) {
			if err != nil {
				return err
			}
			if n++; n == 250 {
				break
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
