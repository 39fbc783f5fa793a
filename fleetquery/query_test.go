package fleetquery

import (
	"errors"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

func lamp() Document {
	d := Document{}
	d.Add(ThingName, "Lamp-1")
	d.Add(ThingTypeName, "lamp")
	d.Add(ThingGroupNames, "hall")
	d.Add(ThingGroupNames, "all_lamps")
	d.Add(Attribute("fw"), "1.10")
	d.Add(Attribute("build"), "2.0.1")
	d.Add(Attribute("site"), "North:2")
	d.Add(Attribute("owner@x"), "a=b")
	d.Add(Connected, "true")
	d.Add(ConnectedAt, "1790000000000")
	d.Add(JobStatus("fw-2"), "FAILED")
	return d
}

func TestWhatMatches(t *testing.T) {
	for query, want := range map[string]bool{
		// Terms.
		`thingName:lamp-1`:                    true, // values have no case
		`thingName:Lamp-1`:                    true,
		`thingName:lamp`:                      false,
		`thingGroupNames:hall`:                true,
		`thingGroupNames:ALL_lamps`:           true,
		`attributes.site:"north:2"`:           true,
		`attributes.site:north\:2`:            true,
		`attributes.owner\@x:a\=b`:            true,
		`attributes.Site:*`:                   false, // names do
		`lamp`:                                true,  // any field
		`hall`:                                true,
		`nothing`:                             false,
		`failed`:                              false, // but not those of jobs
		`jobs.fw-2.status:FAILED`:             true,
		`jobs.fw-2.status:(QUEUED OR FAILED)`: true,
		`jobs.fw-3.status:*`:                  false,
		`connectivity.connected:true`:         true,
		`connectivity.disconnectReason:*`:     false,

		// Wildcards.
		`*`:                    true,
		`thingName:lamp*`:      true,
		`thingName:l*p*1`:      true,
		`thingName:lamp-?`:     true,
		`thingName:lamp-1?`:    false,
		`thingName:*-1`:        true,
		`*amp`:                 true,
		`thingName:"lamp*"`:    false, // quoted, a star is a star
		`thingName:lamp\*`:     false,
		`attributes.fw:*`:      true,
		`attributes.missing:*`: false,

		// Intervals and comparisons.
		`attributes.fw:[1 TO 1.5]`:             true, // numbers as numbers: 1.10 is 1.1
		`attributes.fw:[1.1 TO 2]`:             true,
		`attributes.fw:{1.1 TO 2]`:             false,
		`attributes.fw:[1 TO 1.1}`:             false,
		`attributes.fw:[* TO 1]`:               false,
		`attributes.fw:[1 TO *]`:               true,
		`attributes.fw:[* TO *]`:               true,
		`attributes.fw>1`:                      true,
		`attributes.fw>=1.1`:                   true,
		`attributes.fw:>1.1`:                   false,
		`attributes.fw:<=1.1`:                  true,
		`attributes.fw<1.9`:                    true,
		`attributes.build>=2.0.1`:              true, // what is no number as text
		`attributes.build<2.0.10`:              true,
		`attributes.build:[1 TO 3]`:            true,
		`attributes.fw<1.9.0`:                  true,
		`thingName:[k TO m]`:                   true,
		`connectivity.timestamp>1789999999999`: true,
		`connectivity.timestamp<1e9`:           false,
		`attributes.missing<5`:                 false,

		// Combinations.
		`thingTypeName:lamp attributes.fw:1.10`:         true, // AND may be left out
		`thingTypeName:lamp AND attributes.fw:2`:        false,
		`thingTypeName:pump OR attributes.fw:1.10`:      true,
		`thingTypeName:(pump OR lamp)`:                  true,
		`thingTypeName:(NOT pump)`:                      true,
		`NOT thingTypeName:lamp`:                        false,
		`-thingTypeName:pump`:                           true,
		`NOT NOT lamp`:                                  true,
		`-(thingTypeName:lamp thingName:x)`:             true,
		`thingTypeName:pump AND hall OR lamp`:           true, // AND binds more than OR
		`thingTypeName:pump AND (hall OR lamp)`:         false,
		`NOT thingTypeName:pump AND thingTypeName:lamp`: true, // NOT more than AND
		`(thingTypeName:lamp)AND(hall)`:                 true,
		` thingTypeName:lamp  `:                         true,
		`thingGroupNames:(hall AND all_lamps)`:          true,
		`thingGroupNames:(hall -all_lamps)`:             false,
	} {
		q, err := Parse(query, Things)
		if err != nil {
			t.Errorf("Parse(%s): %v", query, err)
			continue
		}
		if got := q.Matches(lamp()); got != want {
			t.Errorf("%s matches: %v, want %v", query, got, want)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for query, want := range map[string]string{
		``:                               "character 1: a term is missing",
		`   `:                            "a term is missing",
		`thingName:`:                     "character 11: a term is missing",
		`thingName: lamp`:                "character 11: a term is missing",
		`a AND`:                          "a term is missing",
		`a OR OR b`:                      "character 6: OR stands where a term should be",
		`AND a`:                          "AND stands where a term should be",
		`NOT`:                            "a term is missing",
		`(a`:                             "a ) is missing",
		`a)`:                             "character 2: there is a ) without a (",
		`()`:                             "there is a ) where a term should be",
		`thingName:"a`:                   "the quote does not end",
		`""`:                             "nothing in the quotes",
		`a"b"`:                           `a quote in a word must be written \"`,
		`a\`:                             "nothing behind the backslash",
		`thingName:a:b`:                  `a : in a value must be quoted, or written \:`,
		`thingName:a@b`:                  `the character @ must be quoted, or written \@`,
		`attributes.a=3`:                 "the character = must be quoted",
		`a~2`:                            "the character ~ must be quoted",
		`a && b`:                         "the character & must be quoted",
		"a\x01":                          "a control character",
		`thingName:?b`:                   "a term cannot begin with ?",
		`*a *b`:                          "character 4: only one term may begin with *",
		`attributes.fw:[1 TO 2`:          "an interval ends with ] or }",
		`attributes.fw:[1 2]`:            "an interval is [from TO to]",
		`attributes.fw:[1* TO 2]`:        "no wildcards",
		`attributes.fw>`:                 "a term is missing",
		`attributes.fw>*`:                "a comparison needs a value",
		`attr*:x`:                        "the name of a field has no wildcards",
		`attributes.:x`:                  `the field "attributes." does not exist`,
		`nosuch:x`:                       "its fields are thingName, thingId",
		`shadow.reported.x:1`:            "there are no shadows",
		`jobs.a.b.status:FAILED`:         "jobs.<jobId>.status",
		`thingName:(thingId:x)`:          "a term has no field of its own",
		strings.Repeat("a ", 13):         "more than 12 terms",
		strings.Repeat("a", 1001):        "at most 1000 are allowed",
		`*b ` + strings.Repeat("c", 100): "with a leading wildcard at most 100 are allowed",
		"a\xff":                          "not UTF-8",
	} {
		q, err := Parse(query, Things)
		e, ok := errors.AsType[*muster.Error](err)
		if !ok || e.Kind != muster.InvalidQuery || !strings.Contains(e.Msg, want) || q != nil {
			t.Errorf("Parse(%q) = %v, %v; want an InvalidQuery that says %q", query, q, err, want)
		}
	}
}

func TestEachIndexHasItsFields(t *testing.T) {
	for query, on := range map[string]Index{"thingGroupName:hall": Groups, "parentGroupNames:root": Groups, "attributes.x:1": Groups, "thingName:x": Things} {
		if _, err := Parse(query, on); err != nil {
			t.Errorf("Parse(%s, %s): %v", query, on.Name(), err)
		}
	}
	for query, on := range map[string]Index{"thingName:x": Groups, "jobs.a.status:FAILED": Groups, "thingGroupName:hall": Things} {
		if _, err := Parse(query, on); err == nil {
			t.Errorf("Parse(%s, %s) is accepted", query, on.Name())
		}
	}
}

func TestAQueryKnowsWhatItAsksFor(t *testing.T) {
	q, err := Parse(`thingGroupNames:h* OR jobs.fw.status:FAILED`, Things)
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]bool{ThingGroupNames: true, JobStatus("fw"): true, ThingName: false, Attribute("x"): false} {
		if got := q.Mentions(field); got != want {
			t.Errorf("it mentions %s: %v, want %v", field, got, want)
		}
	}
	if !q.MayAsk(ThingGroupNames, "Hall") || q.MayAsk(ThingGroupNames, "cellar") || q.MayAsk(ThingName, "hall") {
		t.Error("MayAsk does not know that it asks for groups with h")
	}
	bare, err := Parse(`hall`, Things)
	if err != nil {
		t.Fatal(err)
	}
	if !bare.Mentions(Attribute("x")) || bare.Mentions(JobStatus("fw")) || !bare.MayAsk(ThingName, "hall") {
		t.Error("a term without a field mentions all fields but those of jobs")
	}
}
