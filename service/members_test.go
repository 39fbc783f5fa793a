package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/store"
)

func (env *env) membersOf(group string, recursive bool) []string {
	env.t.Helper()
	return env.pages(func(p listing.Page) ([]string, string, error) {
		list, err := env.ListThingsInThingGroup(env.t.Context(), muster.GroupName(group), recursive, p)
		return plain(list.Things), list.Next, err
	}, 2)
}

func (env *env) groupsOfThing(thing string) []string {
	env.t.Helper()
	return env.pages(func(p listing.Page) ([]string, string, error) {
		list, err := env.ListThingGroupsForThing(env.t.Context(), muster.ThingName(thing), p)
		return plain(list.Groups), list.Next, err
	}, 2)
}

// move is UpdateThingGroupsForThing with names separated by blanks.
func (env *env) move(thing, add, remove string) error {
	names := func(s string) (all []muster.GroupName) {
		for name := range strings.FieldsSeq(s) {
			all = append(all, muster.GroupName(name))
		}
		return all
	}
	return env.UpdateThingGroupsForThing(env.t.Context(), muster.ThingName(thing), names(add), names(remove))
}

func TestMembership(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	env.thing("lamp", "bulb")
	env.group("house/floor")
	env.group("house/roof")
	env.group("all")
	for range 2 {
		noErr(t, "AddThingToThingGroup, twice (REG-47)", env.AddThingToThingGroup(ctx, "lamp", "floor"))
	}
	noErr(t, "AddThingToThingGroup", env.AddThingToThingGroup(ctx, "lamp", "all"))
	noErr(t, "RemoveThingFromThingGroup of a stranger (REG-47)", env.RemoveThingFromThingGroup(ctx, "bulb", "all"))
	if got, want := env.groupsOfThing("lamp"), []string{"all", "floor"}; !slices.Equal(got, want) {
		t.Errorf("the lamp is in %v, want %v: direct groups only (REG-51)", got, want)
	}
	if got := env.describeThing("lamp"); got.Version != 1 {
		t.Errorf("joining groups raised the version to %d (REG-12)", got.Version)
	}
	for name, test := range map[string]struct {
		err  error
		want muster.Kind
	}{
		"an unknown thing (REG-47)":            {env.AddThingToThingGroup(ctx, "none", "all"), muster.NotFound},
		"an unknown group (REG-47)":            {env.AddThingToThingGroup(ctx, "lamp", "none"), muster.NotFound},
		"leaving an unknown group (REG-47)":    {env.RemoveThingFromThingGroup(ctx, "lamp", "none"), muster.NotFound},
		"an unknown thing leaving (REG-47)":    {env.RemoveThingFromThingGroup(ctx, "none", "all"), muster.NotFound},
		"a sibling in the hierarchy (REG-46)":  {env.AddThingToThingGroup(ctx, "lamp", "roof"), muster.Invalid},
		"the parent in the hierarchy (REG-46)": {env.AddThingToThingGroup(ctx, "lamp", "house"), muster.Invalid},
		"two of one hierarchy in one call":     {env.move("bulb", "floor roof", ""), muster.Invalid},
		"one unknown group among others":       {env.move("bulb", "all none", ""), muster.NotFound},
		"one unknown group to leave":           {env.move("lamp", "", "floor none"), muster.NotFound},
		"an unknown thing in the big call":     {env.move("none", "all", ""), muster.NotFound},
		"a list of things of an unknown group": {listErr(env.ListThingsInThingGroup(ctx, "none", false, listing.Page{})), muster.NotFound},
		"a list of groups of an unknown thing": {listErr(env.ListThingGroupsForThing(ctx, "none", listing.Page{})), muster.NotFound},
		"a recursive list of an unknown group": {listErr(env.ListThingsInThingGroup(ctx, "none", true, listing.Page{})), muster.NotFound},
	} {
		t.Run(name, func(t *testing.T) { wantKind(t, "the call", test.err, test.want) })
	}
	if got := env.groupsOfThing("bulb"); len(got) != 0 {
		t.Errorf("calls that failed put the bulb into %v", got)
	}
	noErr(t, "moving inside a hierarchy in one call (REG-46)", env.move("lamp", "roof", "floor"))
	if got, want := env.groupsOfThing("lamp"), []string{"all", "roof"}; !slices.Equal(got, want) {
		t.Errorf("after the move the lamp is in %v, want %v", got, want)
	}
	noErr(t, "RemoveThingFromThingGroup", env.RemoveThingFromThingGroup(ctx, "lamp", "all"))
	if got := env.membersOf("all", false); len(got) != 0 {
		t.Errorf("the group that it left has %v", got)
	}
}

