package service

import (
	"testing"

	"github.com/muster-iot/muster"
)

func TestTheRegistryIsToldOf(t *testing.T) {
	w := newWatch(t, muster.EventThing, muster.EventThingType, muster.EventThingTypeAssociation,
		muster.EventThingGroup, muster.EventThingGroupHierarchy, muster.EventThingGroupMembership)
	ctx := t.Context()

	_, err := w.CreateThingType(ctx, muster.ThingType{Name: "light"}, nil)
	w.must(err)
	_, err = w.CreateThingType(ctx, muster.ThingType{Name: "heat"}, nil)
	w.must(err)
	_, err = w.CreateThingType(ctx, muster.ThingType{Name: "heat"}, nil)
	w.must(err)
	w.want("after CreateThingType, twice of the same", "type light created", "type heat created")

	_, err = w.CreateThing(ctx, muster.Thing{Name: "lamp", Type: "light"})
	w.must(err)
	_, err = w.CreateThing(ctx, muster.Thing{Name: "lamp", Type: "light"})
	w.must(err)
	w.want("after CreateThing, twice of the same", "thing lamp created", "thing lamp of light added")
	w.must(w.UpdateThing(ctx, "lamp", muster.ThingUpdate{}))
	w.want("after UpdateThing of nothing", "thing lamp updated")
	w.must(w.UpdateThing(ctx, "lamp", muster.ThingUpdate{Type: "heat"}))
	w.want("after UpdateThing of the type", "thing lamp of light removed", "thing lamp updated", "thing lamp of heat added")

	w.group("house/room")
	w.want("after CreateThingGroup", "group house created", "group room created", "group room under house added")
	_, err = w.UpdateThingGroup(ctx, "room", muster.GroupUpdate{})
	w.must(err)
	w.want("after UpdateThingGroup", "group room updated")
	for range 2 {
		w.must(w.AddThingToThingGroup(ctx, "lamp", "room"))
	}
	w.want("after AddThingToThingGroup, twice", "thing lamp in room added")
	for range 2 {
		w.must(w.RemoveThingFromThingGroup(ctx, "lamp", "room"))
	}
	w.want("after RemoveThingFromThingGroup, twice", "thing lamp in room removed")

	w.must(w.AddThingToThingGroup(ctx, "lamp", "room"))
	w.must(w.DeleteThingGroup(ctx, "room", nil))
	w.want("after DeleteThingGroup", "thing lamp in room added", "thing lamp in room removed", "group room deleted", "group room under house removed")

	w.must(w.AddThingToThingGroup(ctx, "lamp", "house"))
	w.must(w.DeleteThing(ctx, "lamp", nil))
	w.want("after DeleteThing", "thing lamp in house added", "thing lamp in house removed", "thing lamp of heat removed", "thing lamp deleted")

	w.must(w.DeprecateThingType(ctx, "heat", false))
	w.must(w.DeleteThingType(ctx, "heat"))
	w.want("after DeprecateThingType and DeleteThingType", "type heat updated", "type heat deleted")
}

func TestOnlyTheRegistryEventsThatAreEnabledAreTold(t *testing.T) {
	for typ, want := range map[muster.EventType][]string{
		muster.EventThing:                {"thing lamp created"},
		muster.EventThingGroup:           {"group house created", "group room created"},
		muster.EventThingGroupHierarchy:  {"group room under house added"},
		muster.EventThingGroupMembership: {"thing lamp in room added"},
		muster.EventPolicy:               nil,
	} {
		t.Run(typ.String(), func(t *testing.T) {
			w := newWatch(t, typ)
			_, err := w.CreateThing(t.Context(), muster.Thing{Name: "lamp"})
			w.must(err)
			w.group("house/room", "lamp")
			w.want("after a thing and two groups", want...)
		})
	}
}
