package fleetquery

import (
	"strings"
	"testing"
)

func TestTheFirstTermThatIsNotMetIsNamed(t *testing.T) {
	for query, want := range map[string]string{
		`thingName:lamp`: "thingName:lamp, has lamp-1",
		`thingName:lamp* AND attributes.site:south`:     "attributes.site:south, has north:2",
		`thingName:lamp* attributes.missing:*`:          "attributes.missing:*, has ",
		`attributes.fw:[1.2 TO 1.5}`:                    "attributes.fw:[1.2 TO 1.5}, has 1.1",
		`attributes.fw:>3`:                              "attributes.fw:{3 TO *], has 1.1",
		`attributes.site:"north:3"`:                     `attributes.site:"north:3", has north:2`,
		`thingGroupNames:roof OR thingGroupNames:floor`: "thingGroupNames:roof, has all_lamps hall",
		`NOT thingName:lamp*`:                           "NOT thingName:lamp*, has lamp-1",
		`NOT (thingName:x OR attributes.fw:1.1)`:        "NOT attributes.fw:1.1, has 1.1",
		`nothing`:                                       "nothing, has ",
		`NOT hall`:                                      "NOT hall, has hall",
		`NOT *`:                                         "NOT *, has ",
		`jobs.fw-2.status:SUCCEEDED`:                    "jobs.fw-2.status:succeeded, has failed",
	} {
		q, err := Parse(query, Things)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		d := lamp()
		d[Attribute("fw")] = []string{"1.1"}
		why, ok := q.Unmet(d)
		if got := why.Term + ", has " + strings.Join(why.Has, " "); !ok || got != want {
			t.Errorf("%s: %s (%v), want %s", query, got, ok, want)
		}
	}
	q, err := Parse(`thingName:lamp*`, Things)
	if err != nil {
		t.Fatal(err)
	}
	if why, ok := q.Unmet(lamp()); ok {
		t.Errorf("a thing that matches fails on %+v", why)
	}
}
