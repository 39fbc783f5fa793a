package service

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/internal/uuid"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

// benchFleet is a service with n indexed things of two attributes, each in one
// group, and 100 dynamic groups of which ten ask for the attribute "fw".
func benchFleet(b *testing.B, n int) (rooms, context.Context) {
	b.Helper()
	e, ctx := benchEnv(b, 0)
	for from := 0; from < n; from += 5000 {
		err := e.Commits.Do(ctx, func(t *commit.Tx) error {
			for i := from; i < min(n, from+5000); i++ {
				thing := muster.Thing{
					Name: muster.ThingName(fmt.Sprintf("thing-%07d", i)), ID: uuid.New(), Version: 1,
					Attributes: map[string]string{"fw": "1", "serial": strconv.Itoa(i)},
				}
				things.Put(t, string(thing.Name), thing)
				records("member").Put(t, store.JoinKey("fleet-id", string(thing.Name)), fields{})
				records("groupof").Put(t, store.JoinKey(string(thing.Name), "fleet"), fields{"GroupID": "fleet-id"})
			}
			return nil // the background builds the index
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for i := range 100 {
		query := fmt.Sprintf("attributes.other:%d", i)
		if i%10 == 0 {
			query = fmt.Sprintf("attributes.fw:[2 TO 3] AND attributes.serial<%d", i)
		}
		if _, err := e.CreateDynamicThingGroup(ctx, muster.Group{Name: muster.GroupName(fmt.Sprintf("dynamic-%02d", i)), Dynamic: &muster.MembershipRule{Query: query}}, nil); err != nil {
			b.Fatal(err)
		}
	}
	for range 10_000_000 {
		agenda, err := e.Work(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if !agenda.More {
			return e, ctx
		}
	}
	b.Fatal("the background work never ends")
	return rooms{}, nil
}

// benchSizes are fleets to compare; MUSTER_BENCH_THINGS adds one.
func benchSizes() []int {
	sizes := []int{10_000}
	if n, err := strconv.Atoi(os.Getenv("MUSTER_BENCH_THINGS")); err == nil {
		sizes = append(sizes, n)
	}
	return sizes
}

// BenchmarkAttributeChange measures UpdateThing, durable, with ten dynamic
// groups that ask for the attribute; four of them the thing joins or leaves.
// BenchmarkSearch is a search for one thing by a serial number that goes with a
// term which every thing matches. Neither may depend on the size of the fleet.
func BenchmarkAttributeChange(b *testing.B) {
	for _, n := range benchSizes() {
		b.Run(fmt.Sprintf("things=%d", n), func(b *testing.B) {
			e, ctx := benchFleet(b, n)
			i := 0
			for b.Loop() {
				i++
				err := e.UpdateThing(ctx, "thing-0000050", muster.ThingUpdate{Attributes: muster.AttributePayload{
					Attributes: map[string]string{"fw": strconv.Itoa(1 + i%2)}, Merge: true,
				}})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSearch(b *testing.B) {
	for _, n := range benchSizes() {
		b.Run(fmt.Sprintf("things=%d", n), func(b *testing.B) {
			e, ctx := benchFleet(b, n)
			b.ResetTimer()
			for b.Loop() {
				found, err := e.SearchIndex(ctx, registry.IndexQuery{Text: "thingGroupNames:fleet AND attributes.serial:777"}, listing.Page{})
				if err != nil || len(found.Things) != 1 {
					b.Fatalf("SearchIndex = %d things, %v", len(found.Things), err)
				}
			}
		})
	}
}

// BenchmarkReconnectStorm stores that 10,000 devices went and came back, one
// dynamic group following.
func BenchmarkReconnectStorm(b *testing.B) {
	const n = 10_000
	e, ctx := benchFleet(b, n)
	if _, err := e.CreateDynamicThingGroup(ctx, muster.Group{Name: "online", Dynamic: &muster.MembershipRule{Query: "connectivity.connected:true"}}, nil); err != nil {
		b.Fatal(err)
	}
	round := 0
	for b.Loop() {
		round++
		for _, connected := range []bool{false, true} {
			changes := make([]registry.ConnectionChange, n)
			for i := range changes {
				changes[i] = registry.ConnectionChange{Client: fmt.Sprintf("thing-%07d", i), Whole: true, Connectivity: muster.Connectivity{
					Connected: connected, At: muster.Instant(round), Reason: muster.NoReason, Session: strconv.Itoa(round),
				}}
			}
			if err := e.RecordConnections(ctx, changes); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(2*n)*float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}
