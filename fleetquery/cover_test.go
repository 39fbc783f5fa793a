package fleetquery

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestNumbersSort(t *testing.T) {
	var last string
	for _, n := range []float64{-1e300, -10, -1.5, -1, 0, 1e-9, 1, 1.5, 9, 10, 1e300} {
		if now := NumberPlace(n); now <= last {
			t.Errorf("NumberPlace(%v) = %s does not come after %s", n, now, last)
		} else {
			last = now
		}
		if got, err := NumberIn(last); got != n || err != nil {
			t.Errorf("NumberIn(%s) = %v, %v; want %v", last, got, err, n)
		}
	}
	if got, err := NumberIn("no place"); err == nil {
		t.Errorf("NumberIn of what is no place = %v", got)
	}
	if NumberPlace(0) != NumberPlace(mustNumber(t, "-0")) {
		t.Error("-0 is not 0")
	}
}

func mustNumber(t *testing.T, text string) float64 {
	n, ok := number(text)
	if !ok {
		t.Fatalf("number(%q) is none", text)
	}
	return n
}

func TestWhatIsANumber(t *testing.T) {
	for text, want := range map[string]bool{"1": true, "-1.5": true, "1e3": true, "": false, "0x10": false, "inf": false, "nan": false, "1e999": false, "1.2.3": false, "1_0": false} {
		if _, got := number(text); got != want {
			t.Errorf("number(%q) is one: %v, want %v", text, got, want)
		}
	}
}

// Every document that matches has an entry in the cover, and First finds one.
func TestACoverHoldsWhateverMatches(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := []string{"a", "ab", "b", "1", "2", "10", "-3", "1.5", "2.0.1", "north", "n"}
	terms := []string{`attributes.x:a*`, `attributes.x:1`, `attributes.x>1`, `attributes.x<=10`, `attributes.x:[1 TO a]`, `attributes.x:{-3 TO 2]`, `attributes.x<2.0.1`,
		`attributes.x:*`, `attributes.y:?`, `attributes.y:*b`, `attributes.y>b`, `attributes.y:[a TO n}`, `a`, `n*`, `thingName:b`, `jobs.j.status:*ED`,
		`connectivity.timestamp:[1 TO 10}`, `connectivity.timestamp<a`, `connectivity.timestamp:1?`, `connectivity.timestamp>=1.5`}
	covered := 0
	for range 20_000 {
		text := terms[rng.IntN(len(terms))]
		for range rng.IntN(3) {
			text += []string{" AND ", " OR ", " -", " "}[rng.IntN(4)] + terms[rng.IntN(len(terms))]
		}
		q, err := Parse(text, Things)
		if err != nil {
			continue // ? at the beginning, two leading wildcards
		}
		d := Document{}
		for _, field := range []string{Attribute("x"), Attribute("y"), ThingName} {
			d.Add(field, values[rng.IntN(len(values))])
			d.Add(field, values[rng.IntN(len(values))])
		}
		d.Add(JobStatus("j"), "FAILED")
		d.Add(ConnectedAt, []string{"1", "2", "10"}[rng.IntN(3)])
		spans, ok := q.Cover([]string{Attribute("x"), Attribute("y"), ThingName, ConnectedAt}, func(Span) int { return rng.IntN(10) })
		if !ok || !q.Matches(d) {
			continue
		}
		covered++
		i, first, found := d.First(spans)
		if !found {
			t.Fatalf("%s matches %v, which has no entry in %v", text, d, spans)
		}
		if !spans[i].Holds(first) {
			t.Fatalf("the first entry %v of %v is not in %v", first, d, spans[i])
		}
		from, to := spans[i].Bounds()
		for _, e := range d.Entries() {
			if key := e.Key("thing"); e.Numbers == spans[i].Numbers && from <= key && key < to && key < first.Key("thing") {
				t.Fatalf("entry %v comes before the first %v in %v", e, first, spans[i])
			}
		}
	}
	if covered < 1000 {
		t.Errorf("only %d of the random queries had a cover and matched", covered)
	}
}

func TestTheCheaperPartCovers(t *testing.T) {
	q, err := Parse(`thingTypeName:lamp AND attributes.serial:7 AND NOT thingName:x`, Things)
	if err != nil {
		t.Fatal(err)
	}
	spans, ok := q.Cover(nil, func(s Span) int {
		if s.Field == ThingTypeName {
			return 1000
		}
		return 1
	})
	if !ok || len(spans) != 1 || spans[0].Field != Attribute("serial") {
		t.Errorf("Cover = %v, %v; want that of the serial number", spans, ok)
	}
	for _, text := range []string{`*`, `-thingName:x`, `thingName:x OR -thingName:y`} {
		q, err := Parse(text, Things)
		if err != nil {
			t.Fatal(err)
		}
		if spans, ok := q.Cover(nil, func(Span) int { return 1 }); ok {
			t.Errorf("Cover of %s = %v; want none", text, spans)
		}
	}
}

// Parse does not panic for any input. A query that it accepts can be evaluated, and means the
// same in parentheses.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`*`, `thingName:lamp*`, `attributes.fw:[1 TO 5}`, `a AND (b OR -c)`, `"x y" OR attributes.a\:b>="3"`, `thingGroupNames:(a OR NOT b)`, `jobs.x.status:FAILED`, `\`, `f:(`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text, Things)
		if err != nil {
			return
		}
		d := lamp()
		got := q.Matches(d)
		if spans, ok := q.Cover([]string{ThingName, Attribute("fw")}, func(Span) int { return 1 }); ok {
			for _, s := range spans {
				if from, to := s.Bounds(); from > to {
					t.Fatalf("Bounds of %v = %q, %q", s, from, to)
				}
			}
		}
		wrapped, err := Parse("("+text+")", Things)
		if err != nil {
			if len(text) > LengthMax-2 || strings.Contains(err.Error(), "leading") {
				return
			}
			t.Fatalf("Parse(%q) is accepted, in parentheses it is not: %v", text, err)
		}
		if wrapped.Matches(d) != got {
			t.Fatalf("%q matches: %v, in parentheses %v", text, got, !got)
		}
	})
}

func BenchmarkMatches(b *testing.B) {
	q, err := Parse(`thingTypeName:lamp AND attributes.fw<2 AND NOT thingGroupNames:spare*`, Things)
	if err != nil {
		b.Fatal(err)
	}
	d := Document{}
	d.Add(ThingTypeName, "lamp")
	d.Add(Attribute("fw"), strconv.Itoa(1))
	for b.Loop() {
		if !q.Matches(d) {
			b.Fatal("no match")
		}
	}
}
