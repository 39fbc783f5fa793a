package muster

import "slices"

// SearchableMax bounds the searchable attributes of one type.
const SearchableMax = 3

// ThingType describes a kind of thing (registry.md section 3). It is a value: rules
// return changed copies, and its slices are never changed in place.
type ThingType struct {
	Name                 TypeName
	ID                   string
	Description          string
	SearchableAttributes []string
	Propagating          []PropagatingAttribute // stored and returned; without effect
	CreatedAt            Instant
	DeprecatedAt         Instant // zero unless deprecated
}

// PropagatingAttribute is one entry of a type's mqtt5Configuration. An empty field
// was not given.
type PropagatingAttribute struct {
	UserPropertyKey, ThingAttribute, ConnectionAttribute string
}

// Check returns an Invalid error unless the name and the searchable attributes are
// valid.
func (t ThingType) Check() error {
	if !ValidThingName(string(t.Name)) {
		return Errorf(Invalid, "The thing type name %q is not 1 to %d of [a-zA-Z0-9:_-]", t.Name, ThingNameMax)
	}
	if n := len(t.SearchableAttributes); n > SearchableMax {
		return Errorf(Invalid, "Thing type %s would have %d searchable attributes; at most %d are allowed", t.Name, n, SearchableMax)
	}
	for _, name := range t.SearchableAttributes {
		if err := checkAttributeName(name); err != nil {
			return err
		}
	}
	return nil
}

// Same reports whether t and u have the same name and properties (registry.md
// REG-14). The order of attributes does not matter.
func (t ThingType) Same(u ThingType) bool {
	return t.Name == u.Name && t.Description == u.Description &&
		sameSet(t.SearchableAttributes, u.SearchableAttributes) && sameSet(t.Propagating, u.Propagating)
}

// sameSet reports whether two short lists hold the same elements.
func sameSet[E comparable](a, b []E) bool {
	within := func(all []E) func(E) bool {
		return func(e E) bool { return !slices.Contains(all, e) }
	}
	return !slices.ContainsFunc(a, within(b)) && !slices.ContainsFunc(b, within(a))
}

// TypeUpdate is a requested change of a thing type; nil fields stay as they are.
type TypeUpdate struct {
	Description          *string
	SearchableAttributes []string
	Propagating          []PropagatingAttribute
}

// Apply returns the type after u. It fails with Invalid.
func (t ThingType) Apply(u TypeUpdate) (ThingType, error) {
	if u.Description != nil {
		t.Description = *u.Description
	}
	if u.SearchableAttributes != nil {
		t.SearchableAttributes = u.SearchableAttributes
	}
	if u.Propagating != nil {
		t.Propagating = u.Propagating
	}
	return t, t.Check()
}

// Deprecate returns the type deprecated at the instant now. One that is deprecated
// already keeps its date.
func (t ThingType) Deprecate(now Instant) ThingType {
	if t.DeprecatedAt == 0 {
		t.DeprecatedAt = now
	}
	return t
}

// Undeprecate returns the type without its deprecation: things can be given it again.
func (t ThingType) Undeprecate() ThingType {
	t.DeprecatedAt = 0
	return t
}
