package muster

import "slices"

// SearchableMax bounds the searchable attributes of one type.
const SearchableMax = 3

// ThingType describes a kind of thing (registry.md section 3). It is a value:
// rules return changed copies, and nobody changes its slices in place.
type ThingType struct {
	Name                 TypeName
	ID                   string
	Description          string
	SearchableAttributes []string
	Propagating          []PropagatingAttribute // stored and returned, not acted on
	CreatedAt            Instant
	DeprecatedAt         Instant // zero unless deprecated
}

// PropagatingAttribute is one entry of a type's mqtt5Configuration; what is
// empty was not given.
type PropagatingAttribute struct {
	UserPropertyKey, ThingAttribute, ConnectionAttribute string
}

// Check returns an Invalid error unless the registry may have such a type.
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

// Same reports whether t and u have the same name and properties, in whatever
// order their attributes are listed (registry.md REG-14).
func (t ThingType) Same(u ThingType) bool {
	return t.Name == u.Name && t.Description == u.Description &&
		sameSet(t.SearchableAttributes, u.SearchableAttributes) && sameSet(t.Propagating, u.Propagating)
}

// sameSet reports whether two lists, which are short, hold the same elements.
func sameSet[E comparable](a, b []E) bool {
	within := func(all []E) func(E) bool {
		return func(e E) bool { return !slices.Contains(all, e) }
	}
	return !slices.ContainsFunc(a, within(b)) && !slices.ContainsFunc(b, within(a))
}

// TypeUpdate is a change that somebody asks of a thing type; what is nil stays.
type TypeUpdate struct {
	Description          *string
	SearchableAttributes []string
	Propagating          []PropagatingAttribute
}

// Apply returns the type that u makes of t. It fails with Invalid.
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

// Deprecate returns the type deprecated since now, or since it first was.
func (t ThingType) Deprecate(now Instant) ThingType {
	if t.DeprecatedAt == 0 {
		t.DeprecatedAt = now
	}
	return t
}

// Undeprecate returns the type as one that things may be given again.
func (t ThingType) Undeprecate() ThingType {
	t.DeprecatedAt = 0
	return t
}
