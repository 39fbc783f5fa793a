package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// CreateThingGroup makes a static group of which in gives the name, the parent
// and the properties (registry.md section 4). One that exists with the same of
// each is returned as it is, and the tags are not looked at. It fails with
// Invalid, NotFound (the parent), LimitExceeded (tags) or AlreadyExists.
func (e *Engine) CreateThingGroup(ctx context.Context, in muster.Group, given []muster.Tag) (muster.Group, error) {
	asked, err := muster.NewGroup(in.Name, in.Description, in.Attributes)
	if err != nil {
		return asked, err
	}
	asked.Parent = in.Parent
	labels, err := muster.Retag(nil, given)
	if err != nil {
		return asked, err
	}
	return do(ctx, e, func(b *batch) (g muster.Group, err error) {
		old, err := groups.Get(b, string(asked.Name))
		if err != nil {
			return g, err
		}
		if old != nil {
			g = *old
			return g, e.sameGroup(g, asked)
		}
		if g, err = b.placed(asked); err != nil {
			return g, err
		}
		g.ID, g.CreatedAt = e.o.NewID(), b.Now
		groups.Put(b, string(g.Name), g)
		groupIDs.Put(b, g.ID, g.Name)
		for levels, above := range g.Lineage() {
			below.Put(b, belowKey(above, levels, g.Name), link{})
		}
		b.putTags(kindGroup, string(g.Name), labels)
		return g, b.tellGroup(nil, &g)
	})
}

// placed returns g with its place in the hierarchy.
func (b *batch) placed(g muster.Group) (muster.Group, error) {
	if g.Parent == "" {
		return g, nil
	}
	parent, err := thingGroup(b, g.Parent)
	if err != nil {
		return g, err
	}
	siblings := 0
	from, to := store.Under(string(parent.Name), "1")
	for _, err := range below.Scan(b, from, to) {
		if err != nil {
			return g, err
		}
		siblings++
	}
	return g.Below(parent, siblings)
}

func (e *Engine) sameGroup(old, asked muster.Group) error {
	if old.Same(asked) {
		return nil
	}
	err := muster.Errorf(muster.AlreadyExists, "Thing Group %s already exists in current account with different properties", old.Name)
	err.ResourceID, err.ResourceARN = old.ID, e.o.Account.ARN(kindGroup, string(old.Name))
	return err
}

// DescribeThingGroup returns a group, or fails with NotFound.
func (e *Engine) DescribeThingGroup(ctx context.Context, name muster.GroupName) (muster.Group, error) {
	var g muster.Group
	err := e.view(ctx, func(r store.Reader) (err error) {
		g, err = thingGroup(r, name)
		return err
	})
	return g, err
}

// UpdateThingGroup changes a group and returns it as it is then. It fails with
// NotFound, VersionConflict or Invalid.
func (e *Engine) UpdateThingGroup(ctx context.Context, name muster.GroupName, u muster.GroupUpdate) (muster.Group, error) {
	return do(ctx, e, func(b *batch) (g muster.Group, err error) {
		old, err := thingGroup(b, name)
		if err != nil {
			return g, err
		}
		if err := old.OnlyStatic("it is changed with UpdateDynamicThingGroup"); err != nil {
			return g, err
		}
		if g, err = old.Apply(u); err != nil {
			return g, err
		}
		groups.Put(b, string(name), g)
		return g, b.tellGroup(&old, &g)
	})
}

// DeleteThingGroup removes a group, or succeeds when there is none. Its things
// have left it when DeleteThingGroup returns; for their continuous jobs those
// of a large group leave in the background (registry.md REG-44 and REG-87). It
// fails with VersionConflict, or Invalid while there are child groups.
func (e *Engine) DeleteThingGroup(ctx context.Context, name muster.GroupName, expected *int64) error {
	return e.do(ctx, func(b *batch) error {
		g, err := groups.Get(b, string(name))
		if err != nil || g == nil {
			return err
		}
		if err := g.OnlyStatic("it is deleted with DeleteDynamicThingGroup"); err != nil {
			return err
		}
		if err := g.CheckVersion(expected); err != nil {
			return err
		}
		if parent, err := anyUnder(b, below, string(name), "1"); err != nil {
			return err
		} else if parent {
			return muster.Errorf(muster.Invalid, "Cannot delete thing group : %s when there are still child groups attached to it", name)
		}
		return b.removeGroup(*g)
	})
}

