package diary

import (
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// listed returns all refusals that a filter chooses, page by page.
func (g *rig) listed(filter RefusalFilter) (all []Refusal) {
	g.t.Helper()
	for token, more := "", true; more; more = token != "" {
		page, next, err := g.Refusals(g.t.Context(), filter, listing.Page{Limit: 100, Token: token})
		if err != nil {
			g.t.Fatal(err)
		}
		all, token = append(all, page...), next
	}
	return all
}

func TestRefusalsAreCountedAndListedLastFirst(t *testing.T) {
	g := newRig(t)
	first := Refusal{Principal: "c1", Thing: "lamp", Action: "iot:Subscribe", Resource: notify}
	other := Refusal{Principal: "c2", Action: "iot:Publish", Resource: "topic/$aws/things/lamp/jobs/get", Why: "no"}
	g.Refuse(first)
	g.Refuse(other)
	g.flush(g.Recorder)
	g.Refuse(first)
	g.Refuse(first)
	g.Refuse(Refusal{Stranger: true, Principal: "c3", Action: "iot:Connect", Resource: "client/pump", ClientID: "pump"})
	g.flush(g.Recorder)
	all := g.listed(RefusalFilter{})
	if len(all) != 3 || all[0].Principal != "c3" || all[1].Principal != "c1" || all[1].Count != 3 || all[1].First >= all[1].At || all[2].Why != "no" {
		t.Errorf("the refusals are %+v", all)
	}
	for _, c := range []struct {
		filter RefusalFilter
		want   int
	}{
		{RefusalFilter{Thing: "lamp"}, 2}, {RefusalFilter{Thing: "pump"}, 1}, {RefusalFilter{Thing: "lam"}, 0}, {RefusalFilter{Principal: "c1"}, 1},
		{RefusalFilter{Thing: "lamp", Principal: "c3"}, 0},
	} {
		if got := g.listed(c.filter); len(got) != c.want {
			t.Errorf("of %+v there are %+v, want %d", c.filter, got, c.want)
		}
	}
	g.verify()
}

func TestAPageOfRefusalsIsOfOneList(t *testing.T) {
	g := newRig(t)
	for i := range 3 {
		g.Refuse(Refusal{Principal: fmt.Sprint(i), Action: "iot:Connect", Resource: "client/lamp"})
	}
	g.flush(g.Recorder)
	page, next, err := g.Refusals(t.Context(), RefusalFilter{}, listing.Page{Limit: 2})
	if err != nil || len(page) != 2 || next == "" {
		t.Fatalf("%+v, %q, %v", page, next, err)
	}
	for _, p := range []listing.Page{{Limit: 251}, {Token: "x"}} {
		if _, _, err := g.Refusals(t.Context(), RefusalFilter{}, p); !muster.IsKind(err, muster.Invalid) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if _, _, err := g.Refusals(t.Context(), RefusalFilter{Thing: "lamp"}, listing.Page{Token: next}); !muster.IsKind(err, muster.Invalid) {
		t.Errorf("a token of another list: %v", err)
	}
}

// Strangers can make up any number of refusals; those of others stay.
func TestRefusalsAreBounded(t *testing.T) {
	g := newRig(t)
	stranger := 0
	strangers := func(n int) {
		for range n {
			stranger++
			g.Refuse(Refusal{Stranger: true, Principal: fmt.Sprint("s", stranger), Action: "iot:Connect", Resource: "client/lamp"})
		}
	}
	g.Refuse(Refusal{Principal: "oldest", Action: "iot:Connect", Resource: "client/lamp"})
	for range 2 * strangersMax / gatheredOfStrangers {
		strangers(gatheredOfStrangers)
		g.flush(g.Recorder)
	}
	count := func() (c counts) {
		err := g.store.View(t.Context(), func(r store.Reader) (err error) {
			c, err = refusalCounts(r)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := count()
	if c.strangers > strangersMax || c.strangers < strangersMax-strangersTrim-stepMax || c.all != c.strangers+1 {
		t.Errorf("there are %+v", c)
	}
	g.verify()
	for i := range refusalsMax + 1 {
		g.Refuse(Refusal{Principal: fmt.Sprint(i), Action: "iot:Connect", Resource: "client/lamp"})
		if i%gatheredMax == gatheredMax-1 {
			g.flush(g.Recorder)
		}
	}
	g.flush(g.Recorder)
	if c := count(); c.all > refusalsMax || c.all < refusalsMax-refusalsTrim-stepMax {
		t.Errorf("there are %+v", c)
	}
	g.verify()
	all := g.listed(RefusalFilter{})
	if len(all) != count().all || all[0].Principal != fmt.Sprint(refusalsMax) {
		t.Errorf("%d are listed, the last one is %+v", len(all), all[0])
	}
	strangers(2 * gatheredMax)
	if n := len(g.refusals.waiting); n != gatheredOfStrangers || g.refusals.lost != 2*gatheredMax-gatheredOfStrangers {
		t.Errorf("%d refusals of strangers are gathered", n)
	}
}
