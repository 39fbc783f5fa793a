package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

func (env *env) createGroup(in muster.Group, given ...muster.Tag) muster.Group {
	env.t.Helper()
	g, err := env.CreateThingGroup(env.t.Context(), in, given)
	if err != nil {
		env.t.Fatalf("CreateThingGroup(%+v): %v", in, err)
	}
	return g
}

func (env *env) groups(f registry.GroupFilter) []string {
	env.t.Helper()
	return env.pages(func(p listing.Page) ([]string, string, error) {
		list, err := env.ListThingGroups(env.t.Context(), f, p)
		return plain(list.Groups), list.Next, err
	}, 2)
}

func plain[S ~string](names []S) []string {
	var all []string
	for _, n := range names {
		all = append(all, string(n))
	}
	return all
}

func TestCreateThingGroup(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	root := env.createGroup(muster.Group{Name: "root", Description: "d", Attributes: map[string]string{"a": "1"}}, muster.Tag{Key: "k"})
	if root.Version != 1 || len(root.ID) != 36 || root.CreatedAt != testEpoch {
		t.Errorf("created %+v; want version 1, a UUID, now (REG-11, REG-12)", root)
	}
	mid := env.createGroup(muster.Group{Name: "mid", Parent: "root"})
	leaf := env.createGroup(muster.Group{Name: "leaf", Parent: "mid"})
	if !slices.Equal(mid.Path, []muster.GroupName{"root"}) || !slices.Equal(leaf.Path, []muster.GroupName{"root", "mid"}) {
		t.Errorf("paths are %v and %v; want root, and root mid (REG-42)", mid.Path, leaf.Path)
	}
	if got, err := env.DescribeThingGroup(ctx, "leaf"); err != nil || got.Parent != "mid" || got.ID != leaf.ID {
		t.Errorf("DescribeThingGroup = %+v, %v; want %+v", got, err, leaf)
	}
	if got := env.tags("thinggroup/root"); !slices.Equal(got, []muster.Tag{{Key: "k"}}) {
		t.Errorf("its tags are %v", got)
	}
	t.Run("the same again is the same group (REG-14)", func(t *testing.T) {
		if again := env.createGroup(muster.Group{Name: "mid", Parent: "root"}); again.ID != mid.ID {
			t.Errorf("id %s, want %s", again.ID, mid.ID)
		}
	})
	for name, test := range map[string]struct {
		in    muster.Group
		given []muster.Tag
		want  muster.Kind
	}{
		"another parent (REG-14)":                       {in: muster.Group{Name: "mid"}, want: muster.AlreadyExists},
		"other properties (REG-14)":                     {in: muster.Group{Name: "root"}, want: muster.AlreadyExists},
		"an unknown parent (REG-40)":                    {in: muster.Group{Name: "x", Parent: "none"}, want: muster.NotFound},
		"itself as parent":                              {in: muster.Group{Name: "x", Parent: "x"}, want: muster.NotFound},
		"too many attributes (registry.md section 8)":   {in: muster.Group{Name: "x", Attributes: attributesOf(51)}, want: muster.Invalid},
		"a reserved tag":                                {in: muster.Group{Name: "x"}, given: []muster.Tag{{Key: "aws:a"}}, want: muster.Invalid},
		"a name that is none (registry.md section 1.2)": {in: muster.Group{Name: "a/b"}, want: muster.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := env.CreateThingGroup(ctx, test.in, test.given)
			e := wantKind(t, "CreateThingGroup", err, test.want)
			if test.want != muster.AlreadyExists {
				return
			}
			want := fmt.Sprintf("Thing Group %s already exists in current account with different properties", test.in.Name)
			if e.Msg != want || e.ResourceID == "" || e.ResourceARN != testARN+"thinggroup/"+string(test.in.Name) {
				t.Errorf("error %q %q %q; want %q (REG-41)", e.Msg, e.ResourceID, e.ResourceARN, want)
			}
		})
	}
}

