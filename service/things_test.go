package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

func (env *env) createThing(in muster.Thing) muster.Thing {
	env.t.Helper()
	t, err := env.CreateThing(env.t.Context(), in)
	if err != nil {
		env.t.Fatalf("CreateThing(%+v): %v", in, err)
	}
	return t
}

func (env *env) describeThing(name string) muster.Thing {
	env.t.Helper()
	t, err := env.DescribeThing(env.t.Context(), muster.ThingName(name))
	if err != nil {
		env.t.Fatalf("DescribeThing(%s): %v", name, err)
	}
	return t
}

// noErr fails the test at once when a call failed.
func noErr(t *testing.T, call string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", call, err)
	}
}

func attributesOf(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprintf("a%d", i)] = "v"
	}
	return m
}

func TestCreateThing(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	_, err := env.CreateThingType(ctx, muster.ThingType{Name: "light"}, nil)
	noErr(t, "CreateThingType", err)
	_, err = env.CreateThingType(ctx, muster.ThingType{Name: "old"}, nil)
	noErr(t, "CreateThingType", err)
	noErr(t, "DeprecateThingType", env.DeprecateThingType(ctx, "old", false))

	lamp := env.createThing(muster.Thing{Name: "lamp", Type: "light", Attributes: map[string]string{"floor": "3", "none": ""}})
	if lamp.Version != 1 || len(lamp.ID) != 36 || lamp.ID != strings.ToLower(lamp.ID) {
		t.Errorf("created %+v; want version 1 and a UUID in lower case (REG-11, REG-12)", lamp)
	}
	if lamp.CreatedAt != testEpoch || len(lamp.Attributes) != 1 {
		t.Errorf("created %+v; want now as its date and no empty attribute (REG-23)", lamp)
	}
	if got := env.describeThing("lamp"); got.ID != lamp.ID || got.Type != "light" {
		t.Errorf("DescribeThing = %+v, want %+v", got, lamp)
	}

	t.Run("the same again is the same thing (REG-14)", func(t *testing.T) {
		again, err := env.CreateThing(ctx, muster.Thing{Name: "lamp", Type: "light", Attributes: map[string]string{"floor": "3"}})
		if err != nil || again.ID != lamp.ID {
			t.Errorf("CreateThing again = %+v, %v; want id %s", again, err, lamp.ID)
		}
	})
	t.Run("another configuration is a conflict (REG-14)", func(t *testing.T) {
		_, err := env.CreateThing(ctx, muster.Thing{Name: "lamp", Type: "light"})
		e := wantKind(t, "CreateThing", err, muster.AlreadyExists)
		if want := "arn:aws:iot:us-east-1:000000000000:thing/lamp"; e.ResourceID != lamp.ID || e.ResourceARN != want {
			t.Errorf("the error names %q %q, want %q %q", e.ResourceID, e.ResourceARN, lamp.ID, want)
		}
	})
	t.Run("the original after an update is a conflict (REG-15)", func(t *testing.T) {
		env.createThing(muster.Thing{Name: "bulb"})
		noErr(t, "UpdateThing", env.UpdateThing(ctx, "bulb", muster.ThingUpdate{Type: "light"}))
		_, err := env.CreateThing(ctx, muster.Thing{Name: "bulb"})
		wantKind(t, "CreateThing", err, muster.AlreadyExists)
		again := env.createThing(muster.Thing{Name: "bulb", Type: "light"})
		if again.Version != 2 {
			t.Errorf("the updated configuration again is at version %d, want 2", again.Version)
		}
	})
	t.Run("an unknown type (REG-25)", func(t *testing.T) {
		_, err := env.CreateThing(ctx, muster.Thing{Name: "x", Type: "none"})
		wantKind(t, "CreateThing", err, muster.NotFound)
	})
	t.Run("a deprecated type (REG-25)", func(t *testing.T) {
		_, err := env.CreateThing(ctx, muster.Thing{Name: "x", Type: "old"})
		e := wantKind(t, "CreateThing", err, muster.Invalid)
		if want := "Can not create new thing with depreated thing type:old"; e.Msg != want {
			t.Errorf("message %q, want %q", e.Msg, want)
		}
	})
	t.Run("too many attributes without a type (REG-21)", func(t *testing.T) {
		_, err := env.CreateThing(ctx, muster.Thing{Name: "x", Attributes: attributesOf(4)})
		wantKind(t, "CreateThing", err, muster.Invalid)
	})
	t.Run("what was refused does not exist", func(t *testing.T) {
		_, err := env.DescribeThing(ctx, "x")
		wantKind(t, "DescribeThing", err, muster.NotFound)
	})
}

