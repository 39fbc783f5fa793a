package service

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

func came(client, session string, at muster.Instant) registry.ConnectionChange {
	return registry.ConnectionChange{Client: client, Connectivity: muster.Connectivity{Connected: true, At: at, Reason: muster.NoReason, Session: session}}
}

func went(client, session string, at muster.Instant) registry.ConnectionChange {
	return registry.ConnectionChange{Client: client, Connectivity: muster.Connectivity{At: at, Reason: "CONNECTION_LOST", Session: session}}
}

func (env *env) connections(changes ...registry.ConnectionChange) {
	env.t.Helper()
	if err := env.RecordConnections(env.t.Context(), changes); err != nil {
		env.t.Fatalf("RecordConnections: %v", err)
	}
}

func (env *env) wantConnected(when, thing string, connected bool, reason string) {
	env.t.Helper()
	c, err := env.Connectivity(env.t.Context(), muster.ThingName(thing))
	if err != nil || c.Connected != connected || c.Reason != reason {
		env.t.Fatalf("%s, %s is %+v, %v; want connected %v, %s", when, thing, c, err, connected, reason)
	}
}

func TestConnectivityReachesGroupsAndTheIndex(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "a", "b")
	env.dynamic("online", "connectivity.connected:true")
	env.dynamic("lost", "connectivity.disconnectReason:connection_lost")
	_, err := env.Connectivity(t.Context(), "a")
	wantKind(t, "Connectivity of a thing that never came", err, muster.NotFound)

	env.connections(came("a", "1", 1000), came("nothing", "9", 1000), came("b", "2", 1000))
	env.wantMembers("when both came", "online", "a", "b")
	env.connections(went("a", "0", 1500)) // the end of a connection that was taken over
	env.wantConnected("after a late end", "a", true, "NONE")
	env.connections(went("a", "1", 2000))
	env.wantConnected("after it went", "a", false, "CONNECTION_LOST")
	env.wantMembers("after a went", "online", "b")
	env.wantMembers("after a went", "lost", "a")
	found, err := env.SearchIndex(t.Context(), registry.IndexQuery{Text: "connectivity.timestamp:[1500 TO 2500]"}, listing.Page{})
	if err != nil || len(found.Things) != 1 || found.Things[0].Connectivity.At != 2000 {
		t.Errorf("SearchIndex by time = %+v, %v; want a alone", found.Things, err)
	}

	if err := env.DeleteThing(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	env.register("site", "north", "a")
	_, err = env.Connectivity(t.Context(), "a")
	wantKind(t, "Connectivity of a new thing of the name", err, muster.NotFound)
}

func TestAfterARestartNobodyIsConnected(t *testing.T) {
	s := newStore(t)
	first := newEnvOn(t, s, Options{})
	first.register("site", "north", "a", "b", "c")
	first.dynamic("online", "connectivity.connected:true")
	first.connections(came("a", "1", 1000), came("b", "2", 1000), came("c", "3", 1000))
	first.connections(went("c", "3", 1200))

	second := newEnvOn(t, s, Options{})
	second.wantConnected("at once", "a", false, "UNKNOWN")
	second.wantConnected("at once", "c", false, "CONNECTION_LOST")
	second.connections(came("b", "4", 2000))
	second.settleDown()
	second.wantConnected("when all is done", "a", false, "UNKNOWN")
	second.wantConnected("when all is done", "b", true, "NONE")
	second.wantConnected("when all is done", "c", false, "CONNECTION_LOST")
	second.wantMembers("when all is done", "online", "b")
}

// The search for the things that an earlier process left connected takes several
// steps, and every transaction of it runs twice; a process that stops in between
// leaves the next one a search of its own.
func TestAfterARestartAllThingsAreFoundThatWereConnected(t *testing.T) {
	s := newStore(t)
	first := newEnvOn(t, s, Options{})
	var names []string
	var changes []registry.ConnectionChange
	for n := range 3*stepMax + 7 {
		names = append(names, fmt.Sprintf("thing-%03d", n))
		changes = append(changes, came(names[n], "1", 1000))
	}
	first.thing(names...)
	first.connections(changes...)
	first.dynamic("online", "connectivity.connected:true")
	if got := len(first.membersOf("online", false)); got != len(names) {
		t.Fatalf("%d things are connected, want %d", got, len(names))
	}
	first.stop()

	second := newEnvOn(t, s, Options{})
	search := second.stepsOf(second.Registry)[:1]
	noErr(t, "the first step of the search", second.Commits.Background(t.Context(), search))
	if got := len(second.membersOf("online", false)); got != len(names)-stepMax {
		t.Errorf("after one step %d things are connected, want %d", got, len(names)-stepMax)
	}
	second.stop()

	third := newEnvOn(t, s, Options{})
	third.settleDown()
	third.wantMembers("in the third process", "online")
	rows := 0
	third.write(func(tx store.Tx) {
		rows = 0
		for _, err := range records("absence").Scan(tx, "", "") {
			if err != nil {
				t.Error(err)
			}
			rows++
		}
	})
	if rows != 1 {
		t.Errorf("the searches of %d processes are kept, want that of the last", rows)
	}
}

