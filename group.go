package muster

import (
	"maps"
	"slices"
)

// The limits of the group hierarchy (registry.md section 8).
const (
	GroupDepthMax     = 7   // levels, the root included
	ChildrenMax       = 100 // direct children of one group
	GroupsPerThingMax = 10  // direct memberships of one thing
)

// Group is a thing group (registry.md section 4): a static one, or a dynamic one
// (section 5), which is always a root without children. It is a value: rules return
// changed copies, and Path, PathIDs, Attributes and Dynamic are never changed in
// place.
type Group struct {
	Name        GroupName
	ID          string
	Parent      GroupName   // empty for a root
	Path        []GroupName // from the root down to the parent; empty for a root
	PathIDs     []string    `json:",omitempty"` // the IDs of the groups in Path
	Description string
	Attributes  map[string]string // nil when empty
	Version     int64             // from 1; each update of the group adds 1
	CreatedAt   Instant
	Dynamic     *MembershipRule `json:",omitempty"` // nil for a static group
}

// NewGroup returns a root group at version 1; Below gives it a parent. It fails with
// Invalid for a malformed name or attributes. Attributes with an empty value are
// dropped.
func NewGroup(name GroupName, description string, attributes map[string]string) (Group, error) {
	g := Group{Name: name, Description: description, Version: 1}
	if !ValidThingName(string(name)) {
		return g, Errorf(Invalid, "The thing group name %q is not 1 to %d of [a-zA-Z0-9:_-]", name, ThingNameMax)
	}
	var err error
	if g.Attributes, err = (AttributePayload{Attributes: attributes}).Apply(nil); err != nil {
		return g, err
	}
	return g, g.checkAttributes()
}

// Below returns the group as a child of parent, which already has that many children.
// It fails with Invalid when the hierarchy would become too deep or too wide
// (registry.md REG-40).
func (g Group) Below(parent Group, children int) (Group, error) {
	if err := parent.OnlyStatic("it cannot have child groups"); err != nil {
		return g, err
	}
	g.Parent = parent.Name
	g.Path = append(slices.Clone(parent.Path), parent.Name)
	g.PathIDs = append(slices.Clone(parent.PathIDs), parent.ID)
	if len(g.Path) >= GroupDepthMax {
		return g, Errorf(Invalid, "Thing group %s would be at level %d below %s; a hierarchy has at most %d levels",
			g.Name, len(g.Path)+1, g.Path[0], GroupDepthMax)
	}
	if children >= ChildrenMax {
		return g, Errorf(Invalid, "Thing group %s has %d child groups, the most it may have", parent.Name, children)
	}
	return g, nil
}

// Same reports whether g and h have the same name, parent, query and properties
// (registry.md REG-14).
func (g Group) Same(h Group) bool {
	if g.IsDynamic() != h.IsDynamic() || g.IsDynamic() && !g.Dynamic.Same(*h.Dynamic) {
		return false
	}
	return g.Name == h.Name && g.Parent == h.Parent && g.Description == h.Description && maps.Equal(g.Attributes, h.Attributes)
}

// GroupUpdate is a requested change of a group.
type GroupUpdate struct {
	ExpectedVersion *int64  // the optimistic lock; nil means no check
	Description     *string // nil keeps it
	Attributes      AttributePayload
	Dynamic         *MembershipRule // nil keeps it; only for a dynamic group
}

// Apply returns the group after u. Its version grows even when nothing changed
// (registry.md REG-12). It fails with VersionConflict or Invalid.
func (g Group) Apply(u GroupUpdate) (Group, error) {
	if err := g.CheckVersion(u.ExpectedVersion); err != nil {
		return g, err
	}
	attributes, err := u.Attributes.Apply(g.Attributes)
	if err != nil {
		return g, err
	}
	g.Attributes = attributes
	g.Version++
	if u.Description != nil {
		g.Description = *u.Description
	}
	if u.Dynamic != nil {
		g.Dynamic = u.Dynamic
	}
	return g, g.checkAttributes()
}

// CheckVersion fails with VersionConflict unless expected is nil or the version of g.
func (g Group) CheckVersion(expected *int64) error {
	return checkVersion("Thing group "+string(g.Name), g.Version, expected)
}

// Admit returns an Invalid error unless thing, which is in the groups in, may also
// join g: at most 10 groups, and no two of the same hierarchy (registry.md REG-45
// and REG-46). g must not be one of in. Dynamic groups do not count, since nobody
// puts things into them (section 8).
func (g Group) Admit(thing ThingName, in []Group) error {
	static := 0
	for _, other := range in {
		if other.IsDynamic() {
			continue
		}
		static++
		if other.Root() == g.Root() {
			return Errorf(Invalid, "Thing %s cannot join thing group %s: it is in %s, of the same hierarchy", thing, g.Name, other.Name)
		}
	}
	if static >= GroupsPerThingMax {
		return Errorf(Invalid, "Thing %s cannot join thing group %s: it is in %d groups, the most it may be in", thing, g.Name, static)
	}
	return nil
}

// Root returns the top of the group's hierarchy: itself when it has no parent.
func (g Group) Root() GroupName {
	if len(g.Path) > 0 {
		return g.Path[0]
	}
	return g.Name
}

// Lineage returns the names of the group and all its ancestors, from the group up.
func (g Group) Lineage() []GroupName {
	names := make([]GroupName, 0, len(g.Path)+1)
	names = append(names, g.Name)
	for _, above := range slices.Backward(g.Path) {
		names = append(names, above)
	}
	return names
}

// LineageIDs returns the IDs of the group and all its ancestors, from the group up.
func (g Group) LineageIDs() []string {
	ids := append(slices.Clone(g.PathIDs), g.ID)
	slices.Reverse(ids)
	return ids
}

func (g Group) checkAttributes() error {
	if n := len(g.Attributes); n > AttributesMax {
		return Errorf(Invalid, "Thing group %s would have %d attributes; at most %d are allowed", g.Name, n, AttributesMax)
	}
	return nil
}
