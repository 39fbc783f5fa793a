package listing

import (
	"iter"

	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// Default is the page size of a registry list if the caller asks for none.
const Default = 25

// RowsMax bounds the rows that one page of a registry list reads, so that a filter that
// picks little does not hold a snapshot for long. A page may therefore be short, even
// empty, while there is a next one.
const RowsMax = 4096

// List is a page of a list that is being read. Make it with Pager.Begin.
type List struct {
	After string // the key of the last row read for the page before; empty for the first page

	pages Pager
	name  any // the operation and its filters, which bind its tokens
	limit int
}

// Begin begins a page of a list. name is the operation with all its filters, as JSON
// values: a token of another name is refused. It fails with Invalid.
func (p Pager) Begin(page Page, name ...any) (List, error) {
	l := List{pages: p, name: name}
	var err error
	if l.limit, err = page.Size(Default); err != nil {
		return l, err
	}
	return l, p.Open(page.Token, l.name, &l.After)
}

// From returns the key from which to scan: first for the first page, otherwise the key
// after the page before.
func (l List) From(first string) string {
	if l.After == "" {
		return first
	}
	return store.After(l.After)
}

// Ahead is commit.Ahead for the rows of a page.
func Ahead[R any](l List, r store.Reader, rows iter.Seq2[store.Row[R], error], wants func(*commit.Wants, store.Row[R])) iter.Seq2[store.Row[R], error] {
	return commit.Ahead(r, l.limit+1, rows, wants)
}

// Fill reads rows until the page is full with the items that pick returns with true, or
// RowsMax rows are read. It returns the page, and the token of the next one, "" if the rows
// ended. It fails with the first error of rows or pick.
func Fill[R, T any](l List, rows iter.Seq2[store.Row[R], error], pick func(store.Row[R]) (T, bool, error)) ([]T, string, error) {
	return FillOf(l, RowsMax, rows, pick)
}

// FillOf is Fill that reads at most rowsMax rows.
func FillOf[R, T any](l List, rowsMax int, rows iter.Seq2[store.Row[R], error], pick func(store.Row[R]) (T, bool, error)) ([]T, string, error) {
	var page []T
	seen, last := 0, ""
	for row, err := range rows {
		if err != nil {
			return nil, "", err
		}
		if len(page) == l.limit || seen == rowsMax {
			return page, l.pages.Seal(l.name, last), nil
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
