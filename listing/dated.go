package listing

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// PutDated adds a resource to a dated table. Such a table lists resources by creation in
// both directions, while the store scans in one only: each resource has a key that sorts
// ascending and one that sorts descending. With an owner, the resources of one owner can be
// listed alone; a table has owners in all of its keys or in none.
func PutDated(w store.Writer, t store.Of[store.Link], at muster.Instant, id string, owner ...string) {
	t.Put(w, DatedKey(true, at, id, owner), store.Link{})
	t.Put(w, DatedKey(false, at, id, owner), store.Link{})
}

// DeleteDated removes a resource from a dated table. The arguments must be those of
// PutDated.
func DeleteDated(w store.Writer, t store.Of[store.Link], at muster.Instant, id string, owner ...string) {
	t.Delete(w, DatedKey(true, at, id, owner))
	t.Delete(w, DatedKey(false, at, id, owner))
}

// DatedKey returns one of the two keys of a resource in a dated table.
func DatedKey(ascending bool, at muster.Instant, id string, owner []string) string {
	date := store.TimeKey(at)
	if !ascending {
		date = store.LatestKey(at)
	}
	return store.JoinKey(append(datedPrefix(ascending, owner), date, id)...)
}

func datedPrefix(ascending bool, owner []string) []string {
	if ascending {
		return append([]string{"a"}, owner...)
	}
	return append([]string{"d"}, owner...)
}

// idIn returns the id of the resource of a row.
func idIn(row store.Row[store.Link]) string {
	parts := store.SplitKey(row.Key)
	return parts[len(parts)-1]
}

// Dated is a list of resources by creation, from a dated table.
type Dated[T any] struct {
	Table  store.Of[store.Link]
	Owner  []string    // as given to PutDated
	Of     store.Table // of the resources, which Read reads by id
	Read   func(r store.Reader, id string) (T, error)
	Filter string       // what Pick depends on; a token is only valid for the same
	Pick   func(T) bool // whether an item is in the list; nil picks all
}

// Viewer shows snapshots of a store.
type Viewer interface {
	View(ctx context.Context, fn func(store.Reader) error) error
}

// Page reads one page, newest first unless ascending. It returns the items and the token
// of the next page, "" on the last. It fails with Invalid.
func (d Dated[T]) Page(ctx context.Context, v Viewer, pages Pager, p Page, ascending bool) ([]T, string, error) {
	prefix := datedPrefix(ascending, d.Owner)
	l, err := pages.Begin(p, d.Table.Table, prefix, d.Filter)
	if err != nil {
		return nil, "", err
	}
	var page []T
	var next string
	err = v.View(ctx, func(r store.Reader) error {
		from, to := store.Under(prefix...)
		rows := Ahead(l, r, d.Table.Scan(r, l.From(from), to), func(w *commit.Wants, row store.Row[store.Link]) { w.Record(d.Of, idIn(row)) })
		page, next, err = Fill(l, rows, func(row store.Row[store.Link]) (T, bool, error) {
			v, err := d.Read(r, idIn(row))
			return v, d.Pick == nil || d.Pick(v), err
		})
		return err
	})
	return page, next, err
}
