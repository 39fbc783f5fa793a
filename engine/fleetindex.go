package engine

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// fleetIndex is what the committer has to know of the index at every change: how
// far it is, and the dynamic groups. It is read from the store once and again
// after it was changed; it is never changed in place.
type fleetIndex struct {
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

// adopt takes over the index as a transaction has left it, now that the
// transaction is applied; nil means that it did not look.
func (e *Engine) adopt(x *fleetIndex) {
	if x == nil || x == e.fleetIndex {
		return
	}
	e.fleetIndex = x
	for _, q := range x.broken {
		e.o.Log.Error("the query of a dynamic group cannot be read any more", "group", q.group, "error", q.err)
	}
}

// dynamicGroup is a dynamic group with its query compiled.
type dynamicGroup struct {
	muster.Group
	query *fleetquery.Query
}

// fleet returns the index as it is at this point of the batch.
func (b *batch) fleet() (*fleetIndex, error) {
	if b.fleetIndex != nil {
		return b.fleetIndex, nil
	}
	if b.e.fleetIndex == nil {
		return b.refleet()
	}
	b.fleetIndex = b.e.fleetIndex
	return b.fleetIndex, nil
}

// refleet reads the index again, after this command has changed a dynamic group
// or how far the index is.
func (b *batch) refleet() (*fleetIndex, error) {
	var err error
	x := &fleetIndex{mentioned: map[string][]int{}}
	if x.state, err = indexStateOf(b); err != nil {
		return nil, err
	}
	for row, err := range dynamicNames.Scan(b, "", "") {
		if err != nil {
			return nil, err
		}
		g, err := thingGroup(b, muster.GroupName(row.Key))
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
	b.fleetIndex = x
	if !b.adopting {
		b.adopting = true
		b.Adopt(func() { b.e.adopt(b.fleetIndex) })
	}
	return x, nil
}

// asking adds to touched the dynamic groups whose answer may depend on a field.
func (x *fleetIndex) asking(field string, touched map[muster.GroupName]bool) {
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
func (x *fleetIndex) find(name muster.GroupName) int {
	return slices.IndexFunc(x.dynamic, func(g dynamicGroup) bool { return g.Name == name })
}

// builds reports whether a target is a dynamic group that has not found all its
// members yet.
func (x *fleetIndex) builds(t muster.Target) bool {
	return slices.ContainsFunc(x.dynamic, func(g dynamicGroup) bool { return g.ID == t.ID && g.Dynamic.Building })
}

// reindex moves a thing in the index from one document to another, either of
// which may be a part of the whole, and remembers who has to look at it again.
func (b *batch) reindex(thing muster.ThingName, before, after fleetquery.Document) error {
	x, err := b.fleet()
	if err != nil || !x.state.Config.Things {
		return err
	}
	b.post(thing, before, after)
	for field := range before {
		if !slices.Equal(before[field], after[field]) {
			b.stir(x, thing, field)
		}
	}
	for field := range after {
		if before[field] == nil {
			b.stir(x, thing, field)
		}
	}
	return nil
}

// post writes what is different between two documents of a thing.
func (b *batch) post(thing muster.ThingName, before, after fleetquery.Document) {
	old, now := before.Entries(), after.Entries()
	for _, e := range old {
		if !slices.Contains(now, e) {
			entryTable(e).Delete(b, e.Key(string(thing)))
		}
	}
	for _, e := range now {
		if !slices.Contains(old, e) {
			entryTable(e).Put(b, e.Key(string(thing)), link{})
		}
	}
}

func entryTable(e fleetquery.Entry) store.Of[link] {
	if e.Numbers {
		return numbers
	}
	return entries
}
