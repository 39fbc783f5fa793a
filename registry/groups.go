package registry

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// CreateThingGroup makes a static group with the name, the parent and the properties
// of in (registry.md section 4). A group that exists with the same parent and
// properties is returned unchanged, and the tags are ignored. It fails with Invalid,
// NotFound (the parent), LimitExceeded (tags) or AlreadyExists.
func (s *Registry) CreateThingGroup(ctx context.Context, in muster.Group, given []muster.Tag) (muster.Group, error) {
	asked, err := muster.NewGroup(in.Name, in.Description, in.Attributes)
	if err != nil {
		return asked, err
	}
	asked.Parent = in.Parent
	labels, err := muster.Retag(nil, given)
	if err != nil {
		return asked, err
	}
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (g muster.Group, err error) {
		old, err := tables.groups.Get(tx, string(asked.Name))
		if err != nil {
			return g, err
		}
		if old != nil {
			g = *old
			return g, s.checkSameGroup(g, asked)
		}
		if g, err = withPlace(tx, asked); err != nil {
			return g, err
		}
		g.ID, g.CreatedAt = s.newID(), tx.Now
		tables.groups.Put(tx, string(g.Name), g)
		tables.groupIDs.Put(tx, g.ID, g.Name)
		for levels, above := range g.Lineage() {
			tables.below.Put(tx, belowKey(above, levels, g.Name), store.Link{})
		}
		tags.Put(tx, KindGroup, string(g.Name), labels)
		return g, s.events.group(tx, nil, &g)
	}, wantGroup(asked.Name), func(w *commit.Wants) {
		if asked.Parent != "" {
			wantGroup(asked.Parent)(w)
			w.Under(tables.below.Table, string(asked.Parent), "1")
		}
	})
}

// withPlace returns g with its place in the hierarchy filled in from its parent.
func withPlace(tx *commit.Tx, g muster.Group) (muster.Group, error) {
	if g.Parent == "" {
		return g, nil
	}
	parent, err := thingGroup(tx, g.Parent)
	if err != nil {
		return g, err
	}
	siblings := 0
	from, to := store.Under(string(parent.Name), "1")
	for _, err := range tables.below.Scan(tx, from, to) {
		if err != nil {
			return g, err
		}
		siblings++
	}
	return g.Below(parent, siblings)
}

func (s *Registry) checkSameGroup(old, asked muster.Group) error {
	if old.Same(asked) {
		return nil
	}
	return muster.Existsf(old.ID, s.account.ARN(string(KindGroup), string(old.Name)), "Thing Group %s already exists in current account with different properties", old.Name)
}

// DescribeThingGroup returns a group, or fails with NotFound.
func (s *Registry) DescribeThingGroup(ctx context.Context, name muster.GroupName) (muster.Group, error) {
	var g muster.Group
	err := s.commits.View(ctx, func(r store.Reader) (err error) {
		g, err = thingGroup(r, name)
		return err
	})
	return g, err
}

// UpdateThingGroup changes a static group and returns the new state. It fails with
// NotFound, VersionConflict or Invalid.
func (s *Registry) UpdateThingGroup(ctx context.Context, name muster.GroupName, u muster.GroupUpdate) (muster.Group, error) {
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (g muster.Group, err error) {
		old, err := thingGroup(tx, name)
		if err != nil {
			return g, err
		}
		if err := old.OnlyStatic("it is changed with UpdateDynamicThingGroup"); err != nil {
			return g, err
		}
		if g, err = old.Apply(u); err != nil {
			return g, err
		}
		tables.groups.Put(tx, string(name), g)
		return g, s.events.group(tx, &old, &g)
	})
}

// DeleteThingGroup removes a static group, or succeeds if there is none. When it
// returns the group has no members; what that means for continuous jobs is done in the
// background for the members beyond departMax (registry.md REG-44 and REG-87). A nil
// expected version matches any. It fails with VersionConflict, or with Invalid while
// there are child groups.
func (s *Registry) DeleteThingGroup(ctx context.Context, name muster.GroupName, expected *int64) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		g, err := tables.groups.Get(tx, string(name))
		if err != nil || g == nil {
			return err
		}
		if err := g.OnlyStatic("it is deleted with DeleteDynamicThingGroup"); err != nil {
			return err
		}
		if err := g.CheckVersion(expected); err != nil {
			return err
		}
		if parent, err := tables.below.AnyUnder(tx, string(name), "1"); err != nil {
			return err
		} else if parent {
			return muster.Errorf(muster.Invalid, "Cannot delete thing group : %s when there are still child groups attached to it", name)
		}
		return s.removeGroup(tx, *g)
	}, s.wantRemoval(name))
}

