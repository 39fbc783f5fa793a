package muster

import (
	"fmt"
	"slices"
	"testing"
)

func TestHierarchy(t *testing.T) {
	g, err := NewGroup("g1", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for level := 2; level <= GroupDepthMax; level++ {
		child := Group{Name: GroupName(fmt.Sprintf("g%d", level))}
		if g, err = child.Below(g, 0); err != nil {
			t.Fatalf("level %d: %v, want it allowed (REG-40)", level, err)
		}
	}
	if want := []GroupName{"g1", "g2", "g3", "g4", "g5", "g6"}; !slices.Equal(g.Path, want) || g.Parent != "g6" || g.Root() != "g1" {
		t.Errorf("the deepest group has path %v, parent %s, root %s; want %v, g6, g1 (REG-42)", g.Path, g.Parent, g.Root(), want)
	}
	if got, want := g.Lineage(), []GroupName{"g7", "g6", "g5", "g4", "g3", "g2", "g1"}; !slices.Equal(got, want) {
		t.Errorf("Lineage = %v, want %v", got, want)
	}
	_, err = Group{Name: "g8"}.Below(g, 0)
	wantInvalid(t, "an eighth level (REG-40)", err)

	root := Group{Name: "root"}
	if _, err = (Group{Name: "c"}).Below(root, 99); err != nil {
		t.Errorf("the hundredth child: %v, want it allowed (REG-40)", err)
	}
	_, err = Group{Name: "c"}.Below(root, 100)
	wantInvalid(t, "the child after the hundredth (REG-40)", err)
}

func TestGroupBelowLeavesTheParentAlone(t *testing.T) {
	parent := Group{Name: "p", Path: append(make([]GroupName, 0, 4), "root")}
	a, _ := Group{Name: "a"}.Below(parent, 0)
	b, _ := Group{Name: "b"}.Below(Group{Name: "q", Path: parent.Path}, 1)
	if a.Path[1] != "p" || b.Path[1] != "q" {
		t.Errorf("paths %v and %v share memory", a.Path, b.Path)
	}
}

func TestNewGroup(t *testing.T) {
	if _, err := NewGroup("g", "", many(50)); err != nil {
		t.Errorf("fifty attributes: %v, want them allowed (registry.md section 8)", err)
	}
	_, err := NewGroup("g", "", many(51))
	wantInvalid(t, "fifty-one attributes (registry.md section 8)", err)
	_, err = NewGroup("a b", "", nil)
	wantInvalid(t, "a name with a blank", err)
}

func TestGroupApply(t *testing.T) {
	g := Group{Name: "g", Description: "old", Attributes: attrs{"a": "1"}, Version: 2}
	text, two, zero := "", int64(2), int64(0)
	got, err := g.Apply(GroupUpdate{ExpectedVersion: &two, Attributes: AttributePayload{attrs{"b": "2"}, true}})
	if err != nil || got.Version != 3 || got.Description != "old" || len(got.Attributes) != 2 {
		t.Errorf("merging an attribute = %+v, %v; want version 3, the description kept, two attributes (REG-43)", got, err)
	}
	if got, err = g.Apply(GroupUpdate{Description: &text}); err != nil || got.Description != "" || len(got.Attributes) != 1 {
		t.Errorf("an empty description = %+v, %v; want it replaced (REG-43)", got, err)
	}
	_, err = g.Apply(GroupUpdate{ExpectedVersion: &zero})
	wantError(t, "an explicit zero (REG-13)", err, VersionConflict)
	_, err = g.Apply(GroupUpdate{Attributes: AttributePayload{Attributes: many(51)}})
	wantInvalid(t, "fifty-one attributes (REG-43)", err)
}

func TestSameGroup(t *testing.T) {
	g := Group{Name: "g", ID: "1", Parent: "p", Description: "d", Attributes: attrs{"a": "1"}, Version: 4}
	if same := (Group{Name: "g", Parent: "p", Description: "d", Attributes: attrs{"a": "1"}}); !g.Same(same) {
		t.Errorf("Same(%+v) = false, want true (REG-14)", same)
	}
	for name, other := range map[string]Group{
		"another parent":      {Name: "g", Description: "d", Attributes: attrs{"a": "1"}},
		"another description": {Name: "g", Parent: "p", Attributes: attrs{"a": "1"}},
		"other attributes":    {Name: "g", Parent: "p", Description: "d"},
	} {
		if g.Same(other) {
			t.Errorf("%s: Same(%+v) = true, want false (REG-14)", name, other)
		}
	}
}

func TestAdmit(t *testing.T) {
	var nine, ten []Group
	for i := range 10 {
		ten = append(ten, Group{Name: GroupName(fmt.Sprintf("other%d", i))})
	}
	nine = ten[:9]
	for name, test := range map[string]struct {
		group Group
		in    []Group
		ok    bool
	}{
		"the first group":                  {Group{Name: "a"}, nil, true},
		"the tenth group (REG-45)":         {Group{Name: "a"}, nine, true},
		"the eleventh group (REG-45)":      {Group{Name: "a"}, ten, false},
		"the parent of its group (REG-46)": {Group{Name: "a"}, []Group{{Name: "b", Parent: "a", Path: []GroupName{"a"}}}, false},
		"a child of its group (REG-46)":    {Group{Name: "b", Parent: "a", Path: []GroupName{"a"}}, []Group{{Name: "a"}}, false},
		"a cousin of its group (REG-46)":   {Group{Name: "c", Path: []GroupName{"a", "x"}}, []Group{{Name: "b", Path: []GroupName{"a", "y"}}}, false},
		"a group of another hierarchy":     {Group{Name: "c", Path: []GroupName{"a"}}, []Group{{Name: "d", Path: []GroupName{"z"}}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.group.Admit("lamp", test.in)
			if test.ok && err != nil {
				t.Errorf("Admit = %v, want nil", err)
			} else if !test.ok {
				wantInvalid(t, "Admit", err)
			}
		})
	}
}