func TestUpdateThing(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	for _, name := range []muster.TypeName{"light", "old"} {
		_, err := env.CreateThingType(ctx, muster.ThingType{Name: name}, nil)
		noErr(t, "CreateThingType", err)
	}
	env.createThing(muster.Thing{Name: "veteran", Type: "old"})
	noErr(t, "DeprecateThingType", env.DeprecateThingType(ctx, "old", false))
	env.createThing(muster.Thing{Name: "lamp", Attributes: map[string]string{"a": "1"}})

	merge := muster.AttributePayload{Attributes: map[string]string{"b": "2"}, Merge: true}
	noErr(t, "UpdateThing", env.UpdateThing(ctx, "lamp", muster.ThingUpdate{ExpectedVersion: new(int64(1)), Attributes: merge, Type: "light"}))
	if got := env.describeThing("lamp"); got.Version != 2 || len(got.Attributes) != 2 || got.Type != "light" {
		t.Errorf("after the update %+v; want version 2, two attributes, type light (REG-12, REG-22)", got)
	}
	noErr(t, "UpdateThing", env.UpdateThing(ctx, "veteran", muster.ThingUpdate{Type: "old", Attributes: merge}))
	if got := env.describeThing("veteran"); got.Version != 2 || got.Type != "old" {
		t.Errorf("a thing that keeps its deprecated type became %+v (REG-25)", got)
	}

	for name, test := range map[string]struct {
		thing  muster.ThingName
		update muster.ThingUpdate
		want   muster.Kind
		msg    string
	}{
		"no such thing":                       {thing: "none", want: muster.NotFound, msg: "Thing none does not exist"},
		"a version that is over (REG-13)":     {thing: "lamp", update: muster.ThingUpdate{ExpectedVersion: new(int64(1))}, want: muster.VersionConflict},
		"an unknown type (REG-25)":            {thing: "lamp", update: muster.ThingUpdate{Type: "none"}, want: muster.NotFound},
		"a deprecated type (REG-25)":          {thing: "lamp", update: muster.ThingUpdate{Type: "old"}, want: muster.Invalid, msg: "Can not update a thing to use deprecated thing type: old"},
		"a type and none at once (REG-24)":    {thing: "lamp", update: muster.ThingUpdate{Type: "light", RemoveType: true}, want: muster.Invalid},
		"too many attributes by now (REG-21)": {thing: "lamp", update: muster.ThingUpdate{Attributes: muster.AttributePayload{Attributes: attributesOf(51)}}, want: muster.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			e := wantKind(t, "UpdateThing", env.UpdateThing(ctx, test.thing, test.update), test.want)
			if test.msg != "" && e.Msg != test.msg {
				t.Errorf("message %q, want %q", e.Msg, test.msg)
			}
		})
	}
	if got := env.describeThing("lamp"); got.Version != 2 {
		t.Errorf("refused updates left version %d, want 2", got.Version)
	}
}

