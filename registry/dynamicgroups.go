package registry

import (
	"cmp"
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// CreateDynamicThingGroup makes a group whose members are the things that match
// a query (registry.md section 5). The members are searched in the background, and
// the status is BUILDING until all are found. A group that exists with the same query
// and properties is returned unchanged. It fails with Invalid (also while things are
// not indexed), InvalidQuery, NotFound (the index), LimitExceeded or AlreadyExists.
func (s *Registry) CreateDynamicThingGroup(ctx context.Context, in muster.Group, given []muster.Tag) (muster.Group, error) {
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
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (g muster.Group, err error) {
		old, err := tables.groups.Get(tx, string(asked.Name))
		if err != nil {
			return g, err
		}
		if old != nil {
			g = *old
			return g, s.checkSameGroup(g, asked)
		}
		x, err := s.index.view(tx)
		if err != nil {
			return g, err
		}
		if !x.state.Config.Things {
			return g, errNotIndexed
		}
		if most := s.dynamicGroupsMax; most > 0 && len(x.dynamic) >= most {
			return g, muster.Errorf(muster.LimitExceeded, "There are %d dynamic thing groups, the most there may be", len(x.dynamic))
		}
		g = asked
		g.ID, g.CreatedAt = s.newID(), tx.Now
		tables.groupIDs.Put(tx, g.ID, g.Name)
		tables.below.Put(tx, belowKey(g.Name, 0, g.Name), store.Link{})
		tags.Put(tx, KindGroup, string(g.Name), labels)
		g = s.index.startBuilding(tx, g)
		if _, err := s.index.changeView(tx); err != nil {
			return g, err
		}
		if err := s.index.checkDependencies(tx, g); err != nil {
			return g, err
		}
		return g, s.events.group(tx, nil, &g)
	}, wantGroup(asked.Name), wantView)
}

var errNotIndexed = muster.Errorf(muster.Invalid, "Things are not indexed: thingIndexingMode is OFF")

// membershipRule returns m with its defaults filled in. It fails with InvalidQuery,
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

// UpdateDynamicThingGroup changes a dynamic group and returns the new state. Empty
// fields of rule leave the old values; with a different query the search for members
// starts again (registry.md REG-64). It fails with NotFound, VersionConflict,
// InvalidQuery or Invalid.
func (s *Registry) UpdateDynamicThingGroup(ctx context.Context, name muster.GroupName, u muster.GroupUpdate, rule muster.MembershipRule) (muster.Group, error) {
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (g muster.Group, err error) {
		old, err := thingGroup(tx, name)
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
			tables.groups.Put(tx, string(name), g)
		} else {
			g = s.index.startBuilding(tx, g)
		}
		if _, err := s.index.changeView(tx); err != nil {
			return g, err
		}
		if err := s.index.checkDependencies(tx, g); err != nil {
			return g, err
		}
		return g, s.events.group(tx, &old, &g)
	}, wantGroup(name), wantView)
}

// DeleteDynamicThingGroup removes a dynamic group, or succeeds if there is none. Its
// things leave it as in DeleteThingGroup. A nil expected version matches any. It fails
// with VersionConflict, or with Invalid for a static group.
func (s *Registry) DeleteDynamicThingGroup(ctx context.Context, name muster.GroupName, expected *int64) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		g, err := tables.groups.Get(tx, string(name))
		if err != nil || g == nil {
			return err
		}
		if err := g.OnlyDynamic(); err != nil {
			return err
		}
		if err := g.CheckVersion(expected); err != nil {
			return err
		}
		tables.dynamic.Delete(tx, string(name))
		tables.building.Delete(tx, string(name))
		if err := s.removeGroup(tx, *g); err != nil {
			return err
		}
		if _, err := s.index.changeView(tx); err != nil {
			return err
		}
		return s.index.jobs.GroupKnown(tx, g.ID)
	}, s.wantRemoval(name), wantView)
}

// checkDependencies returns an Invalid error if a dynamic group would depend on itself:
// its query asks for the status of a job that is given to its own members, directly
// or through other groups. Things could then join and leave it for ever. It searches
// the graph of dependentGroups for a way from the group back to itself.
func (ix *index) checkDependencies(tx *commit.Tx, g muster.Group) error {
	var follow func(name muster.GroupName, way []muster.GroupName) error
	x, err := ix.view(tx)
	if err != nil {
		return err
	}
	seen := map[muster.GroupName]bool{}
	follow = func(name muster.GroupName, way []muster.GroupName) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		next, err := ix.dependentGroups(tx, x, name)
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

// dependentGroups returns the dynamic groups whose members may change when those of
// a group change: because they ask for the status of a job that its members are given,
// or for the group itself.
func (ix *index) dependentGroups(tx *commit.Tx, x *indexView, name muster.GroupName) ([]muster.GroupName, error) {
	at := x.placeOf(name)
	if at < 0 {
		return nil, nil // things are not indexed: nothing follows from anything
	}
	var next []muster.GroupName
	err := ix.jobs.GivenToMembers(tx, x.dynamic[at].ID, func(job muster.JobID) error {
		for _, i := range x.mentioned[fleetquery.JobStatus(string(job))] {
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

// MayTarget returns an Invalid error if a continuous job with these targets would make
// a dynamic group among them depend on itself (checkDependencies).
func (s *Registry) MayTarget(tx *commit.Tx, targets []muster.Target) error {
	for _, t := range targets {
		if !t.Group {
			continue
		}
		g, err := tables.groups.Get(tx, t.Name)
		if err != nil {
			return err
		}
		if g != nil && g.ID == t.ID && g.IsDynamic() {
			if err := s.index.checkDependencies(tx, *g); err != nil {
				return err
			}
		}
	}
	return nil
}
