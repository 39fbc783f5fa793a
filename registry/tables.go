package registry

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tables hold things, types, groups and the fleet index, each with the parts of its key.
// The names of tables are stored and must not change.
var tables = struct {
	things store.Of[muster.Thing]     // thing
	types  store.Of[muster.ThingType] // type
	typed  store.Of[store.Link]       // type, thing

	groups      store.Of[muster.Group]     // group
	groupIDs    store.Of[muster.GroupName] // thingGroupId
	below       store.Of[store.Link]       // group, level, group that many levels below it
	members     store.Of[membership]       // thingGroupId, thing
	memberships store.Of[belonging]        // thing, group
	departures  store.Of[departure]        // thingGroupId of a deleted group whose members have not all left

	indexStates   store.Of[indexState]   // theIndex
	viewRevisions store.Of[int64]        // theIndex: the revision of the state and of the dynamic groups; where several processes change them
	entries       store.Of[store.Link]   // fleetquery.Entry: field, value, thing
	numbers       store.Of[store.Link]   // the same of values that are numbers
	dynamic       store.Of[store.Link]   // dynamic group
	building      store.Of[memberSearch] // dynamic group that is still searching for members

	connections  store.Of[connection] // thing
	connectivity store.Of[store.Link] // whether it is connected, reason, instant, thing
	absences     store.Of[absence]    // process: its search for things that processes which are gone left connected
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

	indexStates:   store.Of[indexState]{Table: "indexing"},
	viewRevisions: store.Of[int64]{Table: "indexrevision"},
	entries:       store.Of[store.Link]{Table: "entry"},
	numbers:       store.Of[store.Link]{Table: "number"},
	dynamic:       store.Of[store.Link]{Table: "dynamic"},
	building:      store.Of[memberSearch]{Table: "building"},

	connections:  store.Of[connection]{Table: "connection"},
	connectivity: store.Of[store.Link]{Table: "connectivity"},
	absences:     store.Of[absence]{Table: "absence"},
}

// Tables are the tables of this package.
func Tables() []store.Checker {
	return []store.Checker{
		tables.things, tables.types, tables.typed, tables.groups, tables.groupIDs, tables.below, tables.members, tables.memberships,
		tables.departures, tables.indexStates, tables.viewRevisions, tables.entries, tables.numbers, tables.dynamic, tables.building, tables.connections,
		tables.connectivity, tables.absences,
	}
}

// membership is a thing's membership as the group sees it. Its key has the id of the
// group, so that a new group of the same name begins empty.
type membership struct {
	Joined muster.Instant
}

// belonging is the same membership as the thing sees it. It is void if the group that
// now has the name has another id.
type belonging struct {
	GroupID string
}

// departure is a deleted group whose members have not all left yet: their jobs and
// events are still to be changed and written.
type departure struct {
	Group muster.GroupName
	IDs   []string // the id of the group, then those of the groups above it
	After string   // the last thing that has left
}