func TestDeleteThing(t *testing.T) {
	ctx := context.Background()
	t.Run("a missing thing is a success unless a version was expected (REG-27)", func(t *testing.T) {
		env := newEnv(t)
		noErr(t, "DeleteThing", env.DeleteThing(ctx, "none", nil))
		wantKind(t, "DeleteThing", env.DeleteThing(ctx, "none", new(int64(1))), muster.NotFound)
	})
	t.Run("another version than expected", func(t *testing.T) {
		env := newEnv(t)
		env.thing("lamp")
		wantKind(t, "DeleteThing", env.DeleteThing(ctx, "lamp", new(int64(2))), muster.VersionConflict)
		noErr(t, "DeleteThing", env.DeleteThing(ctx, "lamp", new(int64(1))))
		_, err := env.DescribeThing(ctx, "lamp")
		wantKind(t, "DescribeThing", err, muster.NotFound)
	})
	t.Run("an attached principal (REG-26)", func(t *testing.T) {
		env := newEnv(t)
		env.thing("lamp")
		env.write(func(tx store.Tx) {
			store.Of[muster.Attachment]{Table: "principal"}.Put(tx, store.JoinKey("lamp", strings.Repeat("a", 64)), muster.Attachment{})
		})
		e := wantKind(t, "DeleteThing", env.DeleteThing(ctx, "lamp", nil), muster.Invalid)
		if want := "Cannot delete. Thing lamp is still attached to one or more principals"; e.Msg != want {
			t.Errorf("message %q, want %q", e.Msg, want)
		}
	})
	t.Run("its places in groups and types go with it (REG-28)", func(t *testing.T) {
		env := newEnv(t)
		_, err := env.CreateThingType(ctx, muster.ThingType{Name: "light"}, nil)
		noErr(t, "CreateThingType", err)
		env.createThing(muster.Thing{Name: "lamp", Type: "light"})
		env.group("lamps", "lamp")
		noErr(t, "DeleteThing", env.DeleteThing(ctx, "lamp", nil))
		if got := env.membersOf("lamps", true); len(got) != 0 {
			t.Errorf("the group still has %v", got)
		}
		if got := env.things(registry.ThingFilter{Type: "light"}); len(got) != 0 {
			t.Errorf("the type still has %v", got)
		}
		env.thing("lamp")
		if got := env.groupsOfThing("lamp"); len(got) != 0 {
			t.Errorf("a new thing of the name is in %v", got)
		}
	})
	t.Run("what is pending ends, history stays, a successor inherits nothing (REG-86)", func(t *testing.T) {
		env := newEnv(t)
		env.thing("lamp")
		env.job("done", "lamp")
		env.start("lamp")
		env.mustReport("lamp", "done", muster.Succeeded)
		env.job("queued", "lamp")
		env.told()
		noErr(t, "DeleteThing", env.DeleteThing(ctx, "lamp", nil))
		if got := env.counts("queued"); got.Of(muster.Removed) != 1 || got.Total() != 1 {
			t.Errorf("the pending execution is counted %v, want one REMOVED", got)
		}
		if got := env.counts("done"); got.Of(muster.Succeeded) != 1 || got.Total() != 1 {
			t.Errorf("the finished execution is counted %v, want one SUCCEEDED", got)
		}
		list, err := env.ExecutionsOfJob(ctx, "queued", 0, listing.Page{})
		if err != nil || len(list.Executions) != 1 || list.Executions[0].Thing != "lamp" {
			t.Errorf("ExecutionsOfJob = %+v, %v; want that of lamp", list, err)
		}
		_, err = env.ExecutionsOfThing(ctx, "lamp", jobs.ThingExecutions{}, listing.Page{})
		wantKind(t, "ExecutionsOfThing", err, muster.NotFound)
		first := "id-lamp" // as env.thing makes them
		if again := env.createThing(muster.Thing{Name: "lamp"}); again.ID == first {
			t.Errorf("the new thing has the id %s of the old one (REG-11)", again.ID)
		}
		if d := env.start("lamp"); d.Execution != nil {
			t.Errorf("the new thing is given %+v", d.Execution)
		}
	})
}

