package store

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
)

// recordVersion is the first byte of every record: the form of the other bytes.
// A reader refuses a form that it does not know.
const recordVersion = 1

// Of is a table whose records are values of type T, kept as JSON after a
// version byte. T's JSON field names are a promise to later releases.
type Of[T any] struct{ Table Table }

// Get returns the value under key, or nil when there is none.
func (t Of[T]) Get(r Reader, key string) (*T, error) {
	b, err := r.Get(t.Table, key)
	if err != nil || b == nil {
		return nil, err
	}
	return t.Decode(key, b)
}

// Has reports whether there is a value under key.
func (t Of[T]) Has(r Reader, key string) (bool, error) {
	b, err := r.Get(t.Table, key)
	return b != nil, err
}

// Require returns the value under key, and the error that missing makes when
// there is none.
func (t Of[T]) Require(r Reader, key string, missing func() error) (T, error) {
	v, err := t.Get(r, key)
	if err == nil && v == nil {
		err = missing()
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return *v, nil
}

// AnyUnder reports whether there is a key whose first parts these are and that
// has at least one more.
func (t Of[T]) AnyUnder(r Reader, parts ...string) (bool, error) {
	from, to := Under(parts...)
	for _, err := range r.Scan(t.Table, from, to) {
		return err == nil, err
	}
	return false, nil
}

// Full reports whether the table has at least limit rows, looking at no more of
// them. A limit of zero is never reached.
func (t Of[T]) Full(r Reader, limit int) (bool, error) {
	if limit == 0 {
		return false, nil
	}
	n := 0
	for _, err := range r.Scan(t.Table, "", "") {
		if err != nil {
			return false, err
		}
		if n++; n == limit {
			return true, nil
		}
	}
	return false, nil
}

// Put writes v under key.
func (t Of[T]) Put(w Writer, key string, v T) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("store: %s record is not JSON: %v", t.Table, err)) // the type is wrong, not the value
	}
	w.Put(t.Table, key, append([]byte{recordVersion}, b...))
}

// Delete removes the value under key, if there is one.
func (t Of[T]) Delete(w Writer, key string) { w.Delete(t.Table, key) }

// Scan yields keys and values with from <= key < to, in key order.
func (t Of[T]) Scan(r Reader, from, to string) iter.Seq2[Row[T], error] {
	return func(yield func(Row[T], error) bool) {
		for rec, err := range r.Scan(t.Table, from, to) {
			var row Row[T]
			if err == nil {
				row.Key = rec.Key
				var v *T
				if v, err = t.Decode(rec.Key, rec.Value); err == nil {
					row.Value = *v
				}
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// Every yields keys and values of the whole table. It calls bad for each record
// that cannot be read and continues, for verification; Scan ends at the first.
func (t Of[T]) Every(r Reader, bad func(error)) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for rec, err := range r.Scan(t.Table, "", "") {
			if err != nil {
				bad(fmt.Errorf("store: table %s: %w", t.Table, err))
				return
			}
			v, err := t.Decode(rec.Key, rec.Value)
			if err != nil {
				bad(err)
			} else if !yield(rec.Key, *v) {
				return
			}
		}
	}
}

// Checker is a table that can say which of its records cannot be read; every Of
// is one.
type Checker interface {
	Name() Table
	Check(r Reader, bad func(error))
}

// Name returns the name of the table.
func (t Of[T]) Name() Table { return t.Table }

// Check calls bad for each record of the table that cannot be read.
func (t Of[T]) Check(r Reader, bad func(error)) {
	for range t.Every(r, bad) {
	}
}

// Link is a record whose key says everything.
type Link struct{}

// Row is one key and its value.
type Row[T any] struct {
	Key   string
	Value T
}

// Decode returns the value of the record b, which was stored under key. It fails
// for a form that this release does not know.
func (t Of[T]) Decode(key string, b []byte) (*T, error) {
	if len(b) == 0 || b[0] != recordVersion {
		return nil, fmt.Errorf("store: %s record %q has a form this release does not know", t.Table, key)
	}
	v := new(T)
	if err := json.Unmarshal(b[1:], v); err != nil {
		return nil, fmt.Errorf("store: %s record %q: %w", t.Table, key, err)
	}
	return v, nil
}

// keySeparator joins the parts of a key. No name that reaches a store may contain
// it, so that keys with common first parts are adjacent and can be split again.
const keySeparator = "\x00"

// JoinKey makes a key of parts, which must not contain NUL.
func JoinKey(parts ...string) string { return strings.Join(parts, keySeparator) }

// SplitKey is the inverse of JoinKey.
func SplitKey(key string) []string { return strings.Split(key, keySeparator) }

// Under returns the bounds, for Scan, of all keys that begin with these parts and
// have at least one more.
func Under(parts ...string) (from, to string) {
	prefix := JoinKey(parts...)
	return prefix + keySeparator, prefix + "\x01"
}

// TimeKey is a part of a key that sorts by an instant, the earliest first.
func TimeKey(at muster.Instant) string { return fmt.Sprintf("%016x", uint64(at)) }

// TimeIn is the inverse of TimeKey; it is 0 for another string.
func TimeIn(part string) muster.Instant {
	at, _ := strconv.ParseUint(part, 16, 64)
	return muster.Instant(at)
}

// LatestKey is a part of a key that sorts by an instant, the latest first.
func LatestKey(at muster.Instant) string { return fmt.Sprintf("%016x", math.MaxInt64-uint64(at)) }

// After returns the smallest key that follows key.
func After(key string) string { return key + "\x00" }

// EachAfter calls fn for up to limit rows of a table that come after a key. It
// returns the last of them and whether there are more.
func EachAfter[T any](s Records, table Of[T], after string, limit int, fn func(Row[T]) error) (string, bool, error) {
	from := ""
	if after != "" {
		from = After(after)
	}
	n := 0
	for row, err := range table.Scan(s, from, "") {
		if err != nil {
			return after, false, err
		}
		if n++; n > limit {
			return after, true, nil
		}
		if err := fn(row); err != nil {
			return after, false, err
		}
		after = row.Key
	}
	return after, false, nil
}