// removeGroup removes a group after all checks.
func (s *Registry) removeGroup(tx *commit.Tx, g muster.Group) error {
	tables.groups.Delete(tx, string(g.Name))
	tables.groupIDs.Delete(tx, g.ID)
	for levels, above := range g.Lineage() {
		tables.below.Delete(tx, belowKey(above, levels, g.Name))
	}
	tags.Put(tx, KindGroup, string(g.Name), nil)
	if err := s.rights.GroupDeleted(tx, g); err != nil {
		return err
	}
	tx.Wake(0)
	tables.departures.Put(tx, g.ID, departure{Group: g.Name, IDs: g.LineageIDs()})
	if err := s.departSome(tx, g.ID, departMax); err != nil {
		return err
	}
	return s.events.group(tx, &g, nil)
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

// afterNames sorts after every character of a name.
const afterNames = "\x7f"

// ListThingGroups lists groups by name; with a parent, those below it, by level and
// then by name (registry.md REG-52). It fails with Invalid, or with NotFound if the
// parent does not exist.
func (s *Registry) ListThingGroups(ctx context.Context, f GroupFilter, p listing.Page) (GroupList, error) {
	var list GroupList
	l, err := s.pages.Begin(p, "thing groups", f)
	if err != nil {
		return list, err
	}
	err = s.commits.View(ctx, func(r store.Reader) error {
		if f.Parent == "" {
			rows := tables.groups.Scan(r, l.From(f.Prefix), f.Prefix+afterNames)
			list.Groups, list.Next, err = listing.Fill(l, rows, func(row store.Row[muster.Group]) (muster.GroupName, bool, error) {
				return row.Value.Name, !f.Direct || row.Value.Parent == "", nil
			})
			return err
		}
		from, to := f.below()
		commit.PrefetchView(r, func(w *commit.Wants) {
			wantGroup(f.Parent)(w)
			w.Range(tables.below.Table, l.From(from), to)
		})
		if _, err := thingGroup(r, f.Parent); err != nil {
			return err
		}
		list.Groups, list.Next, err = listing.Fill(l, tables.below.Scan(r, l.From(from), to), func(row store.Row[store.Link]) (muster.GroupName, bool, error) {
			name := store.SplitKey(row.Key)[2]
			return muster.GroupName(name), strings.HasPrefix(name, f.Prefix), nil
		})
		return err
	})
	return list, err
}

// below returns the bounds of the rows in the table below that f may choose. They
// start at level 1, so the parent itself is left out.
func (f GroupFilter) below() (from, to string) {
	if f.Direct {
		from = store.JoinKey(string(f.Parent), "1", f.Prefix)
		return from, from + afterNames
	}
	_, to = store.Under(string(f.Parent))
	return store.JoinKey(string(f.Parent), "1"), to
}

// belowKey returns the key in the table below of group g under a group that is levels
// above it; at level 0 that is g itself. A level is one digit, so keys sort by level,
// then by name.
func belowKey(above muster.GroupName, levels int, g muster.GroupName) string {
	return store.JoinKey(string(above), strconv.Itoa(levels), string(g))
}

// groupBelow is Lookup.GroupBelow.
func groupBelow(r store.Reader, root, current string) (string, error) {
	from, to, err := belowAfter(r, root, current)
	switch {
	case err != nil, from == "" && current == root:
		return "", err
	case from == "":
		return root, nil
	}
	for row, err := range tables.below.Scan(r, from, to) {
		return store.SplitKey(row.Key)[2], err
	}
	return "", nil
}

// belowAfter returns the rows of tables.below that come after a group in the walk through root.
// from is empty if the group is not there, or not below root any more.
func belowAfter(r store.Reader, root, group string) (from, to string, err error) {
	g, err := tables.groups.Get(r, group)
	if err != nil || g == nil {
		return "", "", err
	}
	levels := slices.Index(g.Lineage(), muster.GroupName(root))
	if levels < 0 {
		return "", "", nil
	}
	_, to = store.Under(root)
	return store.After(belowKey(muster.GroupName(root), levels, g.Name)), to, nil
}

func thingGroup(r store.Reader, name muster.GroupName) (muster.Group, error) {
	return tables.groups.Require(r, string(name), func() error { return noGroup(string(name)) })
}

// noGroup is the error when there is no group of a name or id.
func noGroup(nameOrID string) error {
	return muster.Errorf(muster.NotFound, "Thing group %s does not exist", nameOrID)
}
