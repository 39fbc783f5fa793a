package muster

// ThingIndex is the index that dynamic groups ask.
const ThingIndex = "AWS_Things"

// MembershipRule is the rule of a dynamic group (registry.md section 5): the things
// that match the query are its members.
type MembershipRule struct {
	Query    string
	Index    string // ThingIndex
	Version  string // of the query language
	Building bool   // membership is incomplete: things are still being looked at
}

// Same reports whether m and n have the same members.
func (m MembershipRule) Same(n MembershipRule) bool {
	return m.Query == n.Query && m.Index == n.Index && m.Version == n.Version
}

// Status returns the contract's word for how far the membership is.
func (m MembershipRule) Status() string {
	if m.Building {
		return "BUILDING"
	}
	return "ACTIVE"
}

// IsDynamic reports whether things are in the group because they match a query.
func (g Group) IsDynamic() bool { return g.Dynamic != nil }

// Older reports whether g was made before h; of those made in one millisecond
// the first by name counts as the older.
func (g Group) Older(h Group) bool {
	if g.CreatedAt != h.CreatedAt {
		return g.CreatedAt < h.CreatedAt
	}
	return g.Name < h.Name
}

// OnlyStatic returns an Invalid error for a dynamic group, whose members are
// chosen by its query and which has no hierarchy and no policies.
func (g Group) OnlyStatic(what string) error {
	if !g.IsDynamic() {
		return nil
	}
	return Errorf(Invalid, "Thing group %s is a dynamic group: %s", g.Name, what)
}

// OnlyDynamic returns an Invalid error for a static group.
func (g Group) OnlyDynamic() error {
	if g.IsDynamic() {
		return nil
	}
	return Errorf(Invalid, "Thing group %s is not a dynamic group", g.Name)
}
