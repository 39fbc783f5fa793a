package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// A dated table lists resources by creation in both directions: each has a key
// that sorts up and one that sorts down. Those of an owner can be listed apart.
func (b *batch) dated(t store.Of[link], at muster.Instant, id string, owner ...string) {
	t.Put(b, datedKey(true, at, id, owner), link{})
	t.Put(b, datedKey(false, at, id, owner), link{})
}

func (b *batch) undated(t store.Of[link], at muster.Instant, id string, owner ...string) {
	t.Delete(b, datedKey(true, at, id, owner))
	t.Delete(b, datedKey(false, at, id, owner))
}

func datedKey(ascending bool, at muster.Instant, id string, owner []string) string {
	date := fmt.Sprintf("%016x", uint64(at))
	if !ascending {
		date = fmt.Sprintf("%016x", math.MaxInt64-uint64(at))
	}
	return store.JoinKey(append(datedPrefix(ascending, owner), date, id)...)
}

func datedPrefix(ascending bool, owner []string) []string {
	if ascending {
		return append([]string{"a"}, owner...)
	}
	return append([]string{"d"}, owner...)
}

// datedList is a list by creation.
type datedList[T any] struct {
	table  store.Of[link]
	owner  []string // of the rows; none for all
	read   func(r store.Reader, id string) (T, error)
	filter string       // what pick depends on
	pick   func(T) bool // nil picks all
}

// page reads one page, newest first unless ascending, and returns the token of
// the next.
func (d datedList[T]) page(ctx context.Context, e *Engine, p Page, ascending bool) ([]T, string, error) {
	prefix := datedPrefix(ascending, d.owner)
	l, err := e.listing(p, d.table.Table, prefix, d.filter)
	if err != nil {
		return nil, "", err
	}
	var page []T
	var next string
	err = e.view(ctx, func(r store.Reader) error {
		from, to := store.Under(prefix...)
		page, next, err = fill(l, d.table.Scan(r, l.from(from), to), func(row store.Row[link]) (T, bool, error) {
			parts := store.SplitKey(row.Key)
			v, err := d.read(r, parts[len(parts)-1])
			return v, d.pick == nil || d.pick(v), err
		})
		return err
	})
	return page, next, err
}
