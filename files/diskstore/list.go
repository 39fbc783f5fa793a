package diskstore

import (
	"context"
	"iter"
	"strings"

	"github.com/muster-iot/muster/store"
)

// ListMax bounds the entries of one page, as S3 does.
const ListMax = 1000

// Query selects the objects, versions or multipart uploads of a page.
type Query struct {
	Prefix    string
	Delimiter string // keys that contain it after Prefix are grouped into a common prefix; empty for none
	After     string // a key or common prefix: the page begins after it
	// AfterID is the version or upload of the key After after which the page begins;
	// empty means after all of them.
	AfterID string
	Max     int // 0 … ListMax entries and common prefixes together
}

// Page is one page of a listing.
type Page[T any] struct {
	Items    []T
	Prefixes []string // common prefixes
	More     bool
	// Next and NextID are After and AfterID of the next page: the last key or common
	// prefix of this one, with its version or upload.
	Next, NextID string
}

// row is an entry of a listing with its key.
type row[T any] struct {
	key, id string
	value   T
}

// List returns the current versions of the objects of a bucket, sorted by key.
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

// ListVersions returns all versions and delete markers of a bucket, sorted by key, the
// newest first.
func (s *Store) ListVersions(ctx context.Context, bucket string, q Query) (Page[Version], error) {
	return list(ctx, s, bucket, q, func(r store.Reader, from, to string) iter.Seq2[row[Version], error] {
		return allVersions(r, from, to)
	})
}

// allVersions merges the current versions with the older ones.
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

// list reads rows of a bucket until a page is full. rows yields those whose keys in the
// index are between from and to, in order.
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
		return past(q.After) // a common prefix: skip all keys that it stands for
	}
	return q.After + "\x01" // NUL, which no key contains, separates a key from its versions
}

// lister collects the rows of a page.
type lister[T any] struct {
	q       Query
	page    *Page[T]
	passing bool // the row after which the page begins has not come yet
	done    bool
}

// take adds a row to the page, or skips it. It returns the key to continue from, or ""
// to continue with the next row.
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

// common returns the common prefix that a key belongs to, "" for none.
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

// past returns the first string after all that begin with prefix. prefix is not empty
// and, as UTF-8, does not end in the byte 0xff.
func past(prefix string) string {
	last := len(prefix) - 1
	return prefix[:last] + string([]byte{prefix[last] + 1})
}
