package muster

import "maps"

// Thing is a device in the registry (registry.md section 2). It is a value: rules
// return changed copies, and Attributes is never changed in place.
type Thing struct {
	Name       ThingName
	ID         string // differs between things that had the same name one after the other
	Type       TypeName
	Attributes map[string]string // nil when empty
	Version    int64             // from 1; each update of the thing adds 1
	CreatedAt  Instant
}

// NewThing returns a thing at version 1. It fails with Invalid for a malformed name
// or attributes. Attributes with an empty value are dropped (registry.md REG-23).
func NewThing(name ThingName, typ TypeName, attributes map[string]string) (Thing, error) {
	t := Thing{Name: name, Type: typ, Version: 1}
	if !ValidThingName(string(name)) {
		return t, Errorf(Invalid, "The thing name %q is not 1 to %d of [a-zA-Z0-9:_-]", name, ThingNameMax)
	}
	var err error
	if t.Attributes, err = (AttributePayload{Attributes: attributes}).Apply(nil); err != nil {
		return t, err
	}
	return t, t.checkAttributes()
}

// Same reports whether t and u have the same configuration, so that creating t when
// u exists succeeds and changes nothing (registry.md REG-14).
func (t Thing) Same(u Thing) bool {
	return t.Name == u.Name && t.Type == u.Type && maps.Equal(t.Attributes, u.Attributes)
}

// ThingUpdate is a requested change of a thing.
type ThingUpdate struct {
	ExpectedVersion *int64   // the optimistic lock; nil means no check
	Type            TypeName // empty keeps the type
	RemoveType      bool
	Attributes      AttributePayload
}

// Apply returns the thing after u. Its version grows even when nothing changed
// (registry.md REG-12). It fails with VersionConflict or Invalid. The caller must
// check that the new type exists.
func (t Thing) Apply(u ThingUpdate) (Thing, error) {
	if u.RemoveType && u.Type != "" {
		return t, Errorf(Invalid, "thingTypeName and removeThingType cannot be used together")
	}
	if err := checkVersion("Thing "+string(t.Name), t.Version, u.ExpectedVersion); err != nil {
		return t, err
	}
	attributes, err := u.Attributes.Apply(t.Attributes)
	if err != nil {
		return t, err
	}
	t.Attributes = attributes
	t.Version++
	switch {
	case u.RemoveType:
		t.Type = ""
	case u.Type != "":
		t.Type = u.Type
	}
	return t, t.checkAttributes()
}

// Had reports whether x, an execution for a thing with the name of t, was for t
// itself; it reports false for nil. An execution that was queued, or had ended, before
// t was created was for an earlier thing of the same name, whose pending executions
// ended when it was deleted (registry.md REG-86).
func (t Thing) Had(x *Execution) bool {
	return x != nil && (!x.Status.Terminal() || min(x.QueuedAt, x.UpdatedAt) >= t.CreatedAt)
}

// CheckVersion fails with VersionConflict unless expected is nil or the version of t.
func (t Thing) CheckVersion(expected *int64) error {
	return checkVersion("Thing "+string(t.Name), t.Version, expected)
}

// checkAttributes applies the limits of registry.md REG-21.
func (t Thing) checkAttributes() error {
	switch n := len(t.Attributes); {
	case n > AttributesMax:
		return Errorf(Invalid, "Thing %s would have %d attributes; at most %d are allowed", t.Name, n, AttributesMax)
	case t.Type == "" && n > UntypedAttributesMax:
		return Errorf(Invalid, "Thing %s would have %d attributes; at most %d are allowed without a thing type",
			t.Name, n, UntypedAttributesMax)
	}
	return nil
}

// checkVersion is the optimistic lock of the registry (registry.md REG-13).
func checkVersion(who string, version int64, expected *int64) error {
	if expected != nil && *expected != version {
		return Errorf(VersionConflict, "%s is at version %d, not at the expected version %d", who, version, *expected)
	}
	return nil
}
