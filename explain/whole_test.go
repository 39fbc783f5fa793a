package explain

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

func TestTheFormOfAJob(t *testing.T) {
	some := map[Code][]Explanation{
		Offline: {Explain(factsOf(muster.Queued, away))},
		Ended:   {Explain(factsOf(muster.Succeeded, nil))},
		Working: {Explain(factsOf(muster.InProgress, nil)), Explain(factsOf(muster.InProgress, nil))},
	}
	things := map[Code]int64{Ended: 431_658, Offline: 4_000, Working: 4_001, WaitingForRate: 2, Told: 0}
	data, err := json.MarshalIndent(JobOf("fw", muster.JobInProgress, things, some, 8_000), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "job.json", string(data)+"\n")
}

func TestWhatIsSaidOfAJob(t *testing.T) {
	for _, test := range []struct {
		name    string
		things  map[Code]int64
		sampled int
		want    string
	}{
		{"nothing", nil, 0, "fw has no things."},
		{"all ended", map[Code]int64{Ended: 7, Offline: 0}, 0, "7 of 7 things of fw have ended."},
		{"counted", map[Code]int64{Ended: 7, WaitingForRate: 3}, 0, "7 of 10 things of fw have ended; of the others, 3: the rollout has not reached it."},
		{"sampled", map[Code]int64{Offline: 40, Told: 41}, 10, "0 of 81 things of fw have ended; of the others, about 41: the device has not started it."},
	} {
		if got := JobOf("fw", muster.JobInProgress, test.things, nil, test.sampled); got.Say != test.want {
			t.Errorf("%s: %q, want %q", test.name, got.Say, test.want)
		}
	}
	for _, c := range Codes() {
		if n := len(strings.Fields(c.Means())); n == 0 || n > 8 {
			t.Errorf("%s means %q", c, c.Means())
		}
		say := JobOf("fw", muster.JobInProgress, map[Code]int64{c: 2}, nil, 1).Say
		if n := len(strings.Fields(say)); n > 25 {
			t.Errorf("%d words: %s", n, say)
		}
	}
	if got := Code("PAUSED").Means(); got != "" {
		t.Errorf("a code that is not in the table means %q", got)
	}
}

func TestWhatIsSaidOfAThing(t *testing.T) {
	if o := ThingOf("pump-7", nil, false); o.Say != "Nothing pends for pump-7, and no job has still to reach it." || o.Explanations == nil {
		t.Errorf("%+v", o)
	}
	first, second := Explain(factsOf(muster.Queued, away)), Explain(factsOf(0, nil))
	if o := ThingOf("pump-7", []Explanation{first, second}, true); o.Say != first.Say || len(o.Explanations) != 2 || !o.More {
		t.Errorf("%+v", o)
	}
}

// The page for users has all codes in their order, and what they mean.
func TestThePageHasAllCodes(t *testing.T) {
	page, err := os.ReadFile("../docs/explain.md")
	if err != nil {
		t.Fatal(err)
	}
	rest := string(page)
	for _, c := range Codes() {
		_, after, found := strings.Cut(rest, "\n| `"+string(c)+"` | "+c.Means()+" | ")
		if !found {
			t.Fatalf("the page does not have %s, %q, or not in its place", c, c.Means())
		}
		rest = "\n" + after[strings.Index(after, "\n")+1:]
	}
	if strings.Contains(rest, "\n| `") {
		t.Error("the page has codes that are not in the table")
	}
}
