package service

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

// Random changes of the registry, of connections and of executions: after each,
// every dynamic group has exactly the things that match it when all are looked
// at, a search finds exactly those too, and the index holds the entries of what
// there is and no others.
func TestRandomFleets(t *testing.T) {
	for i := range *historyCount {
		seed := *historySeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { newFleet(t, seed).play(*historySteps) })
	}
}

type randomFleet struct {
	*env
	rng       *rand.Rand
	things    []muster.ThingName
	static    []muster.GroupName
	dynamic   []muster.GroupName
	session   int
	connected muster.Instant // when a connection changed last
}

func newFleet(t *testing.T, seed uint64) *randomFleet {
	f := &randomFleet{
		rng: rand.New(rand.NewPCG(seed, 2)), things: []muster.ThingName{"a", "b", "Cam-1", "cam-2", "cam-10", "z"},
		static: []muster.GroupName{"root", "leaf", "apart"}, dynamic: []muster.GroupName{"d1", "d2", "d3", "d4"},
	}
	f.env = newEnvOn(t, newStore(t), Options{})
	for _, name := range []muster.TypeName{"lamp", "pump"} {
		if _, err := f.CreateThingType(t.Context(), muster.ThingType{Name: name}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"j1", "j2"} {
		f.register("spare", "yes", "spare")
		f.jobOf(muster.Continuous, id, "spare")
	}
	return f
}

func (f *randomFleet) play(steps int) {
	for range steps {
		name, err := f.step()
		if e, ok := errors.AsType[*muster.Error](err); err != nil && (!ok || e.Kind == muster.Internal) {
			f.t.Fatalf("%s: %v", name, err)
		}
		f.pass(f.rng.Int64N(1000))
		if f.rng.IntN(4) > 0 {
			f.settleDown()
			f.check(name)
		}
	}
}

func (f *randomFleet) step() (string, error) {
	ctx := f.t.Context()
	thing, static, dynamic := pick(f.rng, f.things), pick(f.rng, f.static), pick(f.rng, f.dynamic)
	switch f.rng.IntN(16) {
	case 0, 1:
		_, err := f.CreateThing(ctx, muster.Thing{Name: thing, Type: pick(f.rng, []muster.TypeName{"", "lamp", "pump"}), Attributes: f.someAttributes()})
		return "CreateThing", err
	case 2:
		return "DeleteThing", f.DeleteThing(ctx, thing, nil)
	case 3, 4, 5:
		u := muster.ThingUpdate{Attributes: muster.AttributePayload{Attributes: f.someAttributes(), Merge: f.rng.IntN(2) == 0}}
		if f.rng.IntN(3) == 0 {
			u.Type = pick(f.rng, []muster.TypeName{"lamp", "pump"})
		}
		return "UpdateThing", f.UpdateThing(ctx, thing, u)
	case 6:
		_, err := f.CreateThingGroup(ctx, muster.Group{Name: static, Parent: map[muster.GroupName]muster.GroupName{"leaf": "root"}[static]}, nil)
		return "CreateThingGroup", err
	case 7:
		return "DeleteThingGroup", f.DeleteThingGroup(ctx, static, nil)
	case 8, 9:
		return "UpdateThingGroupsForThing", f.UpdateThingGroupsForThing(ctx, thing, f.static[:f.rng.IntN(2)], f.static[2:2+f.rng.IntN(2)])
	case 10:
		return "AddThingToThingGroup", f.AddThingToThingGroup(ctx, thing, static)
	case 11:
		_, err := f.CreateDynamicThingGroup(ctx, muster.Group{Name: dynamic, Dynamic: &muster.MembershipRule{Query: f.someQuery()}}, nil)
		return "CreateDynamicThingGroup", err
	case 12:
		if f.rng.IntN(2) == 0 {
			return "DeleteDynamicThingGroup", f.DeleteDynamicThingGroup(ctx, dynamic, nil)
		}
		_, err := f.UpdateDynamicThingGroup(ctx, dynamic, muster.GroupUpdate{}, muster.MembershipRule{Query: f.someQuery()})
		return "UpdateDynamicThingGroup", err
	case 13:
		f.session++
		f.connected = f.clock()
		change := registry.ConnectionChange{Client: string(thing), Whole: f.rng.IntN(2) == 0, Connectivity: muster.Connectivity{
			Connected: f.rng.IntN(2) == 0, At: f.clock(), Reason: pick(f.rng, []string{"NONE", "CONNECTION_LOST"}), Session: fmt.Sprint(f.session - f.rng.IntN(2)),
		}}
		return "RecordConnections", f.RecordConnections(ctx, []registry.ConnectionChange{change})
	case 14:
		target := muster.Target{Name: string(thing)}
		if f.rng.IntN(2) == 0 {
			target = muster.Target{Group: true, Name: string(dynamic)}
		}
		_, err := f.AssociateTargets(ctx, pick(f.rng, []muster.JobID{"j1", "j2"}), nil, []muster.Target{target}, nil)
		return "AssociateTargets", err
	default:
		_, err := f.reportAs(jobs.UpdateInput{Thing: thing, Job: pick(f.rng, []muster.JobID{"j1", "j2"}), Status: pick(f.rng, []muster.Status{muster.InProgress, muster.Succeeded, muster.Failed})})
		if f.rng.IntN(30) == 0 {
			err = f.UpdateIndexingConfiguration(ctx, func(c muster.IndexingConfig) muster.IndexingConfig {
				c.Things = f.rng.IntN(4) > 0
				c.Connectivity = f.rng.IntN(2) == 0
				return c
			})
			return "UpdateIndexingConfiguration", err
		}
		return "UpdateExecution", err
	}
}

func (f *randomFleet) someAttributes() map[string]string {
	all := map[string]string{}
	if f.rng.IntN(3) > 0 {
		all["site"] = pick(f.rng, []string{"north", "North-2", "south", "5", ""})
	}
	if f.rng.IntN(3) > 0 {
		all["fw"] = pick(f.rng, []string{"1", "1.5", "2", "10", "-3", "2.0.1", "1e2"})
	}
	return all
}

// someQuery joins random terms. Those that name groups or jobs are the ones that
// can go in circles.
func (f *randomFleet) someQuery() string {
	terms := []string{
		"*", "attributes.site:north", "attributes.site:n*", "attributes.site:*", "attributes.site:*th", "attributes.fw:[1 TO 5]", "attributes.fw:{1 TO 10]",
		"attributes.fw>=2", "attributes.fw<2.0.1", "attributes.fw:[* TO 2}", "thingName:cam*", "thingName:CAM-1?", "thingTypeName:lamp", "thingTypeName:(lamp OR pump)",
		"thingGroupNames:root", "thingGroupNames:(leaf OR d1)", "thingGroupNames:d?", "thingGroupNames:*", "connectivity.connected:true", "connectivity.disconnectReason:connection_lost",
		"connectivity.connected:*", "connectivity.connected:(false OR true)", "connectivity.disconnectReason:n*", "connectivity.disconnectReason>=d", "none", "conn*", "fals?",
		fmt.Sprintf("connectivity.timestamp>%d", f.clock()-3000), fmt.Sprintf("connectivity.timestamp<=%d", f.clock()-3000), fmt.Sprintf("connectivity.timestamp:%d", f.connected),
		fmt.Sprintf("connectivity.timestamp:[%d TO x]", f.connected), fmt.Sprintf("connectivity.timestamp:%d*", f.connected/1000), fmt.Sprint(f.connected), "north", "d*", "2", "jobs.j1.status:SUCCEEDED", "jobs.j2.status:(QUEUED OR FAILED)", "jobs.j1.status:*",
	}
	query := ""
	for i := range 1 + f.rng.IntN(3) {
		if i > 0 {
			query += pick(f.rng, []string{" AND ", " OR ", " "})
		}
		query += pick(f.rng, []string{"", "", "NOT ", "-"}) + pick(f.rng, terms)
	}
	return query
}

// check holds when all that is due was done.
func (f *randomFleet) check(after string) {
	f.t.Helper()
	err := f.store.View(f.t.Context(), func(r store.Reader) error {
		s, err := indexStateOf(r)
		if err == nil && s.Stage != indexComplete {
			err = fmt.Errorf("the index is %+v when all is done", s)
		}
		for row := range records("building").Scan(r, "", "") {
			if s.Config.Things {
				return fmt.Errorf("group %s is BUILDING when all is done", row.Key)
			}
		}
		if err != nil {
			return err
		}
		return f.checkCoverage(r)
	})
	if err != nil {
		f.t.Fatalf("after %s: %v", after, err)
	}
	problems, err := Verify(f.t.Context(), f.store)
	if err != nil || len(problems) > 0 {
		f.t.Fatalf("after %s: Verify: %v, %v", after, problems, err)
	}
	f.checkSearch(after)
}

// indexState is how far the index is, as it is stored.
type indexState struct {
	Config muster.IndexingConfig
	Stage  int
}

// indexComplete is the Stage of an index that has every change in it.
const indexComplete = 2

func indexStateOf(r store.Reader) (indexState, error) {
	s, err := store.Of[indexState]{Table: "indexing"}.Get(r, "things")
	if err != nil || s == nil {
		return indexState{Config: muster.DefaultIndexing()}, err
	}
	return *s, nil
}

// documentOf returns all that a query can ask for of a thing, as the records have it
// now.
func documentOf(r store.Reader, c muster.IndexingConfig, t muster.Thing) (fleetquery.Document, error) {
	d := fleetquery.Document{}
	d.Add(fleetquery.ThingName, string(t.Name))
	d.Add(fleetquery.ThingID, t.ID)
	d.Add(fleetquery.ThingTypeName, string(t.Type))
	for name, value := range t.Attributes {
		d.Add(fleetquery.Attribute(name), value)
	}
	in, err := registry.Lookup{}.GroupsOf(r, t.Name)
	if err != nil {
		return nil, err
	}
	for _, g := range in {
		d.Add(fleetquery.ThingGroupNames, string(g.Name))
	}
	for _, job := range []muster.JobID{"j1", "j2"} {
		x, err := store.LatestOf(r, t.Name, job)
		if err != nil {
			return nil, err
		}
		if t.Had(x) {
			d.Add(fleetquery.JobStatus(string(job)), x.Status.String())
		}
	}
	connection, err := store.Of[muster.Connectivity]{Table: "connection"}.Get(r, string(t.Name))
	if err == nil && connection != nil && c.Connectivity {
		d.Add(fleetquery.Connected, fmt.Sprint(connection.Connected))
		d.Add(fleetquery.ConnectedAt, fmt.Sprint(int64(connection.At)))
		d.Add(fleetquery.DisconnectReason, connection.Reason)
	}
	return d, err
}

func covers(j muster.Job, ids []string) bool {
	return slices.ContainsFunc(j.Targets, func(t muster.Target) bool { return slices.Contains(ids, t.ID) })
}

// checkCoverage holds that a thing in a dynamic group which a continuous job
// targets has had the job since it joined, and one that is covered by nothing
// waits for it no longer.
func (f *randomFleet) checkCoverage(r store.Reader) error {
	for row, err := range jobRecords.Scan(r, "", "") {
		if err != nil {
			return err
		}
		j := row.Value
		for _, thing := range f.things {
			targeted, err := registry.Lookup{}.TargetsOf(r, thing)
			if err != nil {
				return err
			}
			latest, err := store.LatestOf(r, thing, j.ID)
			if err != nil {
				return err
			}
			t, err := things.Get(r, string(thing))
			direct := t != nil && covers(j, []string{t.ID})
			switch covered := covers(j, targeted); {
			case err != nil:
				return err
			case t == nil || direct: // what becomes of a direct target is not about groups
			case covered && (latest == nil || latest.Status == muster.Removed):
				return fmt.Errorf("thing %s is covered by job %s and has %+v", thing, j.ID, latest)
			case !covered && latest != nil && latest.Status == muster.Queued:
				return fmt.Errorf("thing %s is not covered by job %s and has %+v", thing, j.ID, latest)
			}
		}
	}
	return nil
}

// checkSearch compares a search, in pages of two, with brute force.
func (f *randomFleet) checkSearch(after string) {
	f.t.Helper()
	text := f.someQuery()
	var got, want []string
	page := listing.Page{Limit: 2}
	for pages := 0; ; pages++ {
		if pages > 10_000 {
			f.t.Fatalf("after %s: SearchIndex(%s) never ends", after, text)
		}
		found, err := f.SearchIndex(f.t.Context(), registry.IndexQuery{Text: text}, page)
		if e, ok := errors.AsType[*muster.Error](err); ok && (e.Kind == muster.NotFound || e.Kind == muster.InvalidQuery) {
			return // it is off, or the query has two leading wildcards
		}
		if err != nil {
			f.t.Fatalf("after %s: SearchIndex(%s): %v", after, text, err)
		}
		for _, t := range found.Things {
			got = append(got, string(t.Name))
		}
		if page.Token = found.Next; page.Token == "" {
			break
		}
	}
	q, err := fleetquery.Parse(text, fleetquery.Things)
	if err != nil {
		f.t.Fatal(err)
	}
	err = f.store.View(f.t.Context(), func(r store.Reader) error {
		s, err := indexStateOf(r)
		if err != nil {
			return err
		}
		for row, err := range things.Scan(r, "", "") {
			if err != nil {
				return err
			}
			d, err := documentOf(r, s.Config, row.Value)
			if err != nil {
				return err
			}
			if q.Matches(d) {
				want = append(want, row.Key)
			}
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		f.t.Fatalf("after %s: SearchIndex(%s) = %v, want %v", after, text, got, want)
	}
}
