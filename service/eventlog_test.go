package service

import (
	"fmt"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// events returns what a sink has not taken yet, as "lamp1 created".
func (env *env) events(sink eventlog.Sink, after uint64, most int) (names []string, places []uint64, through uint64) {
	env.t.Helper()
	all, through, err := env.Log.Events(env.t.Context(), sink, after, most)
	if err != nil {
		env.t.Fatalf("Events(%d, %d, %d): %v", sink, after, most, err)
	}
	for _, h := range all {
		names = append(names, fmt.Sprintf("%s %s", h.Thing.Name, h.Operation))
		places = append(places, h.Place)
	}
	return names, places, through
}

// logSize returns how many events the log holds.
func (env *env) logSize() (n int) {
	env.t.Helper()
	env.write(func(tx store.Tx) { // after whatever Taken submitted
		n = 0
		for _, err := range records("event").Scan(tx, "", "") {
			if err != nil {
				env.t.Fatal(err)
			}
			n++
		}
	})
	return n
}

func (env *env) enableThings() {
	env.t.Helper()
	if err := env.UpdateEventConfigurations(env.t.Context(), map[muster.EventType]bool{muster.EventThing: true}); err != nil {
		env.t.Fatal(err)
	}
}

func wantNames(t *testing.T, when string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s the events are %q, want %q", when, got, want)
	}
}

func TestEventsStayUntilEverySinkHasTakenThem(t *testing.T) {
	env := newEnvOn(t, memstore.New(), Options{Sinks: eventlog.Sinks{Subscribers: true, Webhook: map[muster.EventType]bool{muster.EventThing: true}}})
	env.createThing(muster.Thing{Name: "a"}) // for the webhook only
	env.enableThings()
	env.createThing(muster.Thing{Name: "b"})
	env.createThing(muster.Thing{Name: "c"})

	got, places, through := env.events(eventlog.Subscribers, 0, 10)
	wantNames(t, "to subscribers", got, "b created", "c created")
	if !slices.Equal(places, []uint64{2, 3}) || through != 3 {
		t.Errorf("they are at %v, through %d; want 2 and 3, through 3", places, through)
	}
	got, _, through = env.events(eventlog.Webhook, 0, 2)
	wantNames(t, "to the webhook, two at most", got, "a created", "b created")
	got, _, _ = env.events(eventlog.Webhook, through, 2)
	wantNames(t, "to the webhook, after those", got, "c created")

	env.Taken(eventlog.Subscribers, 3)
	if n := env.logSize(); n != 3 {
		t.Errorf("with one sink done the log holds %d events, want 3", n)
	}
	env.Taken(eventlog.Webhook, 2)
	if n := env.logSize(); n != 1 {
		t.Errorf("with both sinks done with two the log holds %d events, want 1", n)
	}
	got, _, _ = env.events(eventlog.Webhook, 0, 10)
	wantNames(t, "to the webhook, which begins where it was", got, "c created")
	if n, _, err := env.WebhookBacklog(t.Context()); n != 1 || err != nil {
		t.Errorf("WebhookBacklog = %d, %v; want 1", n, err)
	}
	env.Taken(eventlog.Webhook, 3)
	if n := env.logSize(); n != 0 {
		t.Errorf("with both sinks done the log holds %d events", n)
	}
	env.createThing(muster.Thing{Name: "d"})
	_, places, _ = env.events(eventlog.Webhook, 0, 10)
	if !slices.Equal(places, []uint64{4}) {
		t.Errorf("the next event is at %v, want 4", places)
	}
}

func TestEventsAreHandedOutAgainAfterARestart(t *testing.T) {
	s := memstore.New()
	o := Options{Sinks: eventlog.Sinks{Subscribers: true}}
	env := newEnvOn(t, s, o)
	env.enableThings()
	for _, name := range []muster.ThingName{"a", "b", "c"} {
		env.createThing(muster.Thing{Name: name})
	}
	before, _, err := env.Log.Events(t.Context(), eventlog.Subscribers, 0, 10)
	noErr(t, "Events", err)
	env.Taken(eventlog.Subscribers, 1)
	env.logSize()
	env.stop()

	env = newEnvOn(t, s, o)
	after, through, err := env.Log.Events(t.Context(), eventlog.Subscribers, 0, 10)
	noErr(t, "Events", err)
	if len(after) != 2 || through != 3 || after[0].ID != before[1].ID || after[1].ID != before[2].ID || after[0].At != before[1].At {
		t.Errorf("after a restart Events are %+v, want the last two of %+v", after, before)
	}
}

func TestASinkThatIsGoneHoldsNothingUp(t *testing.T) {
	s := memstore.New()
	both := Options{Sinks: eventlog.Sinks{Subscribers: true, Webhook: map[muster.EventType]bool{muster.EventThing: true}}}
	env := newEnvOn(t, s, both)
	env.enableThings()
	for i := range trimMax + 10 {
		env.createThing(muster.Thing{Name: muster.ThingName(fmt.Sprint("t", i))})
	}
	env.stop()

	env = newEnvOn(t, s, Options{Sinks: eventlog.Sinks{Subscribers: true}})
	env.Taken(eventlog.Subscribers, trimMax+10)
	if n := env.logSize(); n != 10 {
		t.Errorf("without the webhook the log holds %d events after the first time, want 10", n)
	}
	env.Taken(eventlog.Subscribers, trimMax+10)
	if n := env.logSize(); n != 0 {
		t.Errorf("without the webhook the log holds %d events, want none", n)
	}
	env.stop()

	env = newEnvOn(t, s, both)
	env.createThing(muster.Thing{Name: "new"})
	got, _, _ := env.events(eventlog.Webhook, 0, 10)
	wantNames(t, "to a webhook that is back", got, "new created")
}

func TestNothingIsRecordedThatNobodyWants(t *testing.T) {
	recorded := 0
	env := newEnvOn(t, memstore.New(), Options{
		Sinks:   eventlog.Sinks{Subscribers: true, Webhook: map[muster.EventType]bool{muster.EventJob: true}},
		Watcher: watcher{recorded: func() { recorded++ }},
	})
	env.createThing(muster.Thing{Name: "a"})
	env.job("job1", "a")
	if n := env.logSize(); n != 0 || recorded != 0 {
		t.Errorf("the log holds %d events and was announced %d times; want neither", n, recorded)
	}
	env.mustReport("a", "job1", muster.Succeeded)
	if n := env.logSize(); n != 1 || recorded != 1 {
		t.Errorf("when the job is completed, the log holds %d events and was announced %d times; want 1", n, recorded)
	}
}

// What a sink does not want is passed over in bounded steps.
func TestASinkPassesOverWhatOthersWant(t *testing.T) {
	env := newEnvOn(t, memstore.New(), Options{Sinks: eventlog.Sinks{Subscribers: true, Webhook: map[muster.EventType]bool{muster.EventJob: true}}})
	env.enableThings()
	for i := range eventLookMax + 1 {
		env.createThing(muster.Thing{Name: muster.ThingName(fmt.Sprint("t", i))})
	}
	got, _, through := env.events(eventlog.Webhook, 0, 10)
	if len(got) != 0 || through != eventLookMax {
		t.Errorf("Events = %q through %d, want none through %d", got, through, eventLookMax)
	}
	got, _, through = env.events(eventlog.Webhook, through, 10)
	if len(got) != 0 || through != eventLookMax+1 {
		t.Errorf("then Events = %q through %d, want none through %d", got, through, eventLookMax+1)
	}
	if _, _, again := env.events(eventlog.Webhook, through, 10); again != through {
		t.Errorf("at the end Events go through %d, want %d", again, through)
	}
}