func listErr[T any](_ T, err error) error { return err }

func TestTenGroups(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	for i := range 11 {
		env.group(fmt.Sprintf("g%d", i))
	}
	for i := range 10 {
		noErr(t, "AddThingToThingGroup", env.AddThingToThingGroup(t.Context(), "lamp", muster.GroupName(fmt.Sprintf("g%d", i))))
	}
	wantKind(t, "an eleventh group (REG-45)", env.AddThingToThingGroup(t.Context(), "lamp", "g10"), muster.Invalid)
	noErr(t, "an eleventh for another", env.move("lamp", "g10", "g0"))
	noErr(t, "DeleteThingGroup", env.DeleteThingGroup(t.Context(), "g1", nil))
	noErr(t, "a group instead of a deleted one", env.AddThingToThingGroup(t.Context(), "lamp", "g0"))
}

func TestListThingsInThingGroup(t *testing.T) {
	env := newEnv(t)
	env.thing("a", "b", "c", "d", "e", "f")
	env.group("house", "f")
	env.group("house/empty")
	env.group("house/floor", "c", "e")
	env.group("house/floor/room", "a", "d")
	env.group("house/roof", "b")
	for name, test := range map[string]struct {
		group     string
		recursive bool
		want      string
	}{
		"direct members, by name (REG-50)":        {"floor", false, "c e"},
		"direct members of the root":              {"house", false, "f"},
		"all below, each once, by level (REG-50)": {"house", true, "f c e b a d"},
		"all below a group in the middle":         {"floor", true, "c e a d"},
		"a group without any":                     {"empty", false, ""},
		"a group without any, recursively":        {"empty", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(env.membersOf(test.group, test.recursive), " "); got != test.want {
				t.Errorf("ListThingsInThingGroup(%s, %v) = %s, want %s", test.group, test.recursive, got, test.want)
			}
		})
	}
}

func TestEmptyGroupsCountAsWorkOfAPage(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.group("root")
	env.write(func(tx store.Tx) {
		for i := range listing.RowsMax + 10 {
			g := muster.Group{Name: muster.GroupName(fmt.Sprintf("g%05d", i)), Path: []muster.GroupName{"root"}, ID: fmt.Sprint(i)}
			groups.Put(tx, string(g.Name), g)
			links("below").Put(tx, store.JoinKey("root", "1", string(g.Name)), store.Link{})
		}
	})
	noErr(t, "AddThingToThingGroup", env.AddThingToThingGroup(t.Context(), "lamp", muster.GroupName(fmt.Sprintf("g%05d", listing.RowsMax+9))))
	list, err := env.ListThingsInThingGroup(t.Context(), "root", true, listing.Page{})
	if err != nil || len(list.Things) != 0 || list.Next == "" {
		t.Fatalf("the first page has %v, token %q, %v; want none and a token", list.Things, list.Next, err)
	}
	if got := env.membersOf("root", true); !slices.Equal(got, []string{"lamp"}) {
		t.Errorf("all pages show %v, want the lamp", got)
	}
}

