package muster

// Thing is a device as the registry knows it (registry.md section 2).
type Thing struct {
	Name       ThingName
	ID         string // a new one each time a thing of this name is created
	Type       TypeName
	Attributes map[string]string
	Version    int64 // from 1, rising with each update of the thing
	CreatedAt  Instant
}

// ThingType describes a kind of thing (registry.md section 3).
type ThingType struct {
	Name                 TypeName
	ID                   string
	Description          string
	SearchableAttributes []string
	Propagating          []PropagatingAttribute // stored and returned, not acted on
	CreatedAt            Instant
	DeprecatedAt         Instant // zero unless deprecated
}

// PropagatingAttribute is one entry of a type's mqtt5Configuration.
type PropagatingAttribute struct {
	UserPropertyKey, ThingAttribute, ConnectionAttribute string
}

// Group is a static thing group (registry.md section 4).
type Group struct {
	Name        GroupName
	ID          string
	Parent      GroupName   // empty for a root
	Path        []GroupName // from the root down to the parent; empty for a root
	Description string
	Attributes  map[string]string
	Version     int64
	CreatedAt   Instant
	// HasProperties tells a group created with thingGroupProperties {} from one
	// without.
	HasProperties bool
}

// Root returns the top of the group's hierarchy: itself when it has no parent.
func (g Group) Root() GroupName {
	if len(g.Path) > 0 {
		return g.Path[0]
	}
	return g.Name
}

// Lineage returns the group and all its ancestors, itself first.
func (g Group) Lineage() []GroupName {
	names := make([]GroupName, 0, len(g.Path)+1)
	names = append(names, g.Name)
	for i := len(g.Path) - 1; i >= 0; i-- {
		names = append(names, g.Path[i])
	}
	return names
}

// Tag is one tag of a resource (registry.md section 6.4).
type Tag struct{ Key, Value string }