func (env *env) things(f registry.ThingFilter) []string {
	env.t.Helper()
	return env.pages(func(p listing.Page) ([]string, string, error) {
		list, err := env.ListThings(env.t.Context(), f, p)
		var names []string
		for _, t := range list.Things {
			names = append(names, string(t.Name))
		}
		return names, list.Next, err
	}, 0)
}

// pages walks through all pages of a list.
func (env *env) pages(list func(listing.Page) ([]string, string, error), limit int) []string {
	env.t.Helper()
	var all []string
	p := listing.Page{Limit: limit}
	for range 1000 {
		items, next, err := list(p)
		if err != nil {
			env.t.Fatalf("page %+v: %v", p, err)
		}
		all = append(all, items...)
		if p.Token = next; next == "" {
			return all
		}
	}
	env.t.Fatalf("the list never ends")
	return nil
}

func TestListThings(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	_, err := env.CreateThingType(ctx, muster.ThingType{Name: "light"}, nil)
	noErr(t, "CreateThingType", err)
	env.createThing(muster.Thing{Name: "d", Type: "light", Attributes: map[string]string{"color": "red"}})
	env.createThing(muster.Thing{Name: "b", Attributes: map[string]string{"color": "reddish"}})
	env.createThing(muster.Thing{Name: "a", Type: "light", Attributes: map[string]string{"color": "blue"}})
	env.createThing(muster.Thing{Name: "c", Type: "light"})
	value := func(s string) *string { return &s }
	for name, test := range map[string]struct {
		filter registry.ThingFilter
		want   []string
	}{
		"all by name (REG-17)":                    {registry.ThingFilter{}, []string{"a", "b", "c", "d"}},
		"an attribute's value (REG-29)":           {registry.ThingFilter{Attribute: "color", Value: value("red")}, []string{"d"}},
		"the beginning of a value (REG-29)":       {registry.ThingFilter{Attribute: "color", Value: value("red"), Prefix: true}, []string{"b", "d"}},
		"whoever has the attribute (REG-29)":      {registry.ThingFilter{Attribute: "color"}, []string{"a", "b", "d"}},
		"a type (REG-29)":                         {registry.ThingFilter{Type: "light"}, []string{"a", "c", "d"}},
		"a type and an attribute (REG-29)":        {registry.ThingFilter{Type: "light", Attribute: "color"}, []string{"a", "d"}},
		"a type and a value that differ":          {registry.ThingFilter{Type: "light", Attribute: "color", Value: value("reddish")}, nil},
		"an unknown type":                         {registry.ThingFilter{Type: "none"}, nil},
		"attribute names are case sensitive":      {registry.ThingFilter{Attribute: "Color"}, nil},
		"a prefix of nothing is any value at all": {registry.ThingFilter{Attribute: "color", Value: value(""), Prefix: true}, []string{"a", "b", "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := env.things(test.filter); !slices.Equal(got, test.want) {
				t.Errorf("ListThings(%+v) = %v, want %v", test.filter, got, test.want)
			}
		})
	}
	t.Run("a value without an attribute is refused", func(t *testing.T) {
		_, err := env.ListThings(ctx, registry.ThingFilter{Value: value("x")}, listing.Page{})
		wantKind(t, "ListThings", err, muster.Invalid)
	})
	t.Run("the index by type follows updates", func(t *testing.T) {
		noErr(t, "UpdateThing", env.UpdateThing(ctx, "c", muster.ThingUpdate{RemoveType: true}))
		noErr(t, "UpdateThing", env.UpdateThing(ctx, "b", muster.ThingUpdate{Type: "light"}))
		if got, want := env.things(registry.ThingFilter{Type: "light"}), []string{"a", "b", "d"}; !slices.Equal(got, want) {
			t.Errorf("things of the type are %v, want %v", got, want)
		}
	})
}
