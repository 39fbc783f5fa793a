package registry

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
)

// teller tells of what becomes of things, types and groups (registry.md section
// 6.7).
type teller struct{ log *eventlog.Log }

// operation says what became of a record: old is nil for a new one, and now for
// one that is deleted.
func operation[T any](old, now *T) eventlog.Operation {
	switch {
	case old == nil:
		return eventlog.Created
	case now == nil:
		return eventlog.Deleted
	}
	return eventlog.Updated
}

// thing tells that a thing is created, updated or deleted, and that it has
// another type.
func (e teller) thing(tx *commit.Tx, old, now *muster.Thing) error {
	if old != nil && old.Type != "" && (now == nil || now.Type != old.Type) {
		if err := e.log.Tell(tx, eventlog.Event{Type: muster.EventThingTypeAssociation, Operation: eventlog.Removed, Thing: new(*old)}); err != nil {
			return err
		}
	}
	t := now
	if t == nil {
		t = old
	}
	if err := e.log.Tell(tx, eventlog.Event{Type: muster.EventThing, Operation: operation(old, now), Thing: new(*t)}); err != nil {
		return err
	}
	if now != nil && now.Type != "" && (old == nil || now.Type != old.Type) {
		return e.log.Tell(tx, eventlog.Event{Type: muster.EventThingTypeAssociation, Operation: eventlog.Added, Thing: new(*now)})
	}
	return nil
}

// thingType tells that a thing type is created, updated or deleted.
func (e teller) thingType(tx *commit.Tx, old, now *muster.ThingType) error {
	t := now
	if t == nil {
		t = old
	}
	return e.log.Tell(tx, eventlog.Event{Type: muster.EventThingType, Operation: operation(old, now), ThingType: new(*t)})
}

// group tells that a group is created, updated or deleted, and that it has
// its place in a hierarchy or no longer.
func (e teller) group(tx *commit.Tx, old, now *muster.Group) error {
	itself, err := e.log.Enabled(tx, muster.EventThingGroup)
	if err != nil {
		return err
	}
	place, err := e.log.Enabled(tx, muster.EventThingGroupHierarchy)
	if err != nil || (!itself && !place) {
		return err
	}
	g := now
	if g == nil {
		g = old
	}
	h := eventlog.Event{Type: muster.EventThingGroup, Operation: operation(old, now), Group: new(*g)}
	for _, name := range g.Path {
		above, err := thingGroup(tx, name)
		if err != nil {
			return err
		}
		h.Above = append(h.Above, above)
	}
	if err := e.log.Tell(tx, h); err != nil || g.Parent == "" || (old != nil && now != nil) {
		return err
	}
	h.Type, h.Operation = muster.EventThingGroupHierarchy, eventlog.Added
	if now == nil {
		h.Operation = eventlog.Removed
	}
	return e.log.Tell(tx, h)
}

// member tells that a thing joined a group or left it.
func (e teller) member(tx *commit.Tx, operation eventlog.Operation, name muster.ThingName, g muster.Group) error {
	if on, err := e.log.Enabled(tx, muster.EventThingGroupMembership); err != nil || !on {
		return err
	}
	t, err := tables.things.Get(tx, string(name))
	if err != nil || t == nil {
		return err
	}
	return e.log.Tell(tx, eventlog.Event{Type: muster.EventThingGroupMembership, Operation: operation, Thing: t, Group: &g})
}
