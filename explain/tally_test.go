package explain

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

func TestATallyThatSawAllIsExact(t *testing.T) {
	var tally Tally
	look := func(n int, of muster.Status, with func(*Facts)) {
		for i := range n {
			f := factsOf(of, with)
			f.Thing = muster.ThingName("pump-" + string(rune('a'+i)))
			tally.Look(f)
		}
	}
	look(2, muster.InProgress, nil)
	look(5, muster.Queued, away)
	look(1, 0, nil)
	look(3, muster.Succeeded, nil)
	sum := tally.Sum("fw", muster.JobInProgress, 11)
	data, err := json.MarshalIndent(sum, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "job.json", string(data)+"\n")
}

func TestASampleStandsForTheOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 4))
	for range 200 {
		var tally Tally
		counted, others := r.Int64N(1_000_000), r.Int64N(1_000_000)
		tally.Count(Ended, counted, factsOf(muster.Succeeded, nil))
		looked := r.IntN(50) + 1
		for range looked {
			tally.Look(generated(r))
		}
		sum := tally.Sum("fw", muster.JobInProgress, others)
		var things int64
		for i, c := range sum.Causes {
			things += c.Things
			if c.Means == "" || len(c.Sample) > 3 || c.Things <= 0 {
				t.Fatalf("a cause is %+v", c)
			}
			if i > 0 && sum.Causes[i-1].Things < c.Things {
				t.Fatalf("%s comes after %s", c.Code, sum.Causes[i-1].Code)
			}
		}
		if things != counted+others || sum.Things != things {
			t.Fatalf("the causes have %d of %d things, the sum says %d", things, counted+others, sum.Things)
		}
		if exact := int64(looked) == others; sum.Exact != exact || (sum.Sampled == 0) != exact {
			t.Fatalf("%d looked at for %d: exact %t, sampled %d", looked, others, sum.Exact, sum.Sampled)
		}
		if n := len(strings.Fields(sum.Say)); n > 25 {
			t.Fatalf("%d words: %s", n, sum.Say)
		}
	}
}

func TestWhatATallySays(t *testing.T) {
	for _, test := range []struct {
		name string
		fill func(*Tally)
		of   int64
		want string
	}{
		{"nothing", func(*Tally) {}, 0, "fw has no things."},
		{"all ended", func(tally *Tally) { tally.Count(Ended, 7); tally.Count(Offline, 0) }, 0, "7 of 7 things of fw have ended."},
		{"counted", func(tally *Tally) { tally.Count(Ended, 7); tally.Count(WaitingForRate, 3) }, 0, "7 of 10 things of fw have ended; of the others, 3: the rollout has not reached it."},
		{"sampled", func(tally *Tally) { tally.Look(factsOf(muster.Queued, away)) }, 40, "0 of 40 things of fw have ended; of the others, about 40: the device is offline."},
	} {
		var tally Tally
		test.fill(&tally)
		if got := tally.Sum("fw", muster.JobInProgress, test.of).Say; got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// What is shown of the codes at once is short, too.
func TestCodesAreSaidInAFewWords(t *testing.T) {
	for _, c := range Codes() {
		if n := len(strings.Fields(c.Means())); n == 0 || n > 8 {
			t.Errorf("%s means %q", c, c.Means())
		}
	}
	if got := Code("PAUSED").Means(); got != "" {
		t.Errorf("a code that is not in the table means %q", got)
	}
}
