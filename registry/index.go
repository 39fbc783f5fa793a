package registry

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// index keeps the fleet index and the members of dynamic groups in step with
// every change of a thing.
type index struct {
	commits *commit.Committer
	jobs    Jobs
	events  teller
	adopted *indexView // as committed; nil until it is needed. For the committer only
}

// indexView is what every change has to know of the index: how far it is, and the
// dynamic groups. It is read from the store once and again after it was changed;
// it is never changed in place.
type indexView struct {
	state     indexState
	dynamic   []dynamicGroup   // oldest first
	mentioned map[string][]int // those that name a field, by their place in dynamic
	bare      []int            // those that look at every field
	broken    []brokenQuery
}

// brokenQuery is the query of a dynamic group that cannot be read any more. Its
// members stay as they are.
type brokenQuery struct {
	group muster.GroupName
	err   error
}

// adopt takes over the view as a transaction has left it, now that the
// transaction is applied.
func (ix *index) adopt(x *indexView) {
	ix.adopted = x
	for _, q := range x.broken {
		ix.commits.Log().Error("the query of a dynamic group cannot be read any more", "group", q.group, "error", q.err)
	}
}

// dynamicGroup is a dynamic group with its query compiled.
type dynamicGroup struct {
	muster.Group
	query *fleetquery.Query
}

// viewed is the view as it is by now in a transaction.
type viewed struct {
	view     *indexView // nil until it is needed
	adopting bool       // it will be adopted
}

func (ix *index) viewed(tx *commit.Tx) *viewed {
	v, _ := commit.OfTransaction(tx, ix, func() (*viewed, error) { return &viewed{view: ix.adopted}, nil })
	return v
}

// read returns the index as it is at this point of the transaction.
func (ix *index) read(tx *commit.Tx) (*indexView, error) {
	if v := ix.viewed(tx); v.view != nil {
		return v.view, nil
	}
	return ix.reread(tx)
}

// reread reads the index again, after this command has changed a dynamic group or
// how far the index is.
func (ix *index) reread(tx *commit.Tx) (*indexView, error) {
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
	v := ix.viewed(tx)
	v.view = x
	if !v.adopting {
		v.adopting = true
		tx.Adopt(func() { ix.adopt(v.view) })
	}
	return x, nil
}

// asking adds to touched the dynamic groups whose answer may depend on a field.
func (x *indexView) asking(field string, touched map[muster.GroupName]bool) {
	for _, i := range x.mentioned[field] {
		touched[x.dynamic[i].Name] = true
	}
	if fleetquery.Searchable(field) {
		for _, i := range x.bare {
			touched[x.dynamic[i].Name] = true
		}
	}
}

// find returns the place in dynamic of a group, or -1.
func (x *indexView) find(name muster.GroupName) int {
	return slices.IndexFunc(x.dynamic, func(g dynamicGroup) bool { return g.Name == name })
}

// builds reports whether a target is a dynamic group that has not found all its
// members yet.
func (x *indexView) builds(t muster.Target) bool {
	return slices.ContainsFunc(x.dynamic, func(g dynamicGroup) bool { return g.ID == t.ID && g.Dynamic.Building })
}

// reindex moves a thing in the index from one document to another, either of
// which may be a part of the whole, and remembers who has to look at it again.
func (ix *index) reindex(tx *commit.Tx, thing muster.ThingName, before, after fleetquery.Document) error {
	x, err := ix.read(tx)
	if err != nil || !x.state.Config.Things {
		return err
	}
	post(tx, thing, before, after)
	for field := range before {
		if !slices.Equal(before[field], after[field]) {
			ix.stir(tx, x, thing, field)
		}
	}
	for field := range after {
		if before[field] == nil {
			ix.stir(tx, x, thing, field)
		}
	}
	return nil
}

// post writes what is different between two documents of a thing.
func post(tx *commit.Tx, thing muster.ThingName, before, after fleetquery.Document) {
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
