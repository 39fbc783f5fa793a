package registry

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// SearchPageMax is the largest page of a search, and the default.
const SearchPageMax = 100

// IndexQuery is a query of an index.
type IndexQuery struct {
	Index   string // empty: things
	Text    string
	Version string // of the query language; empty: fleetquery.Version
}

// FoundThing is a thing that matches a query, with its groups and connectivity.
type FoundThing struct {
	muster.Thing
	Groups       []muster.GroupName  // that it is a direct member of
	Connectivity muster.Connectivity // zero if it was never connected, or connectivity is not indexed
}

// SearchResult is a page of matches: things or groups, depending on the index.
type SearchResult struct {
	Things []FoundThing
	Groups []muster.Group
	Next   string // token of the next page; empty on the last
}

// SearchIndex returns a page of the things or groups that match a query (registry.md
// section 5.1), SearchPageMax at most. A page may be short, even empty, while there is
// a next one: it ends after listing.RowsMax candidates. It fails with Invalid,
// InvalidQuery, IndexNotReady, or NotFound for an index that is off or does not exist.
func (s *Registry) SearchIndex(ctx context.Context, q IndexQuery, p listing.Page) (SearchResult, error) {
	var found SearchResult
	if p.Limit < 0 || p.Limit > SearchPageMax {
		return found, muster.Errorf(muster.Invalid, "maxResults must be 1 to %d; it is %d", SearchPageMax, p.Limit)
	}
	if p.Limit == 0 {
		p.Limit = SearchPageMax
	}
	if err := checkQueryVersion(q.Version); err != nil {
		return found, err
	}
	if q.Index == fleetquery.Groups.Name() {
		return s.searchGroups(ctx, q, p)
	}
	err := s.withSearch(ctx, q, func(on search) error {
		list := []any{"search", q}
		var at walk
		if err := s.pages.Open(p.Token, list, &at); err != nil {
			return err
		}
		if p.Token == "" {
			var err error
			if at, err = coverOf(on.Reader, on.query); err != nil {
				return err
			}
		}
		seen := 0
		for c, err := range commit.Ahead(on.Reader, p.Limit+1, candidates(on.Reader, at), on.want) {
			if err != nil {
				return err
			}
			if len(found.Things) == p.Limit || seen == listing.RowsMax {
				found.Next = s.pages.Seal(list, at)
				return nil
			}
			seen++
			at = c.at
			t, _, err := on.hit(c)
			if err != nil {
				return err
			}
			if t == nil {
				continue
			}
			f, err := s.foundThing(on, *t)
			if err != nil {
				return err
			}
			found.Things = append(found.Things, f)
		}
		return nil
	})
	return found, err
}

// search is a query of the index of things on one snapshot.
type search struct {
	store.Reader
	config muster.IndexingConfig
	query  *fleetquery.Query
}

// withSearch runs fn with a search on one snapshot, if the query can be parsed and the
// index of things is on and complete.
func (s *Registry) withSearch(ctx context.Context, q IndexQuery, fn func(search) error) error {
	if q.Index != "" && q.Index != fleetquery.Things.Name() {
		return noIndex(q.Index)
	}
	query, err := fleetquery.Parse(q.Text, fleetquery.Things)
	if err != nil {
		return err
	}
	return s.commits.View(ctx, func(r store.Reader) error {
		state, err := indexStateOf(r)
		switch {
		case err != nil:
			return err
		case !state.Config.Things:
			return noIndex(fleetquery.Things.Name())
		case !state.ready():
			return muster.Errorf(muster.IndexNotReady, "The index %s is being built", fleetquery.Things.Name())
		}
		return fn(search{r, state.Config, query})
	})
}

// want names what hit and foundThing read of a candidate.
func (s search) want(w *commit.Wants, c candidate) {
	if c.thing != "" {
		wantThing(c.thing)(w)
		wantDocument(w, s.config, c.thing)
		wantAsked(w, s.config, c.thing, s.query)
	}
}

