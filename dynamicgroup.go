package muster

// ThingIndex is the fleet index that the queries of dynamic groups search.
const ThingIndex = "AWS_Things"

// MembershipRule is the rule of a dynamic group (registry.md section 5): the things
// that match the query are its members.
type MembershipRule struct {
	Query    string
	Index    string // ThingIndex
	Version  string // of the query language; fleetquery.Version
	Building bool   // membership is incomplete: the query is still being evaluated for some things
}

// Same reports whether m and n select the same things.
func (m MembershipRule) Same(n MembershipRule) bool {
	return m.Query == n.Query && m.Index == n.Index && m.Version == n.Version
}

// Status returns the contract's word for whether membership is complete.
func (m MembershipRule) Status() string {
	if m.Building {
		return "BUILDING"
	}
	return "ACTIVE"
}

// IsDynamic reports whether a query decides which things are in the group.
func (g Group) IsDynamic() bool { return g.Dynamic != nil }

// Older reports whether g was created before h. Of groups created in the same
// millisecond, the first by name is the older one.
func (g Group) Older(h Group) bool {
	if g.CreatedAt != h.CreatedAt {
		return g.CreatedAt < h.CreatedAt
	}
	return g.Name < h.Name
}

// OnlyStatic returns an Invalid error for a dynamic group: its members are chosen by
// its query, and it has neither a hierarchy nor policies. what completes the error's
// sentence.
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
