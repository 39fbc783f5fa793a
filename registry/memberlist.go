package registry

import (
	"context"
	"iter"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// MemberList is a page of the names of things.
type MemberList struct {
	Things []muster.ThingName
	Next   string // token of the next page; empty on the last
}

// ListThingsInThingGroup lists the direct members of a group by name; recursive
// adds those of the groups below it, level by level (registry.md REG-50). It
// fails with NotFound.
func (s *Registry) ListThingsInThingGroup(ctx context.Context, group muster.GroupName, recursive bool, p listing.Page) (MemberList, error) {
	var list MemberList
	l, err := s.pages.Begin(p, "things in thing group", group, recursive)
	if err != nil {
		return list, err
	}
	err = s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) {
			wantGroup(group)(w)
			if recursive {
				w.Under(tables.below.Table, string(group))
			}
		})
		g, err := thingGroup(r, group)
		if err != nil {
			return err
		}
		if recursive {
			list.Things, list.Next, err = listing.Fill(l, membersUnder(r, group, l.After), func(row store.Row[muster.ThingName]) (muster.ThingName, bool, error) {
				return row.Value, row.Value != "", nil
			})
			return err
		}
		from, to := store.Under(g.ID)
		list.Things, list.Next, err = listing.Fill(l, tables.members.Scan(r, l.From(from), to), func(row store.Row[membership]) (muster.ThingName, bool, error) {
			return muster.ThingName(store.SplitKey(row.Key)[1]), true, nil
		})
		return err
	})
	return list, err
}

// membersUnder yields the members of root and of all groups below it, after the key
// after. Each group begins with a row without a thing, so that empty groups count as
// work too. A key is level, group and thing, and is where the next page continues.
func membersUnder(r store.Reader, root muster.GroupName, after string) iter.Seq2[store.Row[muster.ThingName], error] {
	return func(yield func(store.Row[muster.ThingName], error) bool) {
		first, last := "", ""
		from, to := store.Under(string(root))
		if after != "" {
			at := store.SplitKey(after)
			first, last = store.JoinKey(at[0], at[1]), at[2]
			from = store.JoinKey(string(root), first)
		}
		rows := commit.Ahead(r, 2, tables.below.Scan(r, from, to), wantMembersOf)
		for row, err := range rows {
			if err != nil {
				yield(store.Row[muster.ThingName]{}, err)
				return
			}
			parts := store.SplitKey(row.Key)
			place, begin := store.JoinKey(parts[1], parts[2]), ""
			if place == first {
				begin = last
			}
			if !membersOf(r, parts[2], place, begin, yield) {
				return
			}
		}
	}
}

// wantMembersOf names the first members of a group that is below another.
func wantMembersOf(w *commit.Wants, row store.Row[store.Link]) {
	name := store.SplitKey(row.Key)[2]
	wantGroup(muster.GroupName(name))(w)
	w.Then(func(r store.Reader, w *commit.Wants) error {
		g, err := tables.groups.Get(r, name)
		if err == nil && g != nil {
			w.Under(tables.members.Table, g.ID)
		}
		return err
	})
}

// membersOf yields the members of a group after the thing after, and reports whether to
// continue.
func membersOf(r store.Reader, group, place, after string, yield func(store.Row[muster.ThingName], error) bool) bool {
	g, err := thingGroup(r, muster.GroupName(group))
	if !yield(store.Row[muster.ThingName]{Key: store.JoinKey(place, after)}, err) || err != nil {
		return false
	}
	from, to := store.Under(g.ID)
	if after != "" {
		from = store.After(store.JoinKey(g.ID, after))
	}
	for row, err := range tables.members.Scan(r, from, to) {
		thing := ""
		if err == nil {
			thing = store.SplitKey(row.Key)[1]
		}
		if !yield(store.Row[muster.ThingName]{Key: store.JoinKey(place, thing), Value: muster.ThingName(thing)}, err) || err != nil {
			return false
		}
	}
	return true
}

// ListThingGroupsForThing lists the groups that a thing is a direct member of,
// by name (registry.md REG-51). It fails with NotFound.
func (s *Registry) ListThingGroupsForThing(ctx context.Context, thing muster.ThingName, p listing.Page) (GroupList, error) {
	var list GroupList
	l, err := s.pages.Begin(p, "thing groups for thing", thing)
	if err != nil {
		return list, err
	}
	err = s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) {
			wantThing(thing)(w)
			wantGroupsOf(w, thing, nil)
		})
		if err := mustHaveThing(r, thing); err != nil {
			return err
		}
		from, to := store.Under(string(thing))
		list.Groups, list.Next, err = listing.Fill(l, tables.memberships.Scan(r, l.From(from), to), func(row store.Row[belonging]) (muster.GroupName, bool, error) {
			g, err := groupIn(r, row)
			if err != nil || g == nil {
				return "", false, err
			}
			return g.Name, true, nil
		})
		return err
	})
	return list, err
}
