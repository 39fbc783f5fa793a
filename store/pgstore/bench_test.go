//go:build unix

package pgstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
)

const (
	benchStart = muster.Instant(1_700_000_000_000)
	benchJob   = muster.JobID("job")

	// benchThings is how many things the database has at least.
	benchThings = 100_000
)

func benchThing(i int) muster.ThingName { return muster.ThingName(fmt.Sprintf("engine-%07d", i)) }

// BenchmarkPair is what the database alone can do for the work of devices, written by hand:
// the statements that the store sends for a transaction of starts and as many ends of
// executions, on one connection, without the store interface and the service. One operation
// is one start or end.
func BenchmarkPair(b *testing.B) {
	for _, group := range []int{1, 32, 500} {
		b.Run(fmt.Sprintf("alone/group=%d", group), func(b *testing.B) {
			server := postgres.Start(b, postgres.Options{})
			s, err := Open(b.Context(), Options{Database: server.Database(b)})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = s.Close() })
			things := max(benchThings, b.N)
			fillForPairs(b, s, things)
			a := alone{lane: s.wide}
			order := rand.Perm(things)
			var started []muster.ThingName
			node, database := ownTime(b), server.ProcessorTime()
			b.ResetTimer()
			for from := 0; from < b.N; from += group {
				var starting []muster.ThingName
				for _, i := range order[(from+1)/2 : (min(from+group, b.N)+1)/2] {
					starting = append(starting, benchThing(i))
				}
				if err := a.transact(starting, started); err != nil {
					b.Fatal(err)
				}
				started = starting
			}
			b.StopTimer()
			each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(b.N) }
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
			b.ReportMetric(each(ownTime(b)-node), "node-µs/op")
			b.ReportMetric(each(server.ProcessorTime()-database), "database-µs/op")
		})
	}
}

// ownTime is the processor time of this process.
func ownTime(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fillForPairs gives each of some things an execution, and the job the records that a start
// reads.
func fillForPairs(b testing.TB, s *Store, things int) {
	b.Helper()
	const step = 1000
	for from := 0; from < things; from += step {
		if err := store.Update(b.Context(), s, func(tx store.Tx) error {
			tx.Put("job", string(benchJob), make([]byte, 400))
			tx.Put("document", string(benchJob), make([]byte, 100))
			for i := from; i < min(from+step, things); i++ {
				thing := benchThing(i)
				e := muster.Execution{Thing: thing, Job: benchJob, Number: 1, Status: muster.Queued, Version: 1, QueuedAt: benchStart, UpdatedAt: benchStart}
				tx.PutQueue(muster.Queue{Thing: thing}.With(e).Revised(0))
				tx.Change(nil, &e)
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// alone does the work of devices with nothing but the connection of a lane.
type alone struct{ lane *lane }

// transact starts the executions of some things, and ends those of others.
func (a *alone) transact(starting, ending []muster.ThingName) error {
	if err := a.lane.connect(); err != nil {
		return err
	}
	queues := make(map[muster.ThingName]muster.Queue, len(starting)+len(ending))
	executions := make(map[muster.ThingName]muster.Execution, len(starting)+len(ending))
	rows, placesOf := map[muster.ThingName]pgtype.TID{}, map[muster.ThingName]pgtype.TID{}
	keepQueue := func(row *row) { place, q := row.place(), row.queue(); queues[q.Thing], rows[q.Thing] = q, place }
	keepExecution := func(row *row) {
		place, e := row.place(), row.execution()
		executions[e.Thing], placesOf[e.Thing] = e, place
	}
	keepHead := func(row *row) { keepQueue(row); keepExecution(row) }
	drop := func(*row) {}

	var heads, others queueKeys
	for _, thing := range starting {
		heads.add(store.QueueKey{Thing: thing})
	}
	for _, thing := range ending {
		others.add(store.QueueKey{Thing: thing})
	}
	var reads []request
	if len(starting) > 0 {
		reads = append(reads,
			ask(keepHead, selectHeads, heads.thing, heads.ns, heads.bucket),
			ask(drop, selectOfHeads, heads.thing, heads.ns, heads.bucket, []string{"job", "document"}))
	}
	if len(ending) > 0 {
		jobs := make([]string, len(ending))
		for i := range jobs {
			jobs[i] = string(benchJob)
		}
		reads = append(reads,
			ask(keepQueue, selectQueues, others.thing, others.ns, others.bucket),
			ask(keepExecution, selectLatest, others.thing, jobs, others.bucket),
			ask(drop, selectCounts, jobs[:1]),
			ask(drop, selectRecords, []string{"job"}, [][]byte{[]byte(benchJob)}))
	}
	if err := a.exchange(append([]request{order(-1, beginLane[0])}, reads...)); err != nil {
		return err
	}

	var put queueRows
	var gone places
	var changed executionRows
	var counts countRows
	now := benchStart.Minutes(1)
	for _, thing := range starting {
		e := executions[thing]
		e.Status, e.Version, e.UpdatedAt, e.StartedAt, e.JobDeadline = muster.InProgress, e.Version+1, now, now, now.Minutes(30)
		put.add(queues[thing].With(e).Revised(0), rows[thing])
		if err := changed.add(&e, placesOf[thing]); err != nil {
			return err
		}
	}
	for _, thing := range ending {
		e := executions[thing]
		e.Status, e.Version, e.UpdatedAt, e.JobDeadline, e.Details = muster.Succeeded, e.Version+1, now, 0, map[string]string{"progress": "100 %"}
		gone = append(gone, rows[thing])
		if err := changed.add(&e, placesOf[thing]); err != nil {
			return err
		}
	}
	counts.add(benchJob, muster.Counts{}.Add(muster.Queued, -int64(len(starting))).
		Add(muster.InProgress, int64(len(starting)-len(ending))).Add(muster.Succeeded, int64(len(ending))))
	var writes []request
	if n := len(gone); n > 0 {
		writes = append(writes, order(int64(n), deleteQueues, gone))
	}
	if n := len(put.place); n > 0 {
		writes = append(writes, order(int64(n), updateQueues, put.args()...))
	}
	l := a.lane
	writes = append(writes, counts.writes(l.number, l.bucket, nil)...)
	writes = append(writes,
		order(int64(len(changed.place)), updateExecutions, changed.args()...),
		ask(drop, claimCommit, l.number, l.bucket, l.incarnation, l.n+1),
		order(-1, "COMMIT"))
	if err := a.exchange(writes); err != nil {
		return err
	}
	l.n++
	return nil
}

// exchange sends statements in one round trip.
func (a *alone) exchange(requests []request) error {
	batch := &pgx.Batch{}
	for _, r := range requests {
		batch.Queue(r.sql, r.args...)
	}
	results := a.lane.conn.SendBatch(context.Background(), batch)
	if err := receive(results, requests); err != nil {
		return err
	}
	return results.Close()
}
