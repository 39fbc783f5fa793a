package registry

import (
	"slices"
	"sync/atomic"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// index updates the fleet index and the members of dynamic groups in the transaction
// of each change of a thing.
type index struct {
	commits *commit.Committer
	jobs    Jobs
	events  teller
	adopted atomic.Pointer[indexView] // as of the last applied transaction of the wide lane; nil until it is needed
}

// indexView is what each change of a thing needs to know: the state of the index, and
// the dynamic groups with their compiled queries. Reading and compiling them for each
// command would cost too much, so a view is kept from one transaction to the next. It
// is immutable: a command that changes a group or the state makes a new view
// (refreshView), which later transactions use only if its transaction is applied.
type indexView struct {
	state     indexState
	dynamic   []dynamicGroup   // oldest first
	mentioned map[string][]int // by field: the groups whose queries name it, as places in dynamic
	bare      []int            // the groups with a term without a field, which any field may match, as places in dynamic
	broken    []brokenQuery    // not in dynamic
}

// brokenQuery is a dynamic group whose stored query can no longer be parsed, for
// example after a change of the language. Its members stay as they are.
type brokenQuery struct {
	group muster.GroupName
	err   error
}

// adopt makes x the view of the next transactions. It is called after the transaction
// that made x was applied.
func (ix *index) adopt(x *indexView) {
	ix.adopted.Store(x)
	for _, q := range x.broken {
		ix.commits.Log().Error("the query of a dynamic group cannot be read any more", "group", q.group, "error", q.err)
	}
}

// dynamicGroup is a dynamic group with its query compiled.
type dynamicGroup struct {
	muster.Group
	query *fleetquery.Query
}

// currentView is the view at the current point of a transaction.
type currentView struct {
	view     *indexView // nil until it is needed
	adopting bool       // the transaction changed it, and index.adopt is registered
}

func (ix *index) current(tx *commit.Tx) *currentView {
	v, _ := commit.OfTransaction(tx, ix, func() (*currentView, error) { return &currentView{view: ix.adopted.Load()}, nil })
	return v
}

// view returns the view at this point of the transaction. Only the wide lane reads it from
// the store, since others might adopt it after a newer one. What the wide lane has changed
// meanwhile is missing in a view that another lane uses: a search for members begins when
// no such transaction is left (stepBuilding).
func (ix *index) view(tx *commit.Tx) (*indexView, error) {
	if v := ix.current(tx); v.view != nil {
		return v.view, nil
	}
	if err := tx.Wide(); err != nil {
		return nil, err
	}
	return ix.refreshView(tx)
}

// refreshView makes a new view from the store. It must be called after a command
// has changed a dynamic group or the state of the index.
func (ix *index) refreshView(tx *commit.Tx) (*indexView, error) {
	tx.PrefetchFar(wantView)
	var err error
	x := &indexView{mentioned: map[string][]int{}}
	if x.state, err = indexStateOf(tx); err != nil {
		return nil, err
	}
	for row, err := range tables.dynamic.Scan(tx, "", "") {
		if err != nil {
			return nil, err
		}
		g, err := thingGroup(tx, muster.GroupName(row.Key))
		if err != nil {
			return nil, err
		}
		q, err := fleetquery.Parse(g.Dynamic.Query, fleetquery.Things)
		if err != nil {
			x.broken = append(x.broken, brokenQuery{g.Name, err})
			continue
		}
		x.dynamic = append(x.dynamic, dynamicGroup{Group: g, query: q})
	}
	slices.SortFunc(x.dynamic, func(a, b dynamicGroup) int {
		if a.Older(b.Group) {
			return -1
		}
		return 1
	})
	for i, g := range x.dynamic {
		for _, field := range g.query.Fields() {
			x.mentioned[field] = append(x.mentioned[field], i)
		}
		if g.query.Bare() {
			x.bare = append(x.bare, i)
		}
	}
	v := ix.current(tx)
	v.view = x
	if !v.adopting {
		v.adopting = true
		tx.Adopt(func() { ix.adopt(v.view) })
	}
	return x, nil
}

// addDependents adds to touched the dynamic groups whose queries may depend on a field.
func (x *indexView) addDependents(field string, touched map[muster.GroupName]bool) {
	for _, i := range x.mentioned[field] {
		touched[x.dynamic[i].Name] = true
	}
	if fleetquery.Searchable(field) {
		for _, i := range x.bare {
			touched[x.dynamic[i].Name] = true
		}
	}
}

// placeOf returns the place of a group in dynamic, or -1.
func (x *indexView) placeOf(name muster.GroupName) int {
	return slices.IndexFunc(x.dynamic, func(g dynamicGroup) bool { return g.Name == name })
}

// isBuilding reports whether a target is a dynamic group whose search for members is
// not finished.
func (x *indexView) isBuilding(t muster.Target) bool {
	return slices.ContainsFunc(x.dynamic, func(g dynamicGroup) bool { return g.ID == t.ID && g.Dynamic.Building })
}

// reindex replaces the entries of a thing: before and after are its documents, or the
// same part of both. It notes a recheck for each field that differs. While things are
// not indexed it does nothing.
func (ix *index) reindex(tx *commit.Tx, thing muster.ThingName, before, after fleetquery.Document) error {
	x, err := ix.view(tx)
	if err != nil || !x.state.Config.Things {
		return err
	}
	writeEntries(tx, thing, before, after)
	ix.recheckChanged(tx, x, thing, before, after)
	return nil
}

// recheckChanged notes a recheck for each field that differs between two documents of a
// thing, or between the same part of both.
func (ix *index) recheckChanged(tx *commit.Tx, x *indexView, thing muster.ThingName, before, after fleetquery.Document) {
	for field := range before {
		if !slices.Equal(before[field], after[field]) {
			ix.recheckField(tx, x, thing, field)
		}
	}
	for field := range after {
		if before[field] == nil {
			ix.recheckField(tx, x, thing, field)
		}
	}
}

// writeEntries deletes the entries that only before has, and writes those that only
// after has.
func writeEntries(tx *commit.Tx, thing muster.ThingName, before, after fleetquery.Document) {
	old, now := before.Entries(), after.Entries()
	for _, e := range old {
		if !slices.Contains(now, e) {
			entryTable(e).Delete(tx, e.Key(string(thing)))
		}
	}
	for _, e := range now {
		if !slices.Contains(old, e) {
			entryTable(e).Put(tx, e.Key(string(thing)), store.Link{})
		}
	}
}

func entryTable(e fleetquery.Entry) store.Of[store.Link] {
	if e.Numbers {
		return tables.numbers
	}
	return tables.entries
}
