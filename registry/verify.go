package registry

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/integrity"
	"github.com/muster-iot/muster/store"
)

// The tables of the owners of records in other packages, for their Verify.
const (
	ThingTable store.Table = "thing"
	GroupTable store.Table = "group"
)

// Verify compares the records of the registry with each other. It is called after
// VerifyFleet, which does so with those of things.
func Verify(c *integrity.Check) {
	for _, verify := range []func(*integrity.Check){verifyTypesAndConnections, verifyGroups, verifyMembers} {
		if verify(c); c.Done() {
			return
		}
	}
	c.Surplus(integrity.IndexesAgree, tables.typed.Table, tables.connectivity.Table, tables.groupIDs.Table, tables.below.Table, tables.dynamic.Table, tables.building.Table)
}

// verifyThing compares the record of a thing with those of types. VerifyFleet calls it, so
// that things are read once.
func verifyThing(c *integrity.Check, key string, t muster.Thing) {
	c.Keyed(tables.things.Table, key, string(t.Name))
	if t.Type != "" {
		c.Owned(tables.things.Table, key, tables.types.Table, string(t.Type))
		c.Derived(integrity.IndexesAgree, tables.typed.Table, store.JoinKey(string(t.Type), key), "thing "+key)
	}
}

func verifyTypesAndConnections(c *integrity.Check) {
	integrity.Each(c, tables.types, func(key string, t muster.ThingType) { c.Keyed(tables.types.Table, key, string(t.Name)) })
	integrity.Each(c, tables.connections, func(key string, known connection) {
		c.Owned(tables.connections.Table, key, tables.things.Table, key)
		c.Derived(integrity.IndexesAgree, tables.connectivity.Table, connectivityKey(muster.ThingName(key), known.Connectivity), "the connection of thing "+key)
	})
}

func verifyGroups(c *integrity.Check) {
	integrity.Each(c, tables.groups, func(key string, g muster.Group) {
		from := "group " + key
		c.Keyed(tables.groups.Table, key, string(g.Name))
		c.Derived(integrity.IndexesAgree, tables.groupIDs.Table, g.ID, from)
		for levels, above := range g.Lineage() {
			c.Derived(integrity.IndexesAgree, tables.below.Table, belowKey(above, levels, g.Name), from)
			isTarget(c, tables.groups.Table, key, muster.Target{Group: true, Name: string(above), ID: g.LineageIDs()[levels]})
		}
		if g.IsDynamic() {
			c.Derived(integrity.IndexesAgree, tables.dynamic.Table, key, from)
		}
		if g.IsDynamic() && g.Dynamic.Building {
			c.Derived(integrity.IndexesAgree, tables.building.Table, key, from)
		}
	})
	integrity.Each(c, tables.groupIDs, func(key string, name muster.GroupName) {
		isTarget(c, tables.groupIDs.Table, key, muster.Target{Group: true, Name: string(name), ID: key})
	})
	integrity.Each(c, tables.departures, func(key string, d departure) {
		if c.Has(tables.groupIDs.Table, key) || len(d.IDs) == 0 || d.IDs[0] != key {
			c.Problem(integrity.IndexesAgree, "table %s has %q, which is the id of a group that is there or not of %s", tables.departures.Table, key, d.Group)
		}
	})
}

// isTarget reports a problem unless the thing or group of the name of t has the id of t.
func isTarget(c *integrity.Check, table store.Table, key string, t muster.Target) {
	there, err := Lookup{}.IsThere(c.Reader(), t)
	c.Fail(err)
	if !there && err == nil {
		c.Problem(integrity.IndexesAgree, "table %s has under %q the id %q for %s, which has another one or is not there", table, key, t.ID, t.Name)
	}
}

// verifyMembers looks for memberships of things and groups that do not exist. That things
// and groups agree is checked by VerifyFleet.
func verifyMembers(c *integrity.Check) {
	c.EachKey(tables.memberships.Table, func(key string) {
		thing, _ := c.Pair(tables.memberships.Table, key)
		c.Owned(tables.memberships.Table, key, tables.things.Table, thing)
	})
	c.EachKey(tables.members.Table, func(key string) {
		group, thing := c.Pair(tables.members.Table, key)
		c.Owned(tables.members.Table, key, tables.things.Table, thing)
		if !c.Has(tables.groupIDs.Table, group) {
			c.Owned(tables.members.Table, key, tables.departures.Table, group)
		}
	})
}
