package gateway

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

func TestAStormIsOverOnce(t *testing.T) {
	type second struct {
		came uint64
		open int64
		over bool
	}
	calm := func(n int) []second { return make([]second, n) }
	for name, seconds := range map[string][]second{
		"a storm":                      {{came: stormMin}, {}, {over: true}, {}, {}, {}},
		"one that takes its time":      {{came: 100}, {came: 100}, {}, {came: 100}, {}, {over: true}, {}},
		"too few":                      {{came: stormMin - 1}, {}, {}, {}},
		"few of many":                  {{came: stormMin, open: 8*stormMin + 8}, {open: 8*stormMin + 8}, {open: 8*stormMin + 8}},
		"an eighth of many":            {{came: stormMin, open: 8 * stormMin}, {open: 8 * stormMin}, {open: 8 * stormMin, over: true}, {}},
		"connections without a pause":  {{came: 500}, {came: 1}, {}, {came: 1}, {}, {came: 1}, {}, {came: 1}},
		"one that makes up for pauses": {{came: stormMin / 2}, {}, {}, {came: stormMin / 2}, {}, {over: true}, {}},
		"two storms in a minute": append(append([]second{{came: 500}, {}, {over: true}, {came: 500}}, calm(58)...),
			second{over: true}, second{}, second{}),
		"two storms in two minutes": append(append([]second{{came: 500}, {}, {over: true}}, calm(60)...),
			second{came: 500}, second{}, second{over: true}, second{}),
	} {
		var s storm
		var accepted uint64
		for i, at := range seconds {
			accepted += at.came
			if got := s.over(accepted, at.open, time.Unix(1_790_000_000+int64(i), 0)); got != at.over {
				t.Errorf("%s: second %d: over() = %v, want %v", name, i, got, at.over)
			}
		}
	}
}

// TestCalmFollowsAStorm connects clients and counts what the server is told to do after them.
func TestCalmFollowsAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calm atomic.Int32
		b := newBench(t, Options{Calm: func() {
			calm.Add(1)
			time.Sleep(3 * time.Second) // longer than a tick
		}})
		storm := func() {
			t.Helper()
			for i := range stormMin {
				b.connect(packet.V311, fmt.Sprintf("lamp-%d", i)).Close()
				if calm.Load() > 1 {
					t.Fatal("the server takes a rest in a storm")
				}
				if i%50 == 49 {
					time.Sleep(time.Second) // it goes on all the same
				}
			}
		}
		want := func(n int32, when string) {
			t.Helper()
			synctest.Wait()
			if got := calm.Load(); got != n {
				t.Fatalf("%s: told %d times that all is calm, want %d", when, got, n)
			}
		}
		want(0, "at the start")
		storm()
		want(0, "at the end of a storm")
		time.Sleep(4 * time.Second)
		want(1, "after it")
		storm()
		time.Sleep(4 * time.Second)
		want(1, "after another storm in the same minute")
		time.Sleep(time.Minute)
		want(2, "a minute after the first")
		time.Sleep(time.Hour)
		b.connect(packet.V5, "lamp")
		time.Sleep(time.Hour)
		want(2, "after hours with one connection")
	})
}
