package engine

import (
	"cmp"
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/fleetquery"
)

// CreateDynamicThingGroup makes a group whose members are the things that match
// a query (registry.md section 5). It looks for them in the background; its
// status is BUILDING until it has them all. One that exists with the same query
// and properties is returned as it is. It fails with Invalid (also while things
// are not indexed), InvalidQuery, NotFound (the index), LimitExceeded or
// AlreadyExists.
func (e *Engine) CreateDynamicThingGroup(ctx context.Context, in muster.Group, given []muster.Tag) (muster.Group, error) {
	asked, err := muster.NewGroup(in.Name, in.Description, in.Attributes)
	if err != nil {
		return asked, err
	}
	labels, err := muster.Retag(nil, given)
	if err != nil {
		return asked, err
	}
	asked.Dynamic, err = membershipRule(*in.Dynamic)
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
		x, err := b.fleet()
		if err != nil {
			return g, err
		}
		if !x.state.Config.Things {
			return g, errNotIndexed
		}
		if most := e.o.Limits.DynamicGroups; most > 0 && len(x.dynamic) >= most {
			return g, muster.Errorf(muster.LimitExceeded, "There are %d dynamic thing groups, the most there may be", len(x.dynamic))
		}
		g = asked
		g.ID, g.CreatedAt = e.o.NewID(), b.Now
		groupIDs.Put(b, g.ID, g.Name)
		below.Put(b, belowKey(g.Name, 0, g.Name), link{})
		b.putTags(kindGroup, string(g.Name), labels)
		g = b.rebuild(g)
		if _, err := b.refleet(); err != nil {
			return g, err
		}
		if err := b.mayDepend(g); err != nil {
			return g, err
		}
		return g, b.tellGroup(nil, &g)
	})
}

var errNotIndexed = muster.Errorf(muster.Invalid, "Things are not indexed: thingIndexingMode is OFF")

// membershipRule completes a rule with the defaults. It fails with InvalidQuery,
// NotFound (the index) or Invalid (the version).
func membershipRule(m muster.MembershipRule) (*muster.MembershipRule, error) {
	if m.Index == "" {
		m.Index = muster.ThingIndex
	}
	if m.Version == "" {
		m.Version = fleetquery.Version
	}
	if m.Index != muster.ThingIndex {
		return nil, muster.Errorf(muster.NotFound, "Index %s does not exist, or holds no things", m.Index)
	}
	if err := checkQueryVersion(m.Version); err != nil {
		return nil, err
	}
	_, err := fleetquery.Parse(m.Query, fleetquery.Things)
	return &m, err
}

func checkQueryVersion(version string) error {
	if version != "" && version != fleetquery.Version {
		return muster.Errorf(muster.Invalid, "queryVersion %q does not exist; the only one is %s", version, fleetquery.Version)
	}
	return nil
}

// UpdateDynamicThingGroup changes a dynamic group and returns it as it is then.
// What rule leaves empty stays; with another query the group looks for its
// members anew (registry.md REG-64). It fails with NotFound, VersionConflict,
// InvalidQuery or Invalid.
func (e *Engine) UpdateDynamicThingGroup(ctx context.Context, name muster.GroupName, u muster.GroupUpdate, rule muster.MembershipRule) (muster.Group, error) {
	return do(ctx, e, func(b *batch) (g muster.Group, err error) {
		old, err := thingGroup(b, name)
		if err != nil {
			return g, err
		}
		if err := old.OnlyDynamic(); err != nil {
			return g, err
		}
		merged := *old.Dynamic
		merged.Query, merged.Index, merged.Version = cmp.Or(rule.Query, merged.Query), cmp.Or(rule.Index, merged.Index), cmp.Or(rule.Version, merged.Version)
		u := u // the next run begins with what was asked for
		if u.Dynamic, err = membershipRule(merged); err != nil {
			return g, err
		}
		if g, err = old.Apply(u); err != nil {
			return g, err
		}
		if merged.Same(*old.Dynamic) {
			groups.Put(b, string(name), g)
		} else {
			g = b.rebuild(g)
		}
		if _, err := b.refleet(); err != nil {
			return g, err
		}
		if err := b.mayDepend(g); err != nil {
			return g, err
		}
		return g, b.tellGroup(&old, &g)
	})
}

// DeleteDynamicThingGroup removes a dynamic group, or succeeds when there is
// none; its things leave it as those of DeleteThingGroup do. It fails with
// VersionConflict, or Invalid for a static group.
func (e *Engine) DeleteDynamicThingGroup(ctx context.Context, name muster.GroupName, expected *int64) error {
	return e.do(ctx, func(b *batch) error {
		g, err := groups.Get(b, string(name))
		if err != nil || g == nil {
			return err
		}
		if err := g.OnlyDynamic(); err != nil {
			return err
		}
		if err := g.CheckVersion(expected); err != nil {
			return err
		}
		dynamicNames.Delete(b, string(name))
		building.Delete(b, string(name))
		if err := b.removeGroup(*g); err != nil {
			return err
		}
		if _, err := b.refleet(); err != nil {
			return err
		}
		return b.wakeWaiting(g.ID)
	})
}

// mayDepend returns an Invalid error when a dynamic group would depend on a job
// that depends on the group: then things could go in and out of it for ever.
func (b *batch) mayDepend(g muster.Group) error {
	var follow func(name muster.GroupName, way []muster.GroupName) error
	x, err := b.fleet()
	if err != nil {
		return err
	}
	seen := map[muster.GroupName]bool{}
	follow = func(name muster.GroupName, way []muster.GroupName) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		next, err := b.feeds(x, name)
		if err != nil {
			return err
		}
		for _, to := range next {
			if to == g.Name {
				return muster.Errorf(muster.Invalid, "Thing group %s asks for the status of a job that is given to its own members, so things could go in and out of it for ever", g.Name)
			}
			if err := follow(to, append(way, to)); err != nil {
				return err
			}
		}
		return nil
	}
	return follow(g.Name, nil)
}

// feeds returns the dynamic groups whose members may change when those of a
// group do: through the jobs that its members are given, or because they ask for
// the group itself.
func (b *batch) feeds(x *fleetIndex, name muster.GroupName) ([]muster.GroupName, error) {
	at := x.find(name)
	if at < 0 {
		return nil, nil // things are not indexed: nothing follows from anything
	}
	var next []muster.GroupName
	err := b.eachOf(standing, []string{x.dynamic[at].ID}, func(j *muster.Job) error {
		for _, i := range x.mentioned[fleetquery.JobStatus(string(j.ID))] {
			next = append(next, x.dynamic[i].Name)
		}
		return nil
	})
	for _, g := range x.dynamic[at+1:] {
		if g.query.MayAsk(fleetquery.ThingGroupNames, string(name)) {
			next = append(next, g.Name)
		}
	}
	return next, err
}

// mayTarget is mayDepend for the groups that a job targets or will target.
func (b *batch) mayTarget(j muster.Job) error {
	if j.Selection != muster.Continuous {
		return nil
	}
	for _, t := range j.Targets {
		if !t.Group {
			continue
		}
		g, err := groups.Get(b, t.Name)
		if err != nil {
			return err
		}
		if g != nil && g.ID == t.ID && g.IsDynamic() {
			if err := b.mayDepend(*g); err != nil {
				return err
			}
		}
	}
	return nil
}
