package audit

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
)

var benchRecords = flag.Int("bench.records", 200_000, "how many audit records BenchmarkLookup looks among")

// BenchmarkLookup looks for a page of 50 records among many, on disk, and reports the 99th percentile too.
func BenchmarkLookup(b *testing.B) {
	s, err := pebblestore.Open(b.TempDir(), pebblestore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	commits := commit.New(commit.Options{Store: s, Now: func() muster.Instant { return 1 }})
	l := New(Options{Settings: Settings{Days: 400}, Store: s, Commits: commits, Pages: listing.NewPager(nil)})
	const step = 1000
	for n := 0; n < *benchRecords; n += step {
		err := store.Update(context.Background(), s, func(tx store.Tx) error {
			for i := n; i < n+step; i++ {
				r := Record{
					At: muster.Instant(1_790_000_000_000 + i*50), RequestID: fmt.Sprintf("%036d", i), AccessKeyID: fmt.Sprintf("AKIA%016d", i%50), User: fmt.Sprint("user", i%50), Address: "192.0.2.1", Service: "iot",
					Operation: []string{"CreateThing", "UpdateThing", "CreateJob", "CancelJob"}[i%4], Resources: []string{fmt.Sprint("arn:aws:iot:us-east-1:000000000000:thing/lamp", i%20_000)}, Outcome: Done,
					Changes: []Change{{Resource: fmt.Sprint("thing/lamp", i%20_000), Field: "version", Old: "1", New: "2"}},
				}
				if err := put(tx, nil, r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	last := muster.Instant(1_790_000_000_000 + *benchRecords*50)
	for name, of := range map[string]func(i int) Query{
		"newest": func(int) Query { return Query{} },
		"resource": func(i int) Query {
			return Query{Resource: fmt.Sprint("arn:aws:iot:us-east-1:000000000000:thing/lamp", i*7919%20_000)}
		},
		"principal": func(i int) Query {
			return Query{Principal: fmt.Sprint("user", i%50), To: last - muster.Instant(i*1000)}
		},
		"operation": func(i int) Query { return Query{Operation: "CancelJob", To: last - muster.Instant(i*1000)} },
		"rare": func(i int) Query { // reads as many records as a page may
			return Query{Principal: fmt.Sprint("user", i%50), Operation: "none", To: last - muster.Instant(i*1000)}
		},
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				q := of(i)
				q.Limit = 50
				begin := time.Now()
				if _, err := l.Lookup(b.Context(), q); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
