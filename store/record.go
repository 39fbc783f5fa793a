package store

import (
	"encoding/json"
	"fmt"
	"iter"
	"strings"
)

// recordVersion is the first byte of every record: the form of the other bytes.
// A reader refuses a form that it does not know.
const recordVersion = 1

// Of is a table whose records are values of type T, kept as JSON behind a
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

// Check calls bad for each record of the table that cannot be read.
func (t Of[T]) Check(r Reader, bad func(error)) {
	for range t.Every(r, bad) {
	}
}

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

// After returns the smallest key that follows key.
func After(key string) string { return key + "\x00" }