func TestALargeGroupDepartsInTheBackground(t *testing.T) {
	due := make(chan struct{}, 1)
	env := newEnvOn(t, newStore(t), Options{Watcher: watcher{due: func() {
		select {
		case due <- struct{}{}:
		default:
		}
	}}})
	ctx := t.Context()
	var names []string
	for i := range departMax + 2*stepMax + 7 {
		names = append(names, fmt.Sprintf("t%04d", i))
	}
	first, last := names[0], names[len(names)-1]
	env.thing(names...)
	env.group("house/crowd", names...)
	env.jobOf(muster.Continuous, "fix", "@house")
	env.told()
	select {
	case <-due: // the job's
	default:
	}

	noErr(t, "DeleteThingGroup", env.DeleteThingGroup(ctx, "crowd", nil))
	<-due // somebody is told that there is work
	if got := env.groupsOfThing(last); len(got) != 0 {
		t.Errorf("at once, the last thing is in %v, want nothing", got)
	}
	if got := env.membersOf("house", true); len(got) != 0 {
		t.Errorf("at once, the parent has %d things below", len(got))
	}
	if got := env.counts("fix"); got.Of(muster.Removed) != departMax {
		t.Errorf("at once, %d executions are REMOVED, want %d", got.Of(muster.Removed), departMax)
	}

	// A new group of the name begins empty, and the old one's departure leaves
	// its members alone.
	env.group("house/crowd", last)
	if got := env.membersOf("crowd", false); !slices.Equal(got, []string{last}) {
		t.Errorf("the new group has %v, want %s", got, last)
	}
	noErr(t, "DeleteThing", env.DeleteThing(ctx, muster.ThingName(names[len(names)-2]), nil))
	env.settleDown()
	if got := env.membersOf("crowd", false); !slices.Equal(got, []string{last}) {
		t.Errorf("after the departure the new group has %v, want %s", got, last)
	}
	if got := env.groupsOfThing(last); !slices.Equal(got, []string{"crowd"}) {
		t.Errorf("after the departure the last thing is in %v, want crowd", got)
	}
	want := int64(len(names) - 1)
	if got := env.counts("fix"); got.Of(muster.Removed) != want || got.Of(muster.Queued) != 1 {
		t.Errorf("after the departure %d are REMOVED and %d QUEUED; want %d, and the one that joined again", got.Of(muster.Removed), got.Of(muster.Queued), want)
	}
	if d := env.start(first); d.Execution != nil {
		t.Errorf("the first thing is still given %+v", d.Execution)
	}
	noErr(t, "view", env.Commits.View(ctx, func(r store.Reader) error {
		for row, err := range records("leaving").Scan(r, "", "") {
			t.Errorf("the departure %q is still recorded (%v)", row.Key, err)
		}
		n := 0
		for _, err := range records("member").Scan(r, "", "") {
			if n++; err != nil {
				return err
			}
		}
		if n != 1 {
			t.Errorf("%d memberships are stored, want 1", n)
		}
		return nil
	}))
}

func TestWhoseRightsARegistryChangeTouches(t *testing.T) {
	var rechecked []rights.Change // written before each answer
	env := newEnvOn(t, newStore(t), Options{Watcher: watcher{rightsChanged: func(c rights.Change) { rechecked = append(rechecked, c) }}})
	env.thing("lamp")
	env.group("house")
	for name, call := range map[string]func(){
		"joining a group":  func() { env.moves("lamp", "house", "") },
		"leaving a group":  func() { env.moves("lamp", "", "house") },
		"a new attribute":  func() { noErr(t, "UpdateThing", env.UpdateThing(t.Context(), "lamp", muster.ThingUpdate{})) },
		"deleting a thing": func() { env.deleteThing("lamp"); env.thing("lamp") },
	} {
		rechecked = nil
		call()
		if len(rechecked) != 1 || !slices.Equal(rechecked[0].Things, []muster.ThingName{"lamp"}) {
			t.Errorf("%s rechecks %+v, want the lamp", name, rechecked)
		}
	}
}
