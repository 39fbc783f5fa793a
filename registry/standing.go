package registry

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// This file is what the registry knows of why a job does not reach a thing. It reads and changes nothing.

// Connected returns the connectivity of a thing as callers see it, zero if it was never connected; also while connectivity
// is not indexed.
func (s *Registry) Connected(r store.Reader, name muster.ThingName) (muster.Connectivity, error) {
	return s.connections.shown(r, name)
}

// WantConnected names what Connected reads.
func (Lookup) WantConnected(w *commit.Wants, name muster.ThingName) {
	w.Record(tables.connections.Table, string(name))
}

// Outside is why a thing is not in a dynamic group: the first term of the query on which it fails, and what the thing has in
// its field, "" for nothing.
type Outside struct {
	Query, Fails, Has string
}

// Outside returns why the query of a dynamic group does not match a thing. It is nil if it does, if things are not indexed, or
// if the query cannot be read any more.
func (Lookup) Outside(r store.Reader, t muster.Thing, g muster.Group) (*Outside, error) {
	state, err := indexStateOf(r)
	if err != nil || !state.Config.Things || !g.IsDynamic() {
		return nil, err
	}
	q, err := fleetquery.Parse(g.Dynamic.Query, fleetquery.Things)
	if err != nil {
		return nil, nil //nolint:nilerr // whoever reads the groups has logged it
	}
	in, err := groupsOf(r, t.Name)
	if err != nil {
		return nil, err
	}
	d := recordDocument(&t)
	if matches, err := matchesNow(r, state.Config, t, in, d, dynamicGroup{g, q}); err != nil || matches {
		return nil, err
	}
	why, _ := q.Unmet(d)
	return &Outside{Query: g.Dynamic.Query, Fails: why.Term, Has: strings.Join(why.Has, ", ")}, nil
}

// Looked returns how many things the search for the members of a dynamic group has looked at, and when it began; zeros if
// none is under way.
func (Lookup) Looked(r store.Reader, group muster.GroupName) (things int, since muster.Instant, err error) {
	s, err := tables.building.Get(r, string(group))
	if err != nil || s == nil {
		return 0, 0, err
	}
	return s.Looked, s.Began, nil
}
