package service

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/internal/uuid"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
)

// benchPageKey makes the page tokens of benchmarks.
var benchPageKey = []byte("a key")

// benchEnv is a service on a real folder, with n things in group "fleet".
func benchEnv(b *testing.B, n int) (rooms, context.Context) { return benchEnvOf(b, n, Options{}) }

// benchEnvOf is benchEnv with options.
func benchEnvOf(b *testing.B, n int, o Options) (rooms, context.Context) {
	b.Helper()
	s, err := pebblestore.Open(b.TempDir(), pebblestore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	o.Store, o.Account = s, muster.Account{ID: "000000000000", Region: "us-east-1"}
	o.Now, o.PageKey = func() muster.Instant { return muster.At(time.Now()) }, benchPageKey
	o.Sinks = eventlog.Sinks{Subscribers: true}
	e := roomsOf(New(o))
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- e.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		<-stopped
		s.Close()
	})
	fill := func(from, to int) error {
		return e.Commits.Do(ctx, func(t *commit.Tx) error {
			for i := from; i < to; i++ {
				name := fmt.Sprintf("thing-%07d", i)
				things.Put(t, name, muster.Thing{Name: muster.ThingName(name), ID: uuid.New(), Version: 1})
				records("member").Put(t, store.JoinKey("fleet-id", name), fields{})
			}
			return nil
		})
	}
	if err := e.Commits.Do(ctx, func(t *commit.Tx) error {
		groups.Put(t, "fleet", muster.Group{Name: "fleet", ID: "fleet-id", Version: 1})
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	for from := 0; from < n; from += 5000 {
		if err := fill(from, min(n, from+5000)); err != nil {
			b.Fatal(err)
		}
	}
	return e, ctx
}

func rollOut(ctx context.Context, b *testing.B, e rooms, id string) {
	b.Helper()
	rollOutOf(ctx, b, e, jobs.NewJob{ID: muster.JobID(id), Document: `{"do":"flash","url":"https://example.com/fw.bin"}`})
}

// rollOutOf rolls a job out to the fleet.
func rollOutOf(ctx context.Context, b *testing.B, e rooms, in jobs.NewJob) {
	b.Helper()
	in.Targets = []muster.Target{{Group: true, Name: "fleet"}}
	if _, err := e.CreateJob(ctx, in); err != nil {
		b.Fatal(err)
	}
	for range 10_000_000 {
		agenda, err := e.Work(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if !agenda.More {
			return
		}
	}
	b.Fatal("the background work never ends")
}

// BenchmarkStartUpdate measures start-next followed by an update to SUCCEEDED,
// both durable before they are answered.
func BenchmarkStartUpdate(b *testing.B) {
	startUpdate(b, func(context.Context, *testing.B, rooms) {})
}

// BenchmarkStartUpdateWithEvents is the same while somebody follows the events
// of all executions.
func BenchmarkStartUpdateWithEvents(b *testing.B) {
	startUpdate(b, func(ctx context.Context, b *testing.B, e rooms) {
		if err := e.UpdateEventConfigurations(ctx, map[muster.EventType]bool{muster.EventJobExecution: true}); err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for ctx.Err() == nil {
				events, err := e.Log.Events(ctx, eventlog.Subscribers, 256)
				if err != nil {
					return
				}
				if len(events) == 0 {
					time.Sleep(time.Millisecond)
					continue
				}
				e.Taken(eventlog.Subscribers, events)
			}
		}()
		b.Cleanup(func() { stop(); <-ended })
	})
}

func startUpdate(b *testing.B, prepare func(context.Context, *testing.B, rooms)) {
	for _, callers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			e, ctx := benchEnv(b, b.N)
			prepare(ctx, b, e)
			rollOut(ctx, b, e, "job")
			var next atomic.Int64
			var wait sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wait.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						thing := muster.ThingName(fmt.Sprintf("thing-%07d", i))
						_, err := commit.Await(ctx, func(done func(jobs.Described, error)) { e.StartNext(jobs.StartNextInput{Thing: thing}, done) })
						if err == nil {
							_, err = commit.Await(ctx, func(done func(jobs.Described, error)) {
								e.UpdateExecution(jobs.UpdateInput{Thing: thing, Job: "job", Status: muster.Succeeded}, done)
							})
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wait.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
		})
	}
}

// BenchmarkFanOut measures CreateJob for a group until the last execution is
// durable. MUSTER_BENCH_THINGS sets the size of the group.
func BenchmarkFanOut(b *testing.B) {
	n := 100_000
	if s := os.Getenv("MUSTER_BENCH_THINGS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	e, ctx := benchEnv(b, n)
	b.ResetTimer()
	for i := range b.N {
		id := fmt.Sprintf("job-%d", i)
		rollOut(ctx, b, e, id)
		d, err := e.DescribeJob(ctx, muster.JobID(id))
		if err != nil || d.Counts.Of(muster.Queued) != int64(n) {
			b.Fatalf("rolled out to %v, %v; want %d", d.Counts, err, n)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "executions/s")
	start := time.Now()
	for range 100 {
		if _, err := e.DescribeJob(ctx, "job-0"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(time.Since(start).Microseconds())/100, "µs/describe-job")
	start = time.Now()
	for range 100 {
		if list, err := e.ExecutionsOfJob(ctx, "job-0", 0, listing.Page{}); err != nil || len(list.Executions) != min(n, listing.Max) {
			b.Fatal(len(list.Executions), err)
		}
	}
	b.ReportMetric(float64(time.Since(start).Microseconds())/100, "µs/first-page")
}

// BenchmarkFanOutWithLinks is BenchmarkFanOut for a document with a link, with
// every thing subscribed: what the instants of a million URLs cost.
func BenchmarkFanOutWithLinks(b *testing.B) {
	const n = 50_000
	e, ctx := benchEnvOf(b, n, Options{Objects: &files{}, Audience: audience{hears: func(store.QueueKey) bool { return true }}})
	b.ResetTimer()
	for i := range b.N {
		rollOutOf(ctx, b, e, jobs.NewJob{
			ID: muster.JobID(fmt.Sprintf("job-%d", i)), Document: linked,
			Config: muster.JobConfig{Presigned: muster.PresignedConfig{RoleARN: role}},
		})
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "executions/s")
}
