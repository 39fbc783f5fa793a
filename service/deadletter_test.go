package service

import (
	"fmt"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/store"
)

// hooked is an env whose things' events go to the webhook.
func hooked(t *testing.T) *env {
	t.Helper()
	return newEnvOn(t, newStore(t), Options{Sinks: eventlog.Sinks{Webhook: map[muster.EventType]bool{muster.EventThing: true}}})
}

// bury makes things and dead letters of all their events.
func (env *env) bury(things ...string) []eventlog.Event {
	env.t.Helper()
	for _, name := range things {
		env.createThing(muster.Thing{Name: muster.ThingName(name)})
	}
	all, err := env.Log.Events(env.t.Context(), eventlog.Webhook, 1000)
	noErr(env.t, "Events", err)
	var letters []eventlog.DeadLetter
	for _, h := range all {
		letters = append(letters, eventlog.DeadLetter{Event: h, Attempts: 3, Why: "500 of " + string(h.Thing.Name)})
	}
	noErr(env.t, "GiveUp", env.GiveUp(env.t.Context(), letters))
	return all
}

func (env *env) wantLetters(when string, want ...string) {
	env.t.Helper()
	letters, err := env.DeadLetters(env.t.Context(), "", 1000)
	noErr(env.t, "DeadLetters", err)
	var got []string
	for _, l := range letters {
		got = append(got, fmt.Sprintf("%s: %s", l.Thing.Name, l.Why))
	}
	if !slices.Equal(got, want) {
		env.t.Fatalf("%s the dead letters are %q, want %q", when, got, want)
	}
	if _, n, err := env.WebhookBacklog(env.t.Context()); n != len(want) || err != nil {
		env.t.Errorf("%s WebhookBacklog tells of %d dead letters, %v; want %d", when, n, err, len(want))
	}
}

func TestWhatTheWebhookRefusesIsKeptAndCanBeReplayed(t *testing.T) {
	env := hooked(t)
	before := env.bury("a", "b", "c")
	if n := env.logSize(); n != 0 {
		t.Errorf("the log holds %d events that were given up", n)
	}
	env.wantLetters("after GiveUp", "a: 500 of a", "b: 500 of b", "c: 500 of c")

	env.pass(60_000)
	n, err := env.Replay(t.Context(), []string{before[1].ID, "unknown"})
	if n != 1 || err != nil {
		t.Errorf("Replay of one = %d, %v", n, err)
	}
	env.wantLetters("after Replay of one", "a: 500 of a", "c: 500 of c")
	again, err := env.Log.Events(t.Context(), eventlog.Webhook, 10)
	noErr(t, "Events", err)
	if len(again) != 1 || again[0].ID != before[1].ID || again[0].At != before[1].At || again[0].Place <= before[2].Place || again[0].Recorded != env.clock() {
		t.Errorf("what is replayed is %+v, want %+v, recorded now, after the others", again, before[1])
	}

	n, err = env.Forget(t.Context(), []string{before[0].ID})
	if n != 1 || err != nil {
		t.Errorf("Forget of one = %d, %v", n, err)
	}
	env.wantLetters("after Forget of one", "c: 500 of c")
	n, err = env.Replay(t.Context(), nil)
	if n != 1 || err != nil {
		t.Errorf("Replay of all = %d, %v", n, err)
	}
	env.wantLetters("after Replay of all")
	if n, err := env.Replay(t.Context(), nil); n != 0 || err != nil {
		t.Errorf("Replay of nothing = %d, %v", n, err)
	}
}

func TestManyDeadLettersAreReplayedInSteps(t *testing.T) {
	env := hooked(t)
	var names []string
	for i := range 2*stepMax + 5 {
		names = append(names, fmt.Sprintf("t%04d", i))
	}
	env.bury(names...)
	n, err := env.Replay(t.Context(), nil)
	if n != len(names) || err != nil {
		t.Errorf("Replay = %d, %v; want %d", n, err, len(names))
	}
	env.wantLetters("after Replay")
	if n := env.logSize(); n != len(names) {
		t.Errorf("the log holds %d events, want %d", n, len(names))
	}
}

func TestTheOldestDeadLettersMakeRoom(t *testing.T) {
	env := hooked(t)
	env.bury("a", "b")
	env.write(func(tx store.Tx) { store.Tallies.Put(tx, deadLetterTally, eventlog.DeadLettersMax) }) // as if there were that many
	env.bury("c")
	letters, err := env.DeadLetters(t.Context(), "", 10)
	noErr(t, "DeadLetters", err)
	if len(letters) != 2 || letters[0].Thing.Name != "b" || letters[1].Thing.Name != "c" {
		t.Errorf("the dead letters are %+v, want those of b and c", letters)
	}
}