// The place of a search in format 3 is that of an entry which is there no more.
func TestASearchOfFormat3FindsAll(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "a", "b", "c")
	env.connections(came("a", "1", 1000), came("b", "2", 1100), came("c", "3", 1200), went("c", "3", 1300))
	g, err := env.CreateDynamicThingGroup(t.Context(), muster.Group{Name: "online", Dynamic: &muster.MembershipRule{Query: "connectivity.connected:true"}}, nil)
	noErr(t, "CreateDynamicThingGroup", err)
	env.write(func(tx store.Tx) {
		records("building").Put(tx, "online", fields{"GroupID": g.ID, "Members": true, "Covered": true, "At": fields{
			"After": "connectivity.connected\x00true\x00b", "Spans": []fields{{"Field": "connectivity.connected", "From": "true\x00", "To": "true\x01"}},
		}})
	})
	env.settleDown()
	env.wantMembers("after the search", "online", "a", "b")
}

func TestConnectivityCanBeSwitchedOff(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "a")
	env.dynamic("online", "connectivity.connected:true")
	env.connections(came("a", "1", 1000))
	env.indexing(func(c *muster.IndexingConfig) { c.Connectivity = false })
	env.wantMembers("without connectivity", "online")
	_, err := env.Connectivity(t.Context(), "a")
	wantKind(t, "Connectivity while it is off", err, muster.Invalid)
	env.indexing(func(c *muster.IndexingConfig) { c.Connectivity = true })
	env.wantMembers("with connectivity again", "online", "a")
}

// indexing changes the configuration of the index and lets it be built.
func (env *env) indexing(change func(*muster.IndexingConfig)) {
	env.t.Helper()
	err := env.UpdateIndexingConfiguration(env.t.Context(), func(c muster.IndexingConfig) muster.IndexingConfig {
		change(&c)
		return c
	})
	if err != nil {
		env.t.Fatalf("UpdateIndexingConfiguration: %v", err)
	}
	env.settleDown()
}

func TestWhoComesBackIsGivenAJobAgainUnlessItSucceeded(t *testing.T) {
	for skip, want := range map[bool]int64{false: 2, true: 1} {
		env := newEnvOn(t, newStore(t), Options{SkipSucceeded: skip})
		env.register("site", "north", "a", "b")
		env.connections(came("a", "1", 1000), came("b", "1", 1000))
		env.dynamic("online", "connectivity.connected:true")
		env.jobOf(muster.Continuous, "job", "@online")
		env.mustReport("a", "job", muster.Succeeded)
		env.mustReport("b", "job", muster.Failed)
		env.connections(went("a", "1", 2000), went("b", "1", 2000))
		env.connections(came("a", "2", 3000), came("b", "2", 3000))
		if got := env.counts("job"); got.Of(muster.Queued) != want || got.Total() != want+2 {
			t.Errorf("with SkipSucceeded %v the job counts %v, want %d queued", skip, got, want)
		}
	}
}

// Of several processes that share a store, one that is gone leaves things connected, and the others
// find them.
func TestThingsOfAProcessThatIsGoneAreAbsent(t *testing.T) {
	s := newStore(t)
	var gone atomic.Bool // the first process is
	processAt := func(name string) *env {
		return newEnvOn(t, s, Options{Process: name, Gone: func(p string) bool { return p == "1" && gone.Load() }})
	}
	first, second := processAt("1"), processAt("2")
	first.register("site", "north", "a", "b", "c")
	first.dynamic("online", "connectivity.connected:true")
	second.settleDown() // it has begun to look, and is done
	first.connections(came("a", "1", 1000), came("b", "1", 1000))
	second.connections(came("b", "2", 2000), came("c", "2", 1000))
	third := processAt("3")
	for _, env := range []*env{first, second, third} {
		env.settleDown()
		env.wantConnected("while all run", "a", true, "NONE")
		env.wantMembers("while all run", "online", "a", "b", "c")
	}

	first.stop()
	gone.Store(true)
	second.wantConnected("at once", "a", false, "UNKNOWN")
	third.settleDown()
	second.wantConnected("when all is done", "a", false, "UNKNOWN")
	second.wantConnected("when all is done", "b", true, "NONE")
	second.wantMembers("when all is done", "online", "b", "c")
	if agenda, err := second.Work(t.Context()); err != nil || agenda.More {
		t.Errorf("another process has work, too: %+v, %v", agenda, err)
	}
}

// Servers gather for a while who came and went. What one tells of a connection after another has told of
// a later one is left out, and so is the end of a connection that both began and ended meanwhile.
func TestOfTwoServersTheLaterConnectionCounts(t *testing.T) {
	s := newStore(t)
	first := newEnvOn(t, s, Options{Process: "1", Gone: func(string) bool { return false }})
	second := newEnvOn(t, s, Options{Process: "2", Gone: func(string) bool { return false }})
	first.register("site", "north", "a")
	with := func(epoch uint64, whole bool, c registry.ConnectionChange) registry.ConnectionChange {
		c.Epoch, c.Whole = epoch, whole
		return c
	}
	second.connections(with(2, false, came("a", "2", 1000)))
	for _, late := range []registry.ConnectionChange{
		with(1, false, came("a", "1", 2000)), // its clock is ahead
		with(1, false, went("a", "1", 2000)),
		with(1, true, went("a", "1", 2000)),
	} {
		first.connections(late)
		first.wantConnected("after late news", "a", true, "NONE")
	}
	second.connections(with(2, false, went("a", "2", 3000)))
	first.wantConnected("after its end", "a", false, "CONNECTION_LOST")
	first.connections(with(1, false, came("a", "1", 4000)))
	first.wantConnected("after late news", "a", false, "CONNECTION_LOST")
	first.connections(with(3, false, came("a", "3", 1000)))
	first.wantConnected("connected again", "a", true, "NONE")
}
