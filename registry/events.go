package registry

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
)

// teller writes the events of things, types and groups into the event log
// (registry.md section 6.7). Every old and now is the record before and after the
// change: nil for one that is created or deleted.
type teller struct{ log *eventlog.Log }

// operation returns what happened to a record.
func operation[T any](old, now *T) eventlog.Operation {
	switch {
	case old == nil:
		return eventlog.Created
	case now == nil:
		return eventlog.Deleted
	}
	return eventlog.Updated
}

// thing writes that a thing was created, updated or deleted, and the changes of its
// type: the loss of the old type comes before, the new type after.
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

// thingType writes that a thing type was created, updated or deleted.
func (e teller) thingType(tx *commit.Tx, old, now *muster.ThingType) error {
	t := now
	if t == nil {
		t = old
	}
	return e.log.Tell(tx, eventlog.Event{Type: muster.EventThingType, Operation: operation(old, now), ThingType: new(*t)})
}

// group writes that a group was created, updated or deleted and, for a child group,
// that it was added to its hierarchy or removed from it.
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

// member writes that a thing joined a group (Added) or left it (Removed).
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