// hit returns the thing of a candidate and its document, or nil if it does not match. A
// thing may be a candidate several times, also on different pages, and is returned only
// for the first of its entries in the spans of the walk. That is computed from the
// document, so no page has to remember the things of those before it.
func (s search) hit(c candidate) (*muster.Thing, fleetquery.Document, error) {
	t, err := tables.things.Get(s, string(c.thing))
	if err != nil || t == nil {
		return nil, nil, err
	}
	d, err := documentOf(s, s.config, *t)
	if err != nil {
		return nil, nil, err
	}
	if err := addAsked(s, s.config, d, *t, s.query); err != nil {
		return nil, nil, err
	}
	if !s.query.Matches(d) {
		return nil, nil, nil
	}
	if c.entry != nil {
		if span, entry, ok := d.First(c.at.Spans); !ok || span != c.at.Span || entry != *c.entry {
			return nil, nil, nil
		}
	}
	return t, d, nil
}

// foundThing returns a thing with its groups and connectivity.
func (s *Registry) foundThing(on search, t muster.Thing) (FoundThing, error) {
	f := FoundThing{Thing: t}
	in, err := groupsOf(on, t.Name)
	if err != nil {
		return f, err
	}
	for _, g := range in {
		f.Groups = append(f.Groups, g.Name)
	}
	if on.config.Connectivity {
		f.Connectivity, err = s.connections.shown(on, t.Name)
	}
	return f, err
}

// searchGroups is SearchIndex for groups. They have no index: it evaluates the query on
// each group, by name.
func (s *Registry) searchGroups(ctx context.Context, q IndexQuery, p listing.Page) (SearchResult, error) {
	var found SearchResult
	query, err := fleetquery.Parse(q.Text, fleetquery.Groups)
	if err != nil {
		return found, err
	}
	l, err := s.pages.Begin(p, "search groups", q)
	if err != nil {
		return found, err
	}
	err = s.commits.View(ctx, func(r store.Reader) error {
		state, err := indexStateOf(r)
		if err != nil {
			return err
		}
		if !state.Config.Groups {
			return noIndex(q.Index)
		}
		found.Groups, found.Next, err = listing.Fill(l, tables.groups.Scan(r, l.From(""), ""), func(row store.Row[muster.Group]) (muster.Group, bool, error) {
			return row.Value, query.Matches(propertiesDocument(row.Value)), nil
		})
		return err
	})
	return found, err
}

// propertiesDocument is the document of a thing group.
func propertiesDocument(g muster.Group) fleetquery.Document {
	d := fleetquery.Document{}
	d.Add(fleetquery.ThingGroupName, string(g.Name))
	d.Add(fleetquery.ThingGroupID, g.ID)
	d.Add(fleetquery.ThingGroupDescription, g.Description)
	d.AddWords(fleetquery.ThingGroupDescription, g.Description)
	for _, above := range g.Path {
		d.Add(fleetquery.ParentGroupNames, string(above))
	}
	for name, value := range g.Attributes {
		d.Add(fleetquery.Attribute(name), value)
	}
	return d
}

func noIndex(name string) error {
	return muster.Errorf(muster.NotFound, "Index %s does not exist, or is not switched on", name)
}

// IndexStatus returns the status of an index: "ACTIVE" or "BUILDING". It fails with
// NotFound for an index that is off or does not exist.
func (s *Registry) IndexStatus(ctx context.Context, name string) (string, error) {
	status := "ACTIVE"
	err := s.commits.View(ctx, func(r store.Reader) error {
		state, err := indexStateOf(r)
		switch {
		case err != nil:
			return err
		case name == fleetquery.Things.Name() && state.Config.Things:
			if !state.ready() {
				status = "BUILDING"
			}
			return nil
		case name == fleetquery.Groups.Name() && state.Config.Groups:
			return nil
		}
		return noIndex(name)
	})
	return status, err
}
