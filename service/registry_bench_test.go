package service

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// BenchmarkRegister measures a new thing that then joins a group, both durable
// before they are answered.
func BenchmarkRegister(b *testing.B) {
	for _, callers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			e, ctx := benchEnv(b, 0)
			var next atomic.Int64
			var wait sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wait.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						name := muster.ThingName(fmt.Sprintf("new-%07d", i))
						_, err := e.CreateThing(ctx, muster.Thing{Name: name, Attributes: map[string]string{"site": "north"}})
						if err == nil {
							err = e.AddThingToThingGroup(ctx, name, "fleet")
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wait.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "things/s")
		})
	}
}

// BenchmarkListThingsInThingGroup reads a page from the middle of a group.
func BenchmarkListThingsInThingGroup(b *testing.B) {
	e, ctx := benchEnv(b, 100_000)
	if err := e.Commits.Do(ctx, func(t *commit.Tx) error {
		links("below").Put(t, store.JoinKey("fleet", "0", "fleet"), store.Link{})
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	for _, recursive := range []bool{false, true} {
		b.Run(fmt.Sprintf("recursive=%v", recursive), func(b *testing.B) {
			at := store.JoinKey("fleet-id", "thing-0050000")
			if recursive {
				at = store.JoinKey("0", "fleet", "thing-0050000")
			}
			token := listing.NewPager(benchPageKey).Seal([]any{"things in thing group", muster.GroupName("fleet"), recursive}, at)
			for b.Loop() {
				list, err := e.ListThingsInThingGroup(ctx, "fleet", recursive, listing.Page{Limit: 250, Token: token})
				if err != nil || len(list.Things) != 250 || list.Things[0] != "thing-0050001" {
					b.Fatalf("ListThingsInThingGroup = %d things, %v", len(list.Things), err)
				}
			}
		})
	}
}
