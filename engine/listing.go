package engine

import (
	"iter"

	"github.com/muster-iot/muster/store"
)

// registryPage is the length of a page of a registry list, unless asked
// otherwise.
const registryPage = 25

// rowsMax bounds the rows that one page of a registry list looks at, so that a
// filter that fits little cannot hold a snapshot for long. A page may therefore
// be short, even empty, while there is a next one.
const rowsMax = 4096

// listing is one page of a list in the making: where it begins, how long it may
// get, and what binds its tokens.
type listing struct {
	pages pager
	name  any    // the operation and its filters
	after string // the key of the last row of the page before
	limit int
}

// listing begins a page. It fails with Invalid.
func (e *Engine) listing(p Page, name ...any) (listing, error) {
	l := listing{pages: e.pages, name: name}
	var err error
	if l.limit, err = p.limit(registryPage); err != nil {
		return l, err
	}
	return l, e.pages.open(p.Token, l.name, &l.after)
}

// from returns where to scan on: first, or behind the page before.
func (l listing) from(first string) string {
	if l.after == "" {
		return first
	}
	return store.After(l.after)
}

// fill reads rows until the page is full with what pick takes of them. It
// returns the page, and the token of the next one unless the rows ended.
func fill[R, T any](l listing, rows iter.Seq2[store.Row[R], error], pick func(store.Row[R]) (T, bool, error)) ([]T, string, error) {
	var page []T
	seen, last := 0, ""
	for row, err := range rows {
		if err != nil {
			return nil, "", err
		}
		if len(page) == l.limit || seen == rowsMax {
			return page, l.pages.seal(l.name, last), nil
		}
		seen, last = seen+1, row.Key
		item, ok, err := pick(row)
		if err != nil {
			return nil, "", err
		}
		if ok {
			page = append(page, item)
		}
	}
	return page, "", nil
}
