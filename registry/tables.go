package registry

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tables hold things, types, groups and the fleet index. Names are for ever.
var tables = struct {
	things store.Of[muster.Thing]     // thing
	types  store.Of[muster.ThingType] // type
	typed  store.Of[store.Link]       // type, thing

	groups      store.Of[muster.Group]     // group
	groupIDs    store.Of[muster.GroupName] // thingGroupId
	below       store.Of[store.Link]       // group, level, group that many levels below it
	members     store.Of[membership]       // thingGroupId, thing
	memberships store.Of[belonging]        // thing, group
	departures  store.Of[departure]        // thingGroupId of a deleted group whose members are to leave

	indexStates store.Of[indexState]   // theIndex
	entries     store.Of[store.Link]   // fleetquery.Entry: field, value, thing
	numbers     store.Of[store.Link]   // the same of values that are numbers
	dynamic     store.Of[store.Link]   // dynamic group
	building    store.Of[memberSearch] // dynamic group whose members are still looked for

	connections store.Of[connection] // thing
	connected   store.Of[store.Link] // thing that is connected
	absences    store.Of[absence]    // process: how far it looked for things that an earlier one left connected
}{
	things: store.Of[muster.Thing]{Table: "thing"},
	types:  store.Of[muster.ThingType]{Table: "type"},
	typed:  store.Of[store.Link]{Table: "typed"},

	groups:      store.Of[muster.Group]{Table: "group"},
	groupIDs:    store.Of[muster.GroupName]{Table: "groupid"},
	below:       store.Of[store.Link]{Table: "below"},
	members:     store.Of[membership]{Table: "member"},
	memberships: store.Of[belonging]{Table: "groupof"},
	departures:  store.Of[departure]{Table: "leaving"},

	indexStates: store.Of[indexState]{Table: "indexing"},
	entries:     store.Of[store.Link]{Table: "entry"},
	numbers:     store.Of[store.Link]{Table: "number"},
	dynamic:     store.Of[store.Link]{Table: "dynamic"},
	building:    store.Of[memberSearch]{Table: "building"},

	connections: store.Of[connection]{Table: "connection"},
	connected:   store.Of[store.Link]{Table: "present"},
	absences:    store.Of[absence]{Table: "absence"},
}

// Tables are the tables of this package.
func Tables() []store.Checker {
	return []store.Checker{
		tables.things, tables.types, tables.typed, tables.groups, tables.groupIDs, tables.below, tables.members, tables.memberships,
		tables.departures, tables.indexStates, tables.entries, tables.numbers, tables.dynamic, tables.building, tables.connections,
		tables.connected, tables.absences,
	}
}

// membership is a thing's place in a group. It is filed under the id of the
// group, so that a new group of the same name begins empty.
type membership struct {
	Joined muster.Instant
}

// belonging is the same as the thing sees it. It is void when the group that
// has the name now has another id.
type belonging struct {
	GroupID string
}

// departure is a deleted group whose members still have to be told.
type departure struct {
	Group muster.GroupName
	IDs   []string // of the group and of those above it, its own first
	After string   // the last thing that was dealt with
}