func TestLimitsOfTheHierarchy(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	env.group("g1/g2/g3/g4/g5/g6/g7")
	_, err := env.CreateThingGroup(ctx, muster.Group{Name: "g8", Parent: "g7"}, nil)
	wantKind(t, "an eighth level (REG-40)", err, muster.Invalid)
	for i := range 99 {
		env.createGroup(muster.Group{Name: muster.GroupName(fmt.Sprintf("c%d", i)), Parent: "g1"})
	}
	_, err = env.CreateThingGroup(ctx, muster.Group{Name: "c99", Parent: "g1"}, nil)
	wantKind(t, "the hundred and first child (REG-40)", err, muster.Invalid)
	noErr(t, "DeleteThingGroup", env.DeleteThingGroup(ctx, "c0", nil))
	env.createGroup(muster.Group{Name: "c99", Parent: "g1"})
}

func TestUpdateThingGroup(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	env.createGroup(muster.Group{Name: "g", Description: "old", Attributes: map[string]string{"a": "1"}})
	text := "new"
	got, err := env.UpdateThingGroup(ctx, "g", muster.GroupUpdate{ExpectedVersion: new(int64(1)), Description: &text})
	if err != nil || got.Version != 2 {
		t.Errorf("UpdateThingGroup = %+v, %v; want version 2 (REG-12)", got, err)
	}
	if got, err = env.DescribeThingGroup(ctx, "g"); err != nil || got.Description != "new" || len(got.Attributes) != 1 || got.Version != 2 {
		t.Errorf("DescribeThingGroup = %+v, %v (REG-43)", got, err)
	}
	_, err = env.UpdateThingGroup(ctx, "g", muster.GroupUpdate{ExpectedVersion: new(int64(1))})
	wantKind(t, "a version that is over (REG-13)", err, muster.VersionConflict)
	_, err = env.UpdateThingGroup(ctx, "none", muster.GroupUpdate{})
	wantKind(t, "no such group", err, muster.NotFound)
}

func TestDeleteThingGroup(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	env.thing("lamp")
	env.group("root/child", "lamp")
	noErr(t, "DeleteThingGroup of none (REG-44)", env.DeleteThingGroup(ctx, "none", nil))
	noErr(t, "DeleteThingGroup of none with a version", env.DeleteThingGroup(ctx, "none", new(int64(1))))
	e := wantKind(t, "DeleteThingGroup of a parent (REG-44)", env.DeleteThingGroup(ctx, "root", nil), muster.Invalid)
	if want := "Cannot delete thing group : root when there are still child groups attached to it"; e.Msg != want {
		t.Errorf("message %q, want %q", e.Msg, want)
	}
	wantKind(t, "DeleteThingGroup of another version", env.DeleteThingGroup(ctx, "child", new(int64(2))), muster.VersionConflict)
	noErr(t, "TagResource", env.TagResource(ctx, testARN+"thinggroup/child", []muster.Tag{{Key: "a"}}))

	noErr(t, "DeleteThingGroup with a thing inside (REG-44)", env.DeleteThingGroup(ctx, "child", new(int64(1))))
	_, err := env.DescribeThingGroup(ctx, "child")
	wantKind(t, "DescribeThingGroup", err, muster.NotFound)
	if got := env.groupsOfThing("lamp"); len(got) != 0 {
		t.Errorf("the thing is still in %v", got)
	}
	if got := env.membersOf("root", true); len(got) != 0 {
		t.Errorf("under the root there is still %v", got)
	}
	noErr(t, "DeleteThingGroup of the root", env.DeleteThingGroup(ctx, "root", nil))
	env.createGroup(muster.Group{Name: "child"})
	if got := env.tags("thinggroup/child"); len(got) != 0 {
		t.Errorf("a new group of the name has the tags %v", got)
	}
}

