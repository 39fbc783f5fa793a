package muster

import "testing"

func TestOlderGroups(t *testing.T) {
	a, b := Group{Name: "a", CreatedAt: 5}, Group{Name: "b", CreatedAt: 5}
	c := Group{Name: "c", CreatedAt: 4}
	if !a.Older(b) || b.Older(a) || !c.Older(a) || a.Older(a) {
		t.Error("groups are ordered by their creation, then by name")
	}
}

func TestDynamicGroupsAreTheSameWithTheSameQuery(t *testing.T) {
	dynamic := func(query string, building bool) Group {
		return Group{Name: "g", Dynamic: &MembershipRule{Query: query, Index: ThingIndex, Building: building}}
	}
	if !dynamic("*", true).Same(dynamic("*", false)) {
		t.Error("that members are still looked for makes no other group")
	}
	if dynamic("*", false).Same(dynamic("a", false)) || dynamic("*", false).Same(Group{Name: "g"}) || (Group{Name: "g"}).Same(dynamic("*", false)) {
		t.Error("another query, or none, makes another group")
	}
}

func TestDynamicGroupsDoNotCountAgainstTheLimit(t *testing.T) {
	var in []Group
	for i := range 2 * GroupsPerThingMax {
		in = append(in, Group{Name: GroupName(rune('a' + i)), Dynamic: &MembershipRule{}})
	}
	if err := (Group{Name: "static"}).Admit("thing", in); err != nil {
		t.Errorf("Admit of a thing in %d dynamic groups: %v", len(in), err)
	}
}
