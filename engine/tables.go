package engine

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// The tables of records and their keys. Names are for ever.
var (
	things      = store.Of[muster.Thing]{Table: "thing"}       // thing
	thingTypes  = store.Of[muster.ThingType]{Table: "type"}    // type
	groups      = store.Of[muster.Group]{Table: "group"}       // group
	groupIDs    = store.Of[muster.GroupName]{Table: "groupid"} // thingGroupId
	children    = store.Of[link]{Table: "child"}               // parent group, child group
	members     = store.Of[membership]{Table: "member"}        // group, thing
	memberships = store.Of[link]{Table: "groupof"}             // thing, group
	typed       = store.Of[link]{Table: "typed"}               // type, thing
	tags        = store.Of[[]muster.Tag]{Table: "tag"}         // kind of resource, its name
	jobs        = store.Of[muster.Job]{Table: "job"}           // job
	documents   = store.Of[jobDocument]{Table: "document"}     // job
	newest      = store.Of[link]{Table: "newest"}              // newestKey of a job
	targets     = store.Of[link]{Table: "target"}              // targetKey, job
	standing    = store.Of[link]{Table: "standing"}            // targetKey, job: continuous jobs that are not over
	working     = store.Of[link]{Table: "working"}             // job with background work
	leaving     = store.Of[departure]{Table: "leaving"}        // id of a deleted group whose members are to leave
)

// link is a record whose key says everything.
type link struct{}

// membership is a thing's place in a group.
type membership struct {
	Joined muster.Instant
}

// jobDocument is the frozen text of a job, byte for byte as submitted.
type jobDocument struct {
	Text string
}

// departure is a deleted group whose members still have to be told.
type departure struct {
	Group   muster.GroupName
	Lineage []muster.GroupName
	After   string // the last thing that was dealt with
}

// targetKey is the first part of a key in targets.
func targetKey(t muster.Target) string {
	if t.Group {
		return "g" + t.Name
	}
	return "t" + t.Name
}
