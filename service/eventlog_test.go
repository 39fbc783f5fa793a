package service

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// logTables are those that hold the log, by sink.
var logTables = [...]store.Table{eventlog.Subscribers: "subscriberevent", eventlog.Webhook: "webhookevent"}

// next returns the oldest events that a sink has not taken, and what they say, as "lamp1
// created".
func (env *env) next(sink eventlog.Sink, most int) (all []eventlog.Event, names []string) {
	env.t.Helper()
	all, err := env.Log.Events(env.t.Context(), sink, most)
	if err != nil {
		env.t.Fatalf("Events(%d, %d): %v", sink, most, err)
	}
	for _, h := range all {
		names = append(names, fmt.Sprintf("%s %s", h.Thing.Name, h.Operation))
	}
	return all, names
}

// logSize returns how many events the log holds, those for two sinks twice.
func (env *env) logSize() (n int) {
	env.t.Helper()
	env.write(func(tx store.Tx) { // after whatever Taken submitted
		n = 0
		for _, table := range logTables {
			for _, err := range tx.Scan(table, "", "") {
				if err != nil {
					env.t.Fatal(err)
				}
				n++
			}
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

func (env *env) createThings(names ...muster.ThingName) {
	env.t.Helper()
	for _, name := range names {
		env.createThing(muster.Thing{Name: name})
	}
}

func wantNames(t *testing.T, when string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s the events are %q, want %q", when, got, want)
	}
}

// bothSinks want things.
var bothSinks = eventlog.Sinks{Subscribers: true, Webhook: map[muster.EventType]bool{muster.EventThing: true}}

func TestEventsStayUntilTheirSinkHasTakenThem(t *testing.T) {
	env := newEnvOn(t, newStore(t), Options{Sinks: bothSinks})
	env.createThings("a") // for the webhook only
	env.enableThings()
	env.enableThings()
	env.createThings("b", "c")

	subscribers, got := env.next(eventlog.Subscribers, 10)
	wantNames(t, "to subscribers", got, "b created", "c created")
	webhook, got := env.next(eventlog.Webhook, 2)
	wantNames(t, "to the webhook, two at most", got, "a created", "b created")
	if subscribers[0].ID != webhook[1].ID || subscribers[0].Place != webhook[1].Place {
		t.Errorf("one event is %+v and %+v", subscribers[0], webhook[1])
	}

	env.Taken(eventlog.Subscribers, subscribers)
	if n := env.logSize(); n != 3 {
		t.Errorf("with one sink done the log holds %d events, want 3", n)
	}
	env.Taken(eventlog.Webhook, webhook)
	_, got = env.next(eventlog.Webhook, 2)
	wantNames(t, "to the webhook, after those", got, "c created")
	if n := env.logSize(); n != 1 {
		t.Errorf("when the webhook is done with two the log holds %d events, want 1", n)
	}
	if n, _, err := env.WebhookBacklog(t.Context()); n != 1 || err != nil {
		t.Errorf("WebhookBacklog = %d, %v; want 1", n, err)
	}
	last, _ := env.next(eventlog.Webhook, 10)
	env.Taken(eventlog.Webhook, last)
	if n := env.logSize(); n != 0 {
		t.Errorf("with both sinks done the log holds %d events", n)
	}
	env.createThings("d")
	if all, got := env.next(eventlog.Webhook, 10); !slices.Equal(got, []string{"d created"}) || all[0].Place <= last[0].Place {
		t.Errorf("the next event is %q at %v, want that of d after %s", got, all, last[0].Place)
	}
}

func TestEventsAreHandedOutAgainAfterARestart(t *testing.T) {
	s := newStore(t)
	o := Options{Sinks: eventlog.Sinks{Subscribers: true}}
	env := newEnvOn(t, s, o)
	env.enableThings()
	env.createThings("a", "b", "c")
	before, _ := env.next(eventlog.Subscribers, 10)
	env.Taken(eventlog.Subscribers, before[:1])
	env.logSize()
	env.stop()

	env = newEnvOn(t, s, o)
	after, _ := env.next(eventlog.Subscribers, 10)
	if len(after) != 2 || after[0].ID != before[1].ID || after[1].ID != before[2].ID || after[0].At != before[1].At || after[0].Place != before[1].Place {
		t.Errorf("after a restart Events are %+v, want the last two of %+v", after, before)
	}
}

func TestASinkThatIsGoneHoldsNothingUp(t *testing.T) {
	const many = 3*goneMax + 10
	s := newStore(t)
	env := newEnvOn(t, s, Options{Sinks: bothSinks})
	env.enableThings()
	for i := range many {
		env.createThings(muster.ThingName(fmt.Sprint("t", i)))
	}
	env.settleDown()
	if n := env.logSize(); n != 2*many {
		t.Errorf("with both sinks the log holds %d events, want %d", n, 2*many)
	}
	env.stop()

	env = newEnvOn(t, s, Options{Sinks: eventlog.Sinks{Subscribers: true}})
	if _, err := env.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := env.logSize(); n != 2*many-goneMax {
		t.Errorf("without the webhook the log holds %d events after a step, want %d", n, 2*many-goneMax)
	}
	env.settleDown()
	if n := env.logSize(); n != many {
		t.Errorf("without the webhook the log holds %d events in the end, want those for subscribers, %d", n, many)
	}
	env.stop()

	env = newEnvOn(t, s, Options{Sinks: bothSinks})
	env.createThings("new")
	_, got := env.next(eventlog.Webhook, 10)
	wantNames(t, "to a webhook that is back", got, "new created")
}

func TestNothingIsRecordedThatNobodyWants(t *testing.T) {
	recorded := 0
	env := newEnvOn(t, newStore(t), Options{
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

// The clock goes back while the service runs, while it is stopped, and by so much that
// all places in use are later.
func TestEventsStayInOrderWhenTheClockGoesBack(t *testing.T) {
	s := newStore(t)
	o := Options{Sinks: eventlog.Sinks{Subscribers: true}}
	var want []string
	now := testEpoch
	for i, back := range []muster.Instant{0, 1, 3_600_000, 0, testEpoch / 2} {
		env := newEnvOn(t, s, o)
		now -= back
		env.pass(int64(now - env.clock()))
		if i == 0 {
			env.enableThings()
		}
		for n := range 3 {
			name := fmt.Sprintf("t%d-%d", i, n)
			env.createThings(muster.ThingName(name))
			want = append(want, name+" created")
			env.pass([]int64{10, -5, 0}[n])
		}
		now = env.clock()
		all, got := env.next(eventlog.Subscribers, 100)
		wantNames(t, fmt.Sprintf("in run %d", i+1), got, want...)
		if !slices.IsSortedFunc(all, func(a, b eventlog.Event) int { return strings.Compare(a.Place, b.Place) }) {
			t.Errorf("in run %d the places are not in order: %+v", i+1, all)
		}
		wantNoProblems(t, fmt.Sprintf("in run %d", i+1), s)
		env.stop()
	}
}

// A transaction with events writes its events and nothing that others write too.
func TestNoTransactionWritesARecordOfTheWholeLog(t *testing.T) {
	s := newStore(t)
	env := newEnvOn(t, s, Options{Sinks: bothSinks})
	env.createThings("first") // the run begins
	before := recordsOf(t, s)
	env.createThings("a", "b")
	for key, value := range recordsOf(t, s) {
		if was, ok := before[key]; ok && was != value {
			t.Errorf("record %q is changed from %q to %q", key, was, value)
		}
	}
}

// recordsOf returns all records of a store.
func recordsOf(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	noErr(t, "View", s.View(t.Context(), func(r store.Reader) error {
		for _, table := range tableNames(t) {
			for row, err := range r.Scan(table, "", "") {
				noErr(t, "Scan", err)
				all[string(table)+" "+row.Key] = string(row.Value)
			}
		}
		return nil
	}))
	return all
}

// An event that is committed after later ones, as another process could, is read within a
// minute, and what was taken is not read again.
func TestAnEventThatIsCommittedLateIsNotMissed(t *testing.T) {
	env := newEnvOn(t, newStore(t), Options{Sinks: eventlog.Sinks{Subscribers: true}})
	env.enableThings()
	env.createThings("a", "b", "c")
	all, _ := env.next(eventlog.Subscribers, 10)
	env.Taken(eventlog.Subscribers, all[:2])
	late := all[0]
	late.Thing = &muster.Thing{Name: "late"}
	env.write(func(tx store.Tx) {
		store.Of[eventlog.Event]{Table: logTables[eventlog.Subscribers]}.Put(tx, strings.Replace(all[0].Place, "-00000001-", "-00000000-", 1), late)
	})
	_, got := env.next(eventlog.Subscribers, 10)
	wantNames(t, "at once", got, "c created")
	env.pass(rereadAfter.Milliseconds())
	rest, got := env.next(eventlog.Subscribers, 1)
	wantNames(t, "after a minute", got, "late created")
	env.Taken(eventlog.Subscribers, rest)
	rest, got = env.next(eventlog.Subscribers, 10)
	wantNames(t, "then", got, "c created")
	env.Taken(eventlog.Subscribers, rest)
	if n := env.logSize(); n != 0 {
		t.Errorf("the log holds %d events in the end", n)
	}
}

// What a sink has taken is not handed out again while it cannot be removed, and is
// removed later.
func TestWhatIsTakenAndCannotBeRemovedIsNotHandedOutAgain(t *testing.T) {
	full := reserve.Endless
	env := newEnvOn(t, newStore(t), Options{
		Sinks: eventlog.Sinks{Subscribers: true},
		Room:  func(u reserve.Use, n int64) error { return full(u, n) },
	})
	env.enableThings()
	env.createThings("a", "b", "c")
	all, _ := env.next(eventlog.Subscribers, 2)
	full = func(reserve.Use, int64) error { return muster.Errorf(muster.NoRoom, "full") }
	env.Taken(eventlog.Subscribers, all)
	for _, later := range []int64{0, rereadAfter.Milliseconds(), 0} {
		env.pass(later)
		_, got := env.next(eventlog.Subscribers, 10)
		wantNames(t, "while the disk is full", got, "c created")
	}
	full = reserve.Endless
	all, _ = env.next(eventlog.Subscribers, 10)
	env.Taken(eventlog.Subscribers, all)
	if n := env.logSize(); n != 0 {
		t.Errorf("when there is room again the log holds %d events", n)
	}
}

// formerLog puts an event log and dead letters of format 2 into a store.
func formerLog(tx store.Tx) {
	for place, sinks := range map[int]int{3: 3, 4: 1, 5: 2, 6: 3, 20: 3, 31: 2} {
		records("event").Put(tx, fmt.Sprintf("%016x", place), fields{
			"For": sinks, "ID": fmt.Sprint("id", place), "At": 7, "Recorded": 8, "Type": int(muster.EventThing), "Operation": "created", "Thing": fields{"Name": fmt.Sprint("t", place)},
		})
	}
	records("eventmark").Put(tx, "log", fields{"Last": 31, "Removed": 2, "Taken": []int{5, 3}})
	for _, place := range []int{1, 10, 2} {
		records("deadletter").Put(tx, fmt.Sprintf("%016x", place), fields{"ID": fmt.Sprint("id", place), "Operation": "created", "Thing": fields{"Name": fmt.Sprint("t", place)}, "Why": "no"})
	}
	store.Tallies.Put(tx, deadLetterTally, 3)
}

// What was in the log of format 2 is handed out before what comes later, in its order,
// and to each sink what it had not taken.
func TestTheLogOfAFormerFolderGoesOn(t *testing.T) {
	from := newStore(t)
	noErr(t, "Update", store.Update(t.Context(), from, func(tx store.Tx) error { formerLog(tx); return nil }))
	s := newStore(t)
	noErr(t, "View", from.View(t.Context(), func(r store.Reader) error {
		m, err := migrated(r, 2)
		noErr(t, "migrated", err)
		for _, old := range []store.Table{"event", "eventmark"} {
			for row := range m.Scan(old, "", "") {
				t.Errorf("table %s still has %q", old, row.Key)
			}
		}
		return store.Update(t.Context(), s, func(tx store.Tx) error {
			for _, table := range tableNames(t) {
				for row, err := range m.Scan(table, "", "") {
					noErr(t, "Scan", err)
					tx.Put(table, row.Key, row.Value)
				}
			}
			return nil
		})
	}))
	env := newEnvOn(t, s, Options{Sinks: bothSinks})
	env.enableThings()
	env.createThings("new")
	_, got := env.next(eventlog.Subscribers, 10)
	wantNames(t, "to subscribers", got, "t6 created", "t20 created", "new created")
	all, got := env.next(eventlog.Webhook, 10)
	wantNames(t, "to the webhook", got, "t5 created", "t6 created", "t20 created", "t31 created", "new created")
	if first := all[0]; first.Place != fmt.Sprintf("%020d", 5) || first.ID != "id5" || first.At != 7 || first.Recorded != 8 {
		t.Errorf("the first is %+v, want it as it was, at the place that was its sequence", first)
	}
	env.wantLetters("in the end", "t1: no", "t2: no", "t10: no")
	if n, err := env.Replay(t.Context(), []string{"id2"}); n != 1 || err != nil {
		t.Errorf("Replay = %d, %v; want 1", n, err)
	}
	_, got = env.next(eventlog.Webhook, 10)
	wantNames(t, "after Replay", got, "t5 created", "t6 created", "t20 created", "t31 created", "new created", "t2 created")
	wantNoProblems(t, "in the end", s)
}

// However many records a transaction of the migration has, the log becomes the same.
func TestALogOfManyStepsIsMigratedAlike(t *testing.T) {
	var want map[string]string
	for _, limit := range []int{1, 2, 100} {
		s := newStore(t)
		noErr(t, "Update", store.Update(t.Context(), s, func(tx store.Tx) error {
			formerLog(tx)
			migrations.Put(tx, theMigration, migration{From: 2})
			return nil
		}))
		for more := true; more; {
			noErr(t, "Update", store.Update(t.Context(), s, func(tx store.Tx) (err error) {
				more, err = migrateSome(tx, limit, func(string) {})
				return err
			}))
		}
		got := recordsOf(t, s)
		if want == nil {
			want = got
		}
		if !maps.Equal(got, want) {
			t.Errorf("%d at a time: %v, want %v", limit, got, want)
		}
	}
}

// Where several processes share the store, one that has no webhook leaves the events for it alone
// until they are a day old: the others may have one.
func TestASinkOfOtherProcessesIsNotTakenToBeGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := storetest.NewSite(memstore.New(), time.Now, 2, 1, time.Millisecond)
		with, without := newEnvOnJust(t, site.Join(), Options{Sinks: bothSinks}), newEnvOnJust(t, site.Join(), Options{Sinks: eventlog.Sinks{Subscribers: true}})
		with.enableThings()
		with.createThings("lamp")
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{0, 2}, {23 * time.Hour, 2}, {2 * time.Hour, 1}} {
			time.Sleep(step.wait)
			without.pass(step.wait.Milliseconds())
			without.settleDown()
			if n := without.logSize(); n != step.want {
				t.Errorf("%v later the log holds %d events, want %d", step.wait, n, step.want)
			}
		}
	})
}
