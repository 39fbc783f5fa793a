package service

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

// TestRandomRegistryHistories does random things to a small registry, most of
// them sensible, and holds the tables against each other after each.
func TestRandomRegistryHistories(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := registrar{env: newEnv(t), Rand: rand.New(rand.NewPCG(seed, 0))}
			h.begin()
			for range 150 {
				what := h.step()
				h.check(what, false)
			}
			h.settleDown()
			h.check("the end", true)
		})
	}
}

// registrar plays a history.
type registrar struct {
	*env
	*rand.Rand
	targets []string // ids of the two groups that the job was made for
}

func (h registrar) name(kind string, n int) string { return fmt.Sprintf("%s%d", kind, h.IntN(n)) }
func (h registrar) anyThing() muster.ThingName     { return muster.ThingName(h.name("t", 12)) }
func (h registrar) anyGroup() muster.GroupName     { return muster.GroupName(h.name("g", 8)) }
func (h registrar) anyType() muster.TypeName       { return muster.TypeName(h.name("y", 2)) }

// begin makes two types, some groups, and a continuous job for two of them.
func (h *registrar) begin() {
	h.createType(muster.ThingType{Name: "y0"})
	h.createType(muster.ThingType{Name: "y1"})
	h.group("g0/g1/g2")
	h.group("g3")
	h.jobOf(muster.Continuous, "fix", "@g1", "@g3")
	for _, name := range []muster.GroupName{"g1", "g3"} {
		g, err := h.DescribeThingGroup(h.t.Context(), name)
		noErr(h.t, "DescribeThingGroup", err)
		h.targets = append(h.targets, g.ID)
	}
}

// step does one thing and says what. That it may be refused is part of the
// play; what it did to the tables is checked.
func (h *registrar) step() string {
	ctx := h.t.Context()
	thing, group, other := h.anyThing(), h.anyGroup(), h.anyGroup()
	var what string
	var err error
	switch h.IntN(11) {
	case 0:
		what = fmt.Sprintf("create thing %s", thing)
		_, err = h.CreateThing(ctx, muster.Thing{Name: thing, Type: h.anyType()})
	case 1:
		what = fmt.Sprintf("delete thing %s", thing)
		err = h.DeleteThing(ctx, thing, nil)
	case 2:
		u := muster.ThingUpdate{Type: h.anyType()}
		if h.IntN(3) == 0 {
			u = muster.ThingUpdate{RemoveType: true}
		}
		what = fmt.Sprintf("update thing %s %+v", thing, u)
		err = h.UpdateThing(ctx, thing, u)
	case 3:
		g := muster.Group{Name: group}
		if h.IntN(2) == 0 {
			g.Parent = other
		}
		what = fmt.Sprintf("create group %s below %q", group, g.Parent)
		_, err = h.CreateThingGroup(ctx, g, nil)
	case 4:
		what = fmt.Sprintf("delete group %s", group)
		err = h.DeleteThingGroup(ctx, group, nil)
	case 5:
		what = fmt.Sprintf("move %s from %s to %s", thing, group, other)
		err = h.UpdateThingGroupsForThing(ctx, thing, []muster.GroupName{other}, []muster.GroupName{group})
	case 6:
		what = fmt.Sprintf("remove %s from %s", thing, group)
		err = h.RemoveThingFromThingGroup(ctx, thing, group)
	case 7:
		what = fmt.Sprintf("%s reports success", thing)
		_, err = h.report(string(thing), "fix", muster.Succeeded)
	case 8:
		what = fmt.Sprintf("associate %s", group)
		err = h.associate(group)
	default:
		what = fmt.Sprintf("add %s to %s", thing, group)
		err = h.AddThingToThingGroup(ctx, thing, group)
	}
	h.pass(1)
	return fmt.Sprintf("%s (%v)", what, err)
}

// associate makes a group a target of the job.
func (h *registrar) associate(group muster.GroupName) error {
	j, err := h.AssociateTargets(h.t.Context(), "fix", nil, []muster.Target{{Group: true, Name: string(group)}}, nil)
	if err != nil {
		return err
	}
	h.settleDown()
	g, err := h.DescribeThingGroup(h.t.Context(), group)
	noErr(h.t, "DescribeThingGroup", err)
	h.targets = append(h.targets, g.ID)
	if !slices.Contains(j.Targets, muster.Target{Group: true, Name: string(group), ID: g.ID}) {
		h.t.Errorf("after AssociateTargets with %s its id %s is not among %v", group, g.ID, j.Targets)
	}
	return nil
}

