package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
)

func TestTheSameSeedPlaysTheSamePart(t *testing.T) {
	a := Behavior{Seed: 7, Work: time.Second, Steps: 3, Fail: 0.3, Reject: 0.3, Pick: 0.5}
	b := a
	other := a
	other.Seed = 8
	same, differ, again := true, false, false
	for i := range 50 {
		thing := fmt.Sprint("lamp-", i)
		same = same && a.outcome(thing, "fw", 1) == b.outcome(thing, "fw", 1) && a.picks(thing) == b.picks(thing) &&
			slices.Equal(a.pauses(thing, "fw"), b.pauses(thing, "fw"))
		differ = differ || a.outcome(thing, "fw", 1) != other.outcome(thing, "fw", 1)
		again = again || a.outcome(thing, "fw", 1) != a.outcome(thing, "fw", 2)
	}
	if !same || !differ || !again {
		t.Errorf("one seed repeats itself: %v, another differs: %v, a retry may differ: %v; want true of all", same, differ, again)
	}
}

func TestRatesAreKept(t *testing.T) {
	b := Behavior{Seed: 1, Fail: 0.2, Reject: 0.1, Hang: 0.05}
	count := map[Outcome]int{}
	for i := range 10_000 {
		count[b.outcome(fmt.Sprint("lamp-", i), "fw", 1)]++
	}
	for outcome, want := range map[Outcome]int{Succeed: 6500, Fail: 2000, Reject: 1000, Hang: 500} {
		if got := count[outcome]; got < want-200 || got > want+200 {
			t.Errorf("outcome %d came %d times of 10000, want about %d", outcome, got, want)
		}
	}
}

// An operator who looks at what failed wants to see kinds, and the same ones when a fleet plays its part again.
func TestDevicesSayWhy(t *testing.T) {
	b := Behavior{Seed: 1}
	for name, c := range map[string]struct {
		why  func(thing, job string, number int64) map[string]string
		from []complaint
	}{"failures": {b.fails, failures}, "refusals": {b.refuses, refusals}} {
		count, texts := map[string]int{}, map[string]bool{}
		for i := range 10_000 {
			thing := fmt.Sprint("lamp-", i)
			details := c.why(thing, "fw", 1)
			if err := muster.CheckDetails(details); err != nil || strings.Contains(details["reason"], "%!") {
				t.Fatalf("%s: %v, %v", name, details, err)
			}
			if !maps.Equal(details, c.why(thing, "fw", 1)) {
				t.Fatalf("%s of %s are not the same again", name, thing)
			}
			count[details["code"]]++
			texts[details["reason"]] = true
		}
		sum := 0
		for _, kind := range c.from {
			sum += kind.share
			if got, want := count[kind.code], 100*kind.share; got < want-200 || got > want+200 {
				t.Errorf("%s: %s came %d times of 10000, want about %d", name, kind.code, got, want)
			}
		}
		if sum != 100 || len(count) != len(c.from) || len(texts) < 50*len(c.from) {
			t.Errorf("%s: shares of %d %%, %d kinds and %d texts; want 100 %%, %d kinds and many texts", name, sum, len(count), len(texts), len(c.from))
		}
	}
}

func TestWorkTakesHalfToOneAndAHalfOfTheMean(t *testing.T) {
	b := Behavior{Seed: 1, Work: time.Second, Steps: 4}
	for i := range 1000 {
		pauses := b.pauses(fmt.Sprint("lamp-", i), "fw")
		if len(pauses) != 5 {
			t.Fatalf("%d pauses for 4 steps, want 5", len(pauses))
		}
		var total time.Duration
		for _, p := range pauses {
			total += p
		}
		if total < time.Second/2-time.Microsecond || total > 3*time.Second/2 {
			t.Fatalf("work of lamp-%d takes %s, want 0.5 s to 1.5 s", i, total)
		}
	}
}
