package service

import (
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// BenchmarkVerify verifies an indexed fleet with an execution for each thing. The time of
// a thing must not depend on the size of the fleet, which it does when something is looked
// up for each thing.
func BenchmarkVerify(b *testing.B) {
	for _, n := range benchSizes() {
		b.Run(fmt.Sprintf("things=%d", n), func(b *testing.B) {
			e, ctx := benchFleet(b, n)
			err := e.Commits.Do(ctx, func(t *commit.Tx) error { // what benchFleet leaves out
				store.Of[muster.GroupName]{Table: "groupid"}.Put(t, "fleet-id", "fleet")
				links("below").Put(t, store.JoinKey("fleet", "0", "fleet"), store.Link{})
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			rollOut(ctx, b, e, "job")
			for b.Loop() {
				if problems, err := Verify(ctx, e.store); err != nil || len(problems) > 0 {
					b.Fatal(problems, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/thing")
		})
	}
}
