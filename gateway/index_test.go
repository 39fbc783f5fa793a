package gateway

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-iot/muster/gateway/topic"
)

func TestIndexFindsExactlyTheMatchingFilters(t *testing.T) {
	words := []string{"", "a", "b", "$aws", "things"}
	rnd := rand.New(rand.NewPCG(1, 2))
	random := func(extra ...string) string {
		levels := make([]string, 1+rnd.IntN(4))
		for i := range levels {
			all := slices.Concat(words, extra)
			levels[i] = all[rnd.IntN(len(all))]
		}
		return strings.Join(levels, "/")
	}
	for _, parent := range []bool{false, true} {
		x := newIndex(parent)
		var subs []*subscription
		for len(subs) < 300 {
			filter := random("+", "+", "#")
			if rnd.IntN(10) == 0 {
				filter = "$share/g/" + filter
			}
			if topic.CheckFilter(filter) != nil {
				continue
			}
			sub := &subscription{filter: filter}
			x.add(sub)
			subs = append(subs, sub)
		}
		check := func(name string) {
			t.Helper()
			var want []string
			for _, sub := range subs {
				if _, rest, _ := topic.Share(sub.filter); topic.Match(rest, name, parent) {
					want = append(want, sub.filter)
				}
			}
			var got []string
			matched, filters := x.match(nil, name)
			distinct := map[string]bool{}
			for _, sub := range matched {
				got = append(got, sub.filter)
				_, rest, _ := topic.Share(sub.filter)
				distinct[rest] = true
			}
			slices.Sort(got)
			slices.Sort(want)
			if found := x.matches(name); found != (len(want) > 0) {
				t.Errorf("matches(%q), parent %v: %v, want %v", name, parent, found, !found)
			}
			if !slices.Equal(got, want) || filters != len(distinct) {
				t.Errorf("match(%q), parent %v: %d filters\n got %q\nwant %q", name, parent, filters, got, want)
			}
		}
		for range 500 {
			check(random())
		}
		rnd.Shuffle(len(subs), func(i, j int) { subs[i], subs[j] = subs[j], subs[i] })
		for len(subs) > 0 {
			x.remove(subs[len(subs)-1])
			subs = subs[:len(subs)-1]
			check(random())
		}
		if n := len(*x.shapes.Load()); n != 0 || x.size.Load() != 0 {
			t.Errorf("an empty index keeps %d shapes and counts %d subscriptions", n, x.size.Load())
		}
		for i := range x.shards {
			if n := len(x.shards[i].filters); n != 0 {
				t.Errorf("an empty index keeps %d filters", n)
			}
		}
	}
}

func TestIndexIsSafeForManyGoroutines(t *testing.T) {
	x := newIndex(false)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				subs := []*subscription{{filter: "a/+"}, {filter: "a/b"}, {filter: fmt.Sprintf("a/+/%d/#", i%7)}}
				for _, sub := range subs {
					x.add(sub)
				}
				if got, _ := x.match(nil, "a/b"); len(got) < 2 {
					t.Errorf("match found %d subscriptions, want at least the two just added", len(got))
				}
				for _, sub := range subs {
					x.remove(sub)
				}
			}
		})
	}
	wg.Wait()
	if n := x.size.Load(); n != 0 {
		t.Errorf("size = %d after all were removed", n)
	}
}

// BenchmarkMatchNobody is the cost of a notification for a thing whose device is away, in a large fleet.
func BenchmarkMatchNobody(b *testing.B) {
	x := newIndex(false)
	for i := range 100_000 {
		x.add(&subscription{filter: fmt.Sprintf("$aws/things/t%d/jobs/notify-next", i)})
		x.add(&subscription{filter: fmt.Sprintf("$aws/things/t%d/jobs/+/get/+", i)})
		x.add(&subscription{filter: fmt.Sprintf("$aws/things/t%d/jobs/#", i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		x.match(nil, "$aws/things/none/jobs/notify-next")
	}
}
