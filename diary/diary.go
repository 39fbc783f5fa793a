// Package diary keeps what the gateway and the data plane have seen of each thing last (muster.Diary), and who was refused. It gathers
// what it is told in memory and writes it in batches, so a diary may be five seconds behind (docs/decisions/0050-a-device-diary-is-gathered.md).
package diary

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// tables hold diaries and refusals, each with the parts of its key. The names of tables are stored and must not change.
var tables = struct {
	diaries  store.Of[page]       // thing
	refusals store.Of[Refusal]    // refusalID
	latest   store.Of[store.Link] // latestKey: of each refusal, the last first
}{
	diaries:  store.Of[page]{Table: "diary"},
	refusals: store.Of[Refusal]{Table: "refusal"},
	latest:   store.Of[store.Link]{Table: "refused"},
}

// Tables are the tables of this package.
func Tables() []store.Checker { return []store.Checker{tables.diaries, tables.refusals, tables.latest} }

// Of returns the stored diary of a thing; it is zero if nothing is known.
func Of(r store.Reader, thing muster.ThingName) (muster.Diary, error) {
	p, err := tables.diaries.Get(r, string(thing))
	if err != nil || p == nil {
		return muster.Diary{}, err
	}
	return muster.Diary(*p), nil
}

// Want names what Of will read.
func Want(w *commit.Wants, thing muster.ThingName) { w.Record(tables.diaries.Table, string(thing)) }

// Deleted removes the diaries of things that are deleted; it is for the registry.
type Deleted struct{}

// ThingDeleted removes the diary of a thing.
func (Deleted) ThingDeleted(tx *commit.Tx, thing muster.ThingName) {
	tables.diaries.Delete(tx, string(thing))
}
