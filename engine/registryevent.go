package engine

import (
	"github.com/muster-iot/muster"
)

// The operations of the registry's events (registry.md section 6.7); Deleted is
// one more.
const (
	Created = "created"
	Updated = "updated"
	Added   = "added"
	Removed = "removed"
)

// operation says what became of a record: old is nil for a new one, and now for
// one that is deleted.
func operation[T any](old, now *T) string {
	switch {
	case old == nil:
		return Created
	case now == nil:
		return Deleted
	}
	return Updated
}

// tellThing tells that a thing is created, updated or deleted, and that it has
// another type.
func (b *batch) tellThing(old, now *muster.Thing) error {
	if old != nil && old.Type != "" && (now == nil || now.Type != old.Type) {
		if err := b.tell(Happening{Type: muster.EventThingTypeAssociation, Operation: Removed, Thing: new(*old)}); err != nil {
			return err
		}
	}
	t := now
	if t == nil {
		t = old
	}
	if err := b.tell(Happening{Type: muster.EventThing, Operation: operation(old, now), Thing: new(*t)}); err != nil {
		return err
	}
	if now != nil && now.Type != "" && (old == nil || now.Type != old.Type) {
		return b.tell(Happening{Type: muster.EventThingTypeAssociation, Operation: Added, Thing: new(*now)})
	}
	return nil
}

// tellType tells that a thing type is created, updated or deleted.
func (b *batch) tellType(old, now *muster.ThingType) error {
	t := now
	if t == nil {
		t = old
	}
	return b.tell(Happening{Type: muster.EventThingType, Operation: operation(old, now), ThingType: new(*t)})
}

// tellGroup tells that a group is created, updated or deleted, and that it has
// its place in a hierarchy or no longer.
func (b *batch) tellGroup(old, now *muster.Group) error {
	itself, err := b.enabled(muster.EventThingGroup)
	if err != nil {
		return err
	}
	place, err := b.enabled(muster.EventThingGroupHierarchy)
	if err != nil || (!itself && !place) {
		return err
	}
	g := now
	if g == nil {
		g = old
	}
	h := Happening{Type: muster.EventThingGroup, Operation: operation(old, now), Group: new(*g)}
	for _, name := range g.Path {
		above, err := thingGroup(b, name)
		if err != nil {
			return err
		}
		h.Above = append(h.Above, above)
	}
	if err := b.tell(h); err != nil || g.Parent == "" || (old != nil && now != nil) {
		return err
	}
	h.Type, h.Operation = muster.EventThingGroupHierarchy, Added
	if now == nil {
		h.Operation = Removed
	}
	return b.tell(h)
}

// tellMember tells that a thing joined a group or left it.
func (b *batch) tellMember(operation string, name muster.ThingName, g muster.Group) error {
	if on, err := b.enabled(muster.EventThingGroupMembership); err != nil || !on {
		return err
	}
	t, err := things.Get(b, string(name))
	if err != nil || t == nil {
		return err
	}
	return b.tell(Happening{Type: muster.EventThingGroupMembership, Operation: operation, Thing: t, Group: &g})
}
