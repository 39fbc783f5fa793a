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
// (changeView), which later transactions use only if its transaction is applied.
//
// Where other processes may change the store, a view is used only in transactions that find its
// revision in the store. Others read a view of their own.
type indexView struct {
	rev       int64 // the revision of what the view was made from; zero where no other process changes it
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

// adopt makes x the view of the next transactions, unless they have a newer one. It is called
// after the transaction that made x was applied.
func (ix *index) adopt(x *indexView) {
	for old := ix.adopted.Load(); old == nil || old.rev <= x.rev; old = ix.adopted.Load() {
		if ix.adopted.CompareAndSwap(old, x) {
			break
		}
	}
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

func (ix *index) current(tx *commit.Tx) (*currentView, error) {
	return commit.OfTransaction(tx, ix, func() (*currentView, error) {
		v := &currentView{view: ix.adopted.Load()}
		if !ix.commits.Clustered() {
			return v, nil
		}
		rev, err := viewRevision(tx)
		if v.view != nil && v.view.rev != rev {
			v.view = nil // another process has changed what it was made from
		}
		return v, err
	})
}

// viewRevision returns the revision of what a view is made from.
func viewRevision(r store.Reader) (int64, error) {
	rev, err := tables.viewRevisions.Get(r, theIndex)
	if err != nil || rev == nil {
		return 0, err
	}
	return *rev, nil
}

// wantRevision names what current reads, where other processes may change the store.
func wantRevision(w *commit.Wants) { w.Record(tables.viewRevisions.Table, theIndex) }

// view returns the view at this point of the transaction. If no other process changes the store,
// only the wide lane reads it, since others might adopt it after a newer one. What the wide lane
// of any process has changed meanwhile is missing in a view that another lane uses: a search for
// members begins when no such transaction is left (stepBuilding).
func (ix *index) view(tx *commit.Tx) (*indexView, error) {
	v, err := ix.current(tx)
	if err != nil || v.view != nil {
		return v.view, err
	}
	if !ix.commits.Clustered() {
		if err := tx.Wide(); err != nil {
			return nil, err
		}
	}
	rev, err := viewRevision(tx)
	if err != nil {
		return nil, err
	}
	return ix.readView(tx, rev)
}

// changeView makes a new view from the store. It must be called after a command has changed a
// dynamic group or the state of the index.
func (ix *index) changeView(tx *commit.Tx) (*indexView, error) {
	if !ix.commits.Clustered() {
		return ix.readView(tx, 0)
	}
	rev, err := viewRevision(tx)
	if err != nil {
		return nil, err
	}
	tables.viewRevisions.Put(tx, theIndex, rev+1)
	return ix.readView(tx, rev+1)
}

// readView makes a view with a revision from the store, for this transaction and those after it.
func (ix *index) readView(tx *commit.Tx, rev int64) (*indexView, error) {
	tx.PrefetchFar(wantView)
	var err error
	x := &indexView{rev: rev, mentioned: map[string][]int{}}
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
	v, err := ix.current(tx)
	if err != nil {
		return nil, err
	}
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