// check fails the test unless the tables agree with each other, and the job's
// executions with them.
func (h registrar) check(after string, departed bool) {
	h.t.Helper()
	noErr(h.t, "view", h.Commits.View(h.t.Context(), func(r store.Reader) error {
		all := rowsOf(h.t, r, groups)
		gone := rowsOf(h.t, r, records("leaving"))
		want := map[string]bool{}
		ids := map[string]string{}
		for name, g := range all {
			ids[g.ID] = name
			for level, above := range g.Lineage() {
				want[store.JoinKey(string(above), fmt.Sprint(level), string(g.Name))] = true
				if up := all[string(above)]; level < len(g.Path) && up.Parent != g.Lineage()[level+1] {
					h.t.Errorf("after %s: %s has the path %v, but %s is below %q", after, name, g.Path, above, up.Parent)
				}
			}
		}
		h.same(after, "below", slices.Collect(maps.Keys(rowsOf(h.t, r, links("below")))), want)

		want = map[string]bool{}
		for id := range ids {
			want[id] = true
		}
		h.same(after, "groupIDs", slices.Collect(maps.Keys(rowsOf(h.t, r, store.Of[muster.GroupName]{Table: "groupid"}))), want)

		want = map[string]bool{}
		for name, thing := range rowsOf(h.t, r, things) {
			if thing.Type != "" {
				want[store.JoinKey(string(thing.Type), name)] = true
			}
		}
		h.same(after, "typed", slices.Collect(maps.Keys(rowsOf(h.t, r, links("typed")))), want)

		want = map[string]bool{}
		for key := range rowsOf(h.t, r, records("member")) {
			id, thing := store.SplitKey(key)[0], store.SplitKey(key)[1]
			if _, leaves := gone[id]; leaves && !departed {
				continue
			}
			want[store.JoinKey(thing, ids[id])] = true
		}
		h.same(after, "memberships", slices.Collect(maps.Keys(rowsOf(h.t, r, records("groupof")))), want)
		return h.checkJob(r, after)
	}))
}

// checkJob holds the executions of the job against who is under its targets.
func (h registrar) checkJob(r store.Reader, after string) error {
	for name, t := range rowsOf(h.t, r, things) {
		thing := muster.ThingName(name)
		in, err := registry.Lookup{}.GroupsOf(r, thing)
		if err != nil {
			return err
		}
		for i, g := range in {
			if err := g.Admit(thing, slices.Delete(slices.Clone(in), i, i+1)); err != nil {
				h.t.Errorf("after %s: %v", after, err)
			}
		}
		latest, err := store.LatestOf(r, thing, "fix")
		if err != nil {
			return err
		}
		under := lineages(in)
		has := t.Had(latest) && latest.Status != muster.Removed
		covered := slices.ContainsFunc(under, func(id string) bool { return slices.Contains(h.targets, id) })
		if covered && !has || !covered && has && latest.Status == muster.Queued {
			h.t.Errorf("after %s: %s is under %v and its latest execution is %+v", after, thing, under, latest)
		}
	}
	return nil
}

// lineages returns the ids of groups and of all above them.
func lineages(of []muster.Group) (ids []string) {
	for _, g := range of {
		ids = append(ids, g.LineageIDs()...)
	}
	return ids
}

func (h registrar) same(after, table string, got []string, want map[string]bool) {
	h.t.Helper()
	for _, key := range got {
		if !want[key] {
			h.t.Errorf("after %s: %s has %q, and should not", after, table, key)
		}
	}
	for key := range want {
		if !slices.Contains(got, key) {
			h.t.Errorf("after %s: %s has no %q", after, table, key)
		}
	}
}

// rowsOf returns all rows of a table.
func rowsOf[T any](t *testing.T, r store.Reader, table store.Of[T]) map[string]T {
	t.Helper()
	rows := map[string]T{}
	for row, err := range table.Scan(r, "", "") {
		noErr(t, "Scan", err)
		rows[row.Key] = row.Value
	}
	return rows
}
