package audit

import (
	"context"
	"iter"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// Query chooses records. What is empty or zero chooses all.
type Query struct {
	Resource  string // an ARN
	Principal string // an access key id, or the name of its user
	Operation string
	From, To  muster.Instant // From <= Record.At < To
	Filter
	listing.Page
}

// Filter chooses records by what no index has. The zero Filter chooses all.
type Filter struct {
	Name    string // a token of a query with another one is refused
	Chooses func(Record) bool
}

// Page is a page of records, the newest first.
type Page struct {
	Records []Record `json:"records"`
	Next    string   `json:"nextToken,omitempty"` // absent on the last page
}

// looksMax bounds the records that one page reads, so that it is quick whatever is looked for. A page may be short, even
// empty, and not be the last.
const looksMax = 400

// Lookup returns a page of the records that a query chooses. It fails with Invalid for a token of another query.
func (l *Log) Lookup(ctx context.Context, q Query) (Page, error) {
	page := Page{Records: []Record{}}
	list, err := l.pages.Begin(q.Page, tables.records.Table, q.Resource, q.Principal, q.Operation, q.From, q.To, q.Filter.Name)
	if err != nil {
		return page, err
	}
	index, first := q.index()
	from, to := q.bounds(first)
	err = l.commits.View(ctx, func(r store.Reader) error {
		found := list.From(from)
		var records []Record
		if index == nil {
			rows := tables.records.Scan(r, found, to)
			records, page.Next, err = listing.FillOf(list, looksMax, rows, func(row store.Row[Record]) (Record, bool, error) { return row.Value, q.chooses(row.Value), nil })
		} else {
			records, page.Next, err = listing.FillOf(list, looksMax, ahead(list, r, *index, found, to), func(row store.Row[store.Link]) (Record, bool, error) {
				record, err := tables.records.Get(r, recordKeyIn(row.Key))
				if err != nil || record == nil {
					return Record{}, false, err
				}
				return *record, q.chooses(*record), nil
			})
		}
		page.Records = append([]Record{}, records...)
		return err
	})
	return page, err
}

// ahead yields rows of an index, whose records are read together.
func ahead(list listing.List, r store.Reader, index store.Of[store.Link], from, to string) iter.Seq2[store.Row[store.Link], error] {
	return listing.Ahead(list, r, index.Scan(r, from, to), func(w *commit.Wants, row store.Row[store.Link]) { w.Record(tables.records.Table, recordKeyIn(row.Key)) })
}

// index returns the table that finds the fewest records, as far as that can be known, with the first part of its keys. It is nil
// for a query that only the time bounds.
func (q Query) index() (table *store.Of[store.Link], first string) {
	switch {
	case q.Resource != "":
		return &tables.byResource, text(q.Resource, resourceMax)
	case q.Principal != "":
		return &tables.byPrincipal, text(q.Principal, nameMax)
	case q.Operation != "":
		return &tables.byOperation, text(q.Operation, nameMax)
	}
	return nil, ""
}

// bounds returns the keys between which the rows of a query are.
func (q Query) bounds(first string) (from, to string) {
	head := ""
	if first != "" {
		from, to = store.Under(first)
		head = from
	}
	if q.To > 0 {
		from = head + store.LatestKey(q.To-1)
	}
	if q.From > 0 {
		to = head + store.LatestKey(q.From) + "\x01"
	}
	return from, to
}

// chooses reports whether a record is one of those that a query is for.
func (q Query) chooses(r Record) bool {
	if q.Principal != "" && r.AccessKeyID != q.Principal && r.User != q.Principal || q.Operation != "" && r.Operation != q.Operation {
		return false
	}
	if q.Chooses != nil && !q.Chooses(r) {
		return false
	}
	return r.At >= q.From && (q.To == 0 || r.At < q.To)
}
