package diskstore

import (
	"context"
	"iter"
	"strings"

	"github.com/muster-iot/muster/store"
)

// ListMax bounds what one listing returns, as S3 does.
const ListMax = 1000

// Query says which objects, versions or uploads a listing is of.
type Query struct {
	Prefix    string
	Delimiter string // keys that go on after one of these, beyond the prefix, count as one; empty for none
	After     string // a key or common prefix: the listing starts behind it
	// AfterID is the version or upload of the key After that the listing starts
	// behind; empty means behind all of them.
	AfterID string
	Max     int // 0 … ListMax entries and common prefixes together
}

// Page is a part of a listing.
type Page[T any] struct {
	Items    []T
	Prefixes []string // common prefixes
	More     bool
	// Next is the last key or common prefix, and NextID the version or upload:
	// After and AfterID of the next page.
	Next, NextID string
}

// row is something that can be listed under a key.
type row[T any] struct {
	key, id string
	value   T
}

// List returns the current versions of the objects of a bucket, in order of
// their keys.
func (s *Store) List(ctx context.Context, bucket string, q Query) (Page[Version], error) {
	return list(ctx, s, bucket, q, func(r store.Reader, from, to string) iter.Seq2[row[Version], error] {
		return func(yield func(row[Version], error) bool) {
			for found, err := range objects.Scan(r, from, to) {
				if !yield(versionRow(found, true), err) {
					return
				}
			}
		}
	})
}

// ListVersions returns all versions and delete markers of a bucket, in order of
// their keys and the newest first.
func (s *Store) ListVersions(ctx context.Context, bucket string, q Query) (Page[Version], error) {
	return list(ctx, s, bucket, q, func(r store.Reader, from, to string) iter.Seq2[row[Version], error] {
		return allVersions(r, from, to)
	})
}

// allVersions merges the current versions with the others.
func allVersions(r store.Reader, from, to string) iter.Seq2[row[Version], error] {
	return func(yield func(row[Version], error) bool) {
		next, stop := iter.Pull2(olds.Scan(r, from, to))
		defer stop()
		old, err, more := next()
		last := "" // the key of the row before
		flush := func(until string) bool {
			for more && (until == "" || old.Key < until) {
				v := versionRow(old, false)
				v.value.Latest = v.key != last
				last = v.key
				if !yield(v, err) || err != nil {
					return false
				}
				old, err, more = next()
			}
			return true
		}
		for now, err := range objects.Scan(r, from, to) {
			if err != nil {
				yield(row[Version]{}, err)
				return
			}
			if !flush(now.Key) {
				return
			}
			v := versionRow(now, true)
			last = v.key
			if !yield(v, nil) {
				return
			}
		}
		flush("")
	}
}

func versionRow(found store.Row[record], latest bool) row[Version] {
	key := ""
	if name := store.SplitKey(found.Key); len(name) > 1 {
		key = name[1]
	}
	v := found.Value.show(key, latest)
	return row[Version]{key, v.ID, v}
}

// list reads rows of a bucket until a page is full. rows yields those whose keys
// in the index lie between from and to, in order.
func list[T any](ctx context.Context, s *Store, bucket string, q Query, rows func(r store.Reader, from, to string) iter.Seq2[row[T], error]) (Page[T], error) {
	var page Page[T]
	err := s.o.Index.View(ctx, func(r store.Reader) error {
		page = Page[T]{}
		if _, err := bucketOf(r, bucket); err != nil {
			return err
		}
		if q.Max <= 0 || strings.ContainsRune(q.Prefix+q.After+q.AfterID, 0) {
			return nil
		}
		l := lister[T]{q: q, page: &page, passing: q.AfterID != ""}
		for from, more := q.start(), true; more; {
			more = false
			for found, err := range rows(r, store.JoinKey(bucket, from), bucket+"\x01") {
				if err != nil {
					return err
				}
				if from = l.take(found); from != "" || l.done {
					more = !l.done
					break
				}
			}
		}
		return nil
	})
	return page, err
}

// start returns the first key that may be listed.
func (q Query) start() string {
	switch {
	case q.After == "" || q.After < q.Prefix:
		return q.Prefix
	case q.AfterID != "":
		return q.After
	case q.Delimiter != "" && strings.HasSuffix(q.After, q.Delimiter) && strings.HasPrefix(q.After, q.Prefix) && q.After != q.Prefix:
		return past(q.After) // a common prefix: all that it stands for is behind
	}
	return q.After + "\x01" // NUL, which no key holds, divides a key from its versions
}

// lister fills a page.
type lister[T any] struct {
	q       Query
	page    *Page[T]
	passing bool // the row that the page begins behind has not come yet
	done    bool
}

// take looks at a row. It returns a key to go on from, or "" to go on with the
// next row.
func (l *lister[T]) take(found row[T]) (from string) {
	if !strings.HasPrefix(found.key, l.q.Prefix) {
		l.done = true
		return ""
	}
	if l.passing && found.key == l.q.After {
		l.passing = found.id != l.q.AfterID
		return ""
	}
	l.passing = false
	common := l.q.common(found.key)
	if len(l.page.Items)+len(l.page.Prefixes) == l.q.Max {
		l.page.More, l.done = true, true
		return ""
	}
	if common != "" {
		l.page.Prefixes = append(l.page.Prefixes, common)
		l.page.Next, l.page.NextID = common, ""
		return past(common)
	}
	l.page.Items = append(l.page.Items, found.value)
	l.page.Next, l.page.NextID = found.key, found.id
	return ""
}

// common returns the common prefix that a key counts under, "" for none.
func (q Query) common(key string) string {
	if q.Delimiter == "" {
		return ""
	}
	head, _, found := strings.Cut(key[len(q.Prefix):], q.Delimiter)
	if !found {
		return ""
	}
	return q.Prefix + head + q.Delimiter
}

// past returns the first string behind all that begin with prefix, which is not
// empty and, being UTF-8, does not end in the last byte there is.
func past(prefix string) string {
	last := len(prefix) - 1
	return prefix[:last] + string([]byte{prefix[last] + 1})
}
