package sessiontest

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
)

// RunShared fails t unless the stores that fresh makes keep every promise of gateway.SharedSessions. Each subtest calls fresh once, for
// an empty store.
func RunShared(t *testing.T, fresh func(*testing.T) gateway.SharedSessions) {
	for name, test := range map[string]func(*testing.T, gateway.SharedSessions){
		"ClaimsRaiseTheEpoch":                   claimsRaiseTheEpoch,
		"AClaimReturnsWhatIsStored":             aClaimReturnsWhatIsStored,
		"WhatIsNotHeldIsNotWritten":             whatIsNotHeldIsNotWritten,
		"TheHoldOfOneNodeHasNoBreak":            theHoldOfOneNodeHasNoBreak,
		"ReleaseForgetsTheHoldNotTheEpoch":      releaseForgetsTheHold,
		"ASessionBeginsWithItsClaim":            aSessionBeginsWithItsClaim,
		"OnlyWhatIsStillHeldIsAdopted":          onlyWhatIsStillHeldIsAdopted,
		"SessionsWithoutAHoldAreShown":          sessionsWithoutAHoldAreShown,
		"RetainedMessagesHaveRevisions":         retainedMessagesHaveRevisions,
		"NothingWrittenIsMissedByAClaim":        nothingWrittenIsMissedByAClaim,
		"ClaimsOfOneClientAtOnceHaveOwnEpochs":  claimsAtOnceHaveOwnEpochs,
		"RetainedMessagesOfTwoNodesHaveAnOrder": retainedMessagesOfTwoNodesHaveAnOrder,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

func claim(t *testing.T, s gateway.SharedSessions, by gateway.Node, c gateway.Claim) gateway.Claimed {
	t.Helper()
	all, err := s.Claim(t.Context(), by, []gateway.Claim{c})
	if err != nil || len(all) != 1 {
		t.Fatalf("Claim(%+v) = %+v, %v", c, all, err)
	}
	return all[0]
}

func hold(t *testing.T, s gateway.SharedSessions, client string) gateway.Hold {
	t.Helper()
	all, err := s.Holds(t.Context(), []string{client})
	if err != nil || len(all) != 1 {
		t.Fatalf("Holds(%q) = %+v, %v", client, all, err)
	}
	return all[0]
}

func writeAs(t *testing.T, s gateway.SharedSessions, by gateway.Node, changes ...gateway.Change) gateway.Written {
	t.Helper()
	w, err := s.WriteAs(t.Context(), by, changes)
	if err != nil {
		t.Fatalf("WriteAs: %v", err)
	}
	return w
}

// with returns c as a change of the hold with an epoch.
func with(epoch uint64, c gateway.Change) gateway.Change {
	c.Epoch = epoch
	return c
}

func claimsRaiseTheEpoch(t *testing.T, s gateway.SharedSessions) {
	one := claim(t, s, 1, gateway.Claim{Client: "a"})
	if one.Former != (gateway.Hold{}) || one.Hold.Node != 1 || one.Hold.Epoch == 0 || one.Hold.Since != one.Hold.Epoch {
		t.Fatalf("the first claim made %+v", one)
	}
	two := claim(t, s, 2, gateway.Claim{Client: "a"})
	if two.Former != one.Hold || two.Hold.Node != 2 || two.Hold.Epoch <= one.Hold.Epoch || two.Hold.Since != two.Hold.Epoch {
		t.Errorf("a claim after %+v made %+v", one.Hold, two)
	}
	if got := hold(t, s, "a"); got != two.Hold {
		t.Errorf("Holds shows %+v, want %+v", got, two.Hold)
	}
	if got := hold(t, s, "b"); got != (gateway.Hold{}) {
		t.Errorf("Holds shows %+v of a client that nobody claimed", got)
	}
	both, err := s.Claim(t.Context(), 3, []gateway.Claim{{Client: "b"}, {Client: "b"}})
	if err != nil || both[1].Former != both[0].Hold || both[1].Hold.Epoch <= both[0].Hold.Epoch {
		t.Errorf("two claims of one client in one call made %+v, %v", both, err)
	}
}

// ofP is a claim by whoever may continue the sessions of session.
func ofP(c gateway.Claim) gateway.Claim {
	c.Client, c.Version, c.Principal = "a", 5, "p"
	return c
}

func aClaimReturnsWhatIsStored(t *testing.T, s gateway.SharedSessions) {
	if c := claim(t, s, 1, ofP(gateway.Claim{})); c.Stored != nil || !c.Fresh {
		t.Errorf("a claim where nothing is stored made %+v", c)
	}
	epoch := hold(t, s, "a").Epoch
	writeAs(t, s, 1, with(epoch, put("a", session("x"))), with(epoch, add("a", 300, message("2"))), with(epoch, add("a", 2, message("1"))))
	want := normal(stored("a", session("x"), numbered(2, message("1")), numbered(300, message("2"))))
	for _, c := range []struct {
		claim gateway.Claim
		by    gateway.Node
		want  string
	}{
		{ofP(gateway.Claim{}), 2, want},
		{ofP(gateway.Claim{}), 2, want},
		{ofP(gateway.Claim{Known: true}), 2, ""},
		{ofP(gateway.Claim{Known: true}), 1, want},
	} {
		got, made := "", claim(t, s, c.by, c.claim)
		if made.Stored != nil {
			got = normal(*made.Stored)
		}
		if got != c.want || made.Fresh {
			t.Errorf("%+v of node %d found\n got %s\nwant %s", c.claim, c.by, got, c.want)
		}
	}
}

func whatIsNotHeldIsNotWritten(t *testing.T, s gateway.SharedSessions) {
	one := claim(t, s, 1, gateway.Claim{Client: "a"}).Hold
	writeAs(t, s, 1, with(one.Epoch, put("a", session("x"))))
	two := claim(t, s, 2, ofP(gateway.Claim{})).Hold
	other := claim(t, s, 1, gateway.Claim{Client: "b"}).Hold
	w := writeAs(t, s, 1, with(one.Epoch, add("a", 1, message("late"))), with(other.Epoch, put("b", session("y"))), with(one.Epoch, dropSession("a")),
		gateway.Change{Kind: gateway.Release, Client: "a", Epoch: one.Epoch}, with(9, put("c", session("z"))))
	if want := map[string]gateway.Hold{"a": two, "c": {}}; !maps.Equal(w.Lost, want) {
		t.Errorf("a write of what is lost says %+v, want %+v", w.Lost, want)
	}
	expect(t, func() gateway.SessionStore { return s }, stored("a", session("x")), stored("b", session("y")))
	if got := hold(t, s, "a"); got != two {
		t.Errorf("and changed the hold into %+v", got)
	}
}

func theHoldOfOneNodeHasNoBreak(t *testing.T, s gateway.SharedSessions) {
	one := claim(t, s, 1, gateway.Claim{Client: "a"}).Hold
	writeAs(t, s, 1, with(one.Epoch, put("a", session())))
	again := claim(t, s, 1, ofP(gateway.Claim{})).Hold
	if again.Since != one.Epoch || again.Epoch <= one.Epoch {
		t.Errorf("a node that claims what it holds with %+v gets %+v", one, again)
	}
	if w := writeAs(t, s, 1, with(one.Epoch, put("a", session("x")))); len(w.Lost) > 0 {
		t.Errorf("a write with the epoch before is lost to %+v", w.Lost)
	}
	writeAs(t, s, 1, gateway.Change{Kind: gateway.Release, Client: "a", Epoch: one.Epoch})
	if got := hold(t, s, "a"); got != again {
		t.Errorf("releasing the hold before makes it %+v, want %+v", got, again)
	}
	claim(t, s, 2, gateway.Claim{Client: "a"})
	claim(t, s, 1, gateway.Claim{Client: "a"})
	if w := writeAs(t, s, 1, with(again.Epoch, put("a", session("y")))); len(w.Lost) != 1 {
		t.Errorf("a write with an epoch from before another node's is not lost")
	}
}

func releaseForgetsTheHold(t *testing.T, s gateway.SharedSessions) {
	one := claim(t, s, 1, gateway.Claim{Client: "a"}).Hold
	writeAs(t, s, 1, with(one.Epoch, put("a", session("x"))), with(one.Epoch, add("a", 1, message("m"))), gateway.Change{Kind: gateway.Release, Client: "a", Epoch: one.Epoch})
	if got := hold(t, s, "a"); got != (gateway.Hold{}) {
		t.Errorf("after Release the hold is %+v", got)
	}
	expect(t, func() gateway.SessionStore { return s })
	two := claim(t, s, 2, gateway.Claim{Client: "a"})
	if two.Hold.Epoch <= one.Epoch || two.Stored != nil {
		t.Errorf("a claim after %+v was released made %+v", one, two)
	}
}

func aSessionBeginsWithItsClaim(t *testing.T, s gateway.SharedSessions) {
	begin := gateway.SessionRecord{Version: 5, Principal: "p", Expiry: time.Minute}
	kept := func() gateway.SessionStore { return s }
	if c := claim(t, s, 1, ofP(gateway.Claim{Begin: &begin})); !c.Fresh || c.Stored != nil {
		t.Errorf("a claim of nothing made %+v", c)
	}
	expect(t, kept, stored("a", begin))
	epoch := hold(t, s, "a").Epoch
	writeAs(t, s, 1, with(epoch, put("a", session("x"))), with(epoch, add("a", 1, message("m"))))
	if c := claim(t, s, 2, ofP(gateway.Claim{Begin: &begin})); c.Fresh || c.Stored == nil || len(c.Stored.Messages) != 1 {
		t.Errorf("a claim of what may be continued made %+v", c)
	}
	expect(t, kept, stored("a", session("x"), numbered(1, message("m"))))
	if c := claim(t, s, 2, ofP(gateway.Claim{Known: true, Begin: &begin})); c.Fresh || c.Stored != nil {
		t.Errorf("a claim of what is known made %+v", c)
	}
	expect(t, kept, stored("a", session("x"), numbered(1, message("m"))))
	for _, other := range []gateway.Claim{
		{Clean: true, Version: 5, Principal: "p", Begin: &begin},
		{Version: 4, Principal: "p", Begin: &gateway.SessionRecord{Version: 4, Principal: "p"}},
		{Version: 4, Principal: "q", Begin: &gateway.SessionRecord{Version: 4, Principal: "q"}},
		{Clean: true, Version: 4, Principal: "q"},
	} {
		other.Client = "a"
		before := hold(t, s, "a")
		c := claim(t, s, 2, other)
		if !c.Fresh || c.Stored != nil || c.Hold.Since != c.Hold.Epoch {
			t.Errorf("%+v made %+v", other, c)
		}
		if w := writeAs(t, s, 2, with(before.Epoch, put("a", session("late"))), with(before.Epoch, add("a", 1, message("late")))); w.Lost["a"] != c.Hold {
			t.Errorf("a change of the session before is left out with %+v, want %+v", w.Lost, c.Hold)
		}
		if other.Begin == nil {
			expect(t, kept)
			continue
		}
		expect(t, kept, stored("a", *other.Begin))
		writeAs(t, s, 2, with(c.Hold.Epoch, add("a", 1, message("m"))))
	}
}

func onlyWhatIsStillHeldIsAdopted(t *testing.T, s gateway.SharedSessions) {
	one := claim(t, s, 1, gateway.Claim{Client: "a"}).Hold
	adopted := claim(t, s, 2, gateway.Claim{Client: "a", Adopt: true, From: one})
	if adopted.Hold.Node != 2 || adopted.Hold.Epoch <= one.Epoch {
		t.Errorf("adopting %+v made %+v", one, adopted)
	}
	if late := claim(t, s, 3, gateway.Claim{Client: "a", Adopt: true, From: one}); late.Hold != (gateway.Hold{}) || late.Former != adopted.Hold {
		t.Errorf("adopting what was adopted made %+v", late)
	}
	if late := claim(t, s, 3, gateway.Claim{Client: "a", Adopt: true}); late.Hold != (gateway.Hold{}) {
		t.Errorf("adopting a session as if nobody held it made %+v", late)
	}
	if got := hold(t, s, "a"); got != adopted.Hold {
		t.Errorf("the hold is %+v, want %+v", got, adopted.Hold)
	}
	write(t, s, put("b", session("x")))
	if got := claim(t, s, 3, gateway.Claim{Client: "b", Adopt: true}); got.Hold.Node != 3 || got.Stored == nil {
		t.Errorf("adopting a session without a hold made %+v", got)
	}
}

func sessionsWithoutAHoldAreShown(t *testing.T, s gateway.SharedSessions) {
	want := map[string]gateway.Hold{"a": {}, "c": {}, "e": {}}
	write(t, s, put("a", session()), put("c", session()), put("d", session()), put("e", session()))
	for _, client := range []string{"b", "d"} {
		want[client] = claim(t, s, 1, gateway.Claim{Client: client}).Hold
	}
	got := map[string]gateway.Hold{}
	err := s.EachHold(t.Context(), func(client string, h gateway.Hold) error {
		if _, twice := got[client]; twice {
			t.Errorf("EachHold gave client %q twice", client)
		}
		got[client] = h
		return nil
	})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("EachHold gave %+v, %v, want %+v", got, err, want)
	}
}

func retainedMessagesHaveRevisions(t *testing.T, s gateway.SharedSessions) {
	first := writeAs(t, s, 1, retain(gateway.MessageRecord{Topic: "a", Payload: []byte("1")})).Retained["a"]
	second := writeAs(t, s, 2, retain(gateway.MessageRecord{Topic: "a", Payload: []byte("2")})).Retained["a"]
	if first == 0 || second <= first {
		t.Errorf("revisions %d, then %d", first, second)
	}
	stale := dropRetained("a")
	stale.Message.Revision = first
	if w := writeAs(t, s, 1, stale); len(w.Retained) > 0 {
		t.Errorf("the newer message was dropped with the revision of the older: %+v", w)
	}
	found := retainedAt(t, s, "a")
	if string(found.Payload) != "2" || found.Revision != second {
		t.Errorf("the retained message is %q of revision %d, want 2 of %d", found.Payload, found.Revision, second)
	}
	gone := writeAs(t, s, 1, dropRetained("a")).Retained["a"]
	third := writeAs(t, s, 1, retain(gateway.MessageRecord{Topic: "a", Payload: []byte("3")})).Retained["a"]
	if gone <= second || third <= gone {
		t.Errorf("revisions %d, dropped with %d, then %d", second, gone, third)
	}
}

func retainedAt(t *testing.T, s gateway.SharedSessions, topic string) (found gateway.MessageRecord) {
	t.Helper()
	if err := s.LoadRetained(t.Context(), func(m gateway.MessageRecord) error {
		if m.Topic == topic {
			found = m
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// nothingWrittenIsMissedByAClaim has two nodes take a session from each other while both write messages.
func nothingWrittenIsMissedByAClaim(t *testing.T, s gateway.SharedSessions) {
	const rounds = 60
	var mu sync.Mutex
	written := map[uint64]bool{} // numbers that were stored, as far as their writer knows
	var working sync.WaitGroup
	for node := range gateway.Node(2) {
		working.Go(func() {
			for round := range rounds {
				mu.Lock()
				before := slices.Collect(maps.Keys(written))
				mu.Unlock()
				all, err := s.Claim(t.Context(), node+1, []gateway.Claim{ofP(gateway.Claim{})})
				if err != nil {
					t.Error(err)
					return
				}
				mine := map[uint64]bool{}
				if all[0].Stored != nil {
					for _, m := range all[0].Stored.Messages {
						mine[m.Number] = true
					}
				}
				for _, n := range before {
					if !mine[n] {
						t.Errorf("the claim with %+v misses message %d, which was stored before", all[0].Hold, n)
					}
				}
				epoch, number := all[0].Hold.Epoch, uint64(round)<<8|uint64(node)
				w, err := s.WriteAs(t.Context(), node+1, []gateway.Change{with(epoch, put("a", session())), with(epoch, add("a", number, message("m")))})
				if err != nil {
					t.Error(err)
					return
				}
				if _, lost := w.Lost["a"]; !lost {
					now, err := s.Holds(t.Context(), []string{"a"})
					if err != nil {
						t.Error(err)
						return
					}
					if now[0].By(node+1, epoch) { // else a claim may have read between the two
						mu.Lock()
						written[number] = true
						mu.Unlock()
					}
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	working.Wait()
	final := claim(t, s, 3, ofP(gateway.Claim{}))
	for n := range written {
		if !slices.ContainsFunc(final.Stored.Messages, func(m gateway.NumberedMessage) bool { return m.Number == n }) {
			t.Errorf("message %d is gone", n)
		}
	}
}

func claimsAtOnceHaveOwnEpochs(t *testing.T, s gateway.SharedSessions) {
	var mu sync.Mutex
	epochs := map[uint64]bool{}
	var working sync.WaitGroup
	for node := range gateway.Node(4) {
		working.Go(func() {
			for range 25 {
				all, err := s.Claim(t.Context(), node+1, []gateway.Claim{{Client: "a"}, {Client: fmt.Sprint(node)}})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if epochs[all[0].Hold.Epoch] {
					t.Errorf("epoch %d was given twice", all[0].Hold.Epoch)
				}
				epochs[all[0].Hold.Epoch] = true
				mu.Unlock()
			}
		})
	}
	working.Wait()
}

func retainedMessagesOfTwoNodesHaveAnOrder(t *testing.T, s gateway.SharedSessions) {
	var mu sync.Mutex
	var newest uint64
	var text string
	var working sync.WaitGroup
	for node := range gateway.Node(2) {
		working.Go(func() {
			for n := range 50 {
				payload := fmt.Sprint(node, " ", n)
				w, err := s.WriteAs(t.Context(), node+1, []gateway.Change{retain(gateway.MessageRecord{Topic: "a", Payload: []byte(payload)})})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if w.Retained["a"] == newest {
					t.Errorf("revision %d was given twice", newest)
				}
				if w.Retained["a"] > newest {
					newest, text = w.Retained["a"], payload
				}
				mu.Unlock()
			}
		})
	}
	working.Wait()
	if found := retainedAt(t, s, "a"); found.Revision != newest || string(found.Payload) != text {
		t.Errorf("%q of revision %d is stored, want %q of %d", found.Payload, found.Revision, text, newest)
	}
}