// removeGroup removes a group that nothing forbids to remove.
func (b *batch) removeGroup(g muster.Group) error {
	groups.Delete(b, string(g.Name))
	groupIDs.Delete(b, g.ID)
	for levels, above := range g.Lineage() {
		below.Delete(b, belowKey(above, levels, g.Name))
	}
	b.putTags(kindGroup, string(g.Name), nil)
	if err := b.dropPolicies(g); err != nil {
		return err
	}
	b.Wake(0)
	leaving.Put(b, g.ID, departure{Group: g.Name, IDs: g.LineageIDs()})
	if err := b.depart(g.ID, departMax); err != nil {
		return err
	}
	return b.tellGroup(&g, nil)
}

// GroupFilter chooses groups; its zero fields choose all.
type GroupFilter struct {
	Parent muster.GroupName // groups below it
	Prefix string           // groups whose names begin so
	Direct bool             // only children of Parent, or without one only roots
}

// GroupList is a page of the names of groups.
type GroupList struct {
	Groups []muster.GroupName
	Next   string // token of the next page; empty on the last
}

// afterNames sorts behind every character of a name.
const afterNames = "\x7f"

// ListThingGroups lists groups by name, those below a parent level by level
// (registry.md REG-52). It fails with NotFound when there is no such parent.
func (e *Engine) ListThingGroups(ctx context.Context, f GroupFilter, p Page) (GroupList, error) {
	var list GroupList
	l, err := e.listing(p, "thing groups", f)
	if err != nil {
		return list, err
	}
	err = e.view(ctx, func(r store.Reader) error {
		if f.Parent == "" {
			rows := groups.Scan(r, l.from(f.Prefix), f.Prefix+afterNames)
			list.Groups, list.Next, err = fill(l, rows, func(row store.Row[muster.Group]) (muster.GroupName, bool, error) {
				return row.Value.Name, !f.Direct || row.Value.Parent == "", nil
			})
			return err
		}
		if _, err := thingGroup(r, f.Parent); err != nil {
			return err
		}
		from, to := f.below()
		list.Groups, list.Next, err = fill(l, below.Scan(r, l.from(from), to), func(row store.Row[link]) (muster.GroupName, bool, error) {
			name := store.SplitKey(row.Key)[2]
			return muster.GroupName(name), strings.HasPrefix(name, f.Prefix), nil
		})
		return err
	})
	return list, err
}

// below returns the bounds in the table below of what f may choose.
func (f GroupFilter) below() (from, to string) {
	if f.Direct {
		from = store.JoinKey(string(f.Parent), "1", f.Prefix)
		return from, from + afterNames
	}
	_, to = store.Under(string(f.Parent))
	return store.JoinKey(string(f.Parent), "1"), to
}

// belowKey is the key in below of a group and one so many levels above it,
// itself at level 0. Levels are one digit, so keys sort by level, then by name.
func belowKey(above muster.GroupName, levels int, g muster.GroupName) string {
	return store.JoinKey(string(above), strconv.Itoa(levels), string(g))
}

// groupBelow returns the group that follows current in the hierarchy under
// root, itself first: level by level, by name in each. It is "" at the end.
// When current is not under root any more it begins again at root, and when root
// itself is gone that is the end.
func groupBelow(r store.Reader, root, current string) (string, error) {
	g, err := groups.Get(r, current)
	if err != nil {
		return "", err
	}
	if g == nil {
		g = &muster.Group{}
	}
	levels := slices.Index(g.Lineage(), muster.GroupName(root))
	switch {
	case levels < 0 && current == root:
		return "", nil
	case levels < 0:
		return root, nil
	}
	_, to := store.Under(root)
	for row, err := range below.Scan(r, store.After(belowKey(muster.GroupName(root), levels, g.Name)), to) {
		return store.SplitKey(row.Key)[2], err
	}
	return "", nil
}

func thingGroup(r store.Reader, name muster.GroupName) (muster.Group, error) {
	g, err := groups.Get(r, string(name))
	if err != nil {
		return muster.Group{}, err
	}
	if g == nil {
		return muster.Group{}, muster.Errorf(muster.NotFound, "Thing group %s does not exist", name)
	}
	return *g, nil
}