func TestAttachedPoliciesDoNotKeepAGroup(t *testing.T) {
	env := newEnv(t)
	env.group("g")
	env.write(func(tx store.Tx) {
		links("targetpolicy").Put(tx, store.JoinKey("thinggroup/g", "p"), store.Link{})
		links("policytarget").Put(tx, store.JoinKey("p", "thinggroup/g"), store.Link{})
	})
	noErr(t, "DeleteThingGroup (REG-44)", env.DeleteThingGroup(t.Context(), "g", nil))
	err := env.Commits.View(t.Context(), func(r store.Reader) error {
		left, err := links("policytarget").AnyUnder(r, "p")
		if left {
			t.Error("the policy is still attached to the group")
		}
		return err
	})
	noErr(t, "view", err)
}

func TestListThingGroups(t *testing.T) {
	env := newEnv(t)
	for _, path := range []string{"m/b/a", "m/b/y", "m/z/bb", "n", "bc"} {
		env.group(path)
	}
	for name, test := range map[string]struct {
		filter registry.GroupFilter
		want   string
	}{
		"all, by name (REG-52)":                  {registry.GroupFilter{}, "a b bb bc m n y z"},
		"only roots (REG-52)":                    {registry.GroupFilter{Direct: true}, "bc m n"},
		"a prefix (REG-52)":                      {registry.GroupFilter{Prefix: "b"}, "b bb bc"},
		"roots with a prefix":                    {registry.GroupFilter{Prefix: "b", Direct: true}, "bc"},
		"all below a parent, by level (REG-52)":  {registry.GroupFilter{Parent: "m"}, "b z a bb y"},
		"the children of a parent (REG-52)":      {registry.GroupFilter{Parent: "m", Direct: true}, "b z"},
		"below a parent, with a prefix (REG-52)": {registry.GroupFilter{Parent: "m", Prefix: "b"}, "b bb"},
		"children with a prefix":                 {registry.GroupFilter{Parent: "m", Prefix: "b", Direct: true}, "b"},
		"below a group in the middle":            {registry.GroupFilter{Parent: "b"}, "a y"},
		"a parent without children":              {registry.GroupFilter{Parent: "n"}, ""},
		"a prefix that nothing has":              {registry.GroupFilter{Prefix: "q"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(env.groups(test.filter), " "); got != test.want {
				t.Errorf("ListThingGroups(%+v) = %s, want %s", test.filter, got, test.want)
			}
		})
	}
	_, err := env.ListThingGroups(t.Context(), registry.GroupFilter{Parent: "none"}, listing.Page{})
	wantKind(t, "an unknown parent", err, muster.NotFound)
}

func TestGroupBelowWalksAHierarchy(t *testing.T) {
	env := newEnv(t)
	for _, path := range []string{"m/b/a", "m/z/bb", "other"} {
		env.group(path)
	}
	for name, test := range map[string]struct{ current, want string }{
		"after the root its children":            {"m", "b"},
		"after a child its sibling":              {"b", "z"},
		"after the last child the grandchildren": {"z", "a"},
		"then their cousins":                     {"a", "bb"},
		"after the last nothing":                 {"bb", ""},
		"a group that is gone: from the start":   {"gone", "m"},
		"a group elsewhere: from the start":      {"other", "m"},
	} {
		t.Run(name, func(t *testing.T) {
			noErr(t, "view", env.Commits.View(t.Context(), func(r store.Reader) error {
				got, err := registry.Lookup{}.GroupBelow(r, "m", test.current)
				if got != test.want {
					t.Errorf("GroupBelow(m, %s) = %q, want %q", test.current, got, test.want)
				}
				return err
			}))
		})
	}
	noErr(t, "view", env.Commits.View(t.Context(), func(r store.Reader) error {
		if got, err := (registry.Lookup{}).GroupBelow(r, "gone", "gone"); got != "" && err == nil {
			t.Errorf("below a root that is gone comes %q, want nothing", got)
		}
		return nil
	}))
}
