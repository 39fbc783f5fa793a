package store

import (
	"bytes"
	"iter"
	"maps"
	"slices"
)

// Overlay is a Reader with changes of records on top of it that stay in memory.
// Everything but records is as in the Reader. It is for one goroutine, and must
// not be used for longer than the Reader.
type Overlay struct {
	Reader
	changed map[Table]map[string][]byte // nil values are deleted
}

var _ Records = (*Overlay)(nil)

// NewOverlay returns an overlay on r without a change.
func NewOverlay(r Reader) *Overlay {
	return &Overlay{Reader: r, changed: map[Table]map[string][]byte{}}
}

// Put writes a record.
func (o *Overlay) Put(table Table, key string, value []byte) {
	o.change(table, key, append([]byte{}, value...))
}

// Delete removes a record if it is there.
func (o *Overlay) Delete(table Table, key string) { o.change(table, key, nil) }

func (o *Overlay) change(table Table, key string, value []byte) {
	if o.changed[table] == nil {
		o.changed[table] = map[string][]byte{}
	}
	o.changed[table][key] = value
}

// Get returns the record under key, or nil when there is none.
func (o *Overlay) Get(table Table, key string) ([]byte, error) {
	if value, ok := o.changed[table][key]; ok {
		return bytes.Clone(value), nil
	}
	return o.Reader.Get(table, key)
}

// Scan yields the records with from <= key < to in key order.
func (o *Overlay) Scan(table Table, from, to string) iter.Seq2[Record, error] {
	changed := maps.Clone(o.changed[table]) // the loop may change them
	if len(changed) == 0 {
		return o.Reader.Scan(table, from, to)
	}
	var keys []string
	for key := range changed {
		if key >= from && (to == "" || key < to) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return func(yield func(Record, error) bool) {
		rest := keys
		// changes yields those that come before a key.
		changes := func(before string, all bool) bool {
			for ; len(rest) > 0 && (all || rest[0] < before); rest = rest[1:] {
				if value := changed[rest[0]]; value != nil && !yield(Record{Key: rest[0], Value: bytes.Clone(value)}, nil) {
					return false
				}
			}
			return true
		}
		for row, err := range o.Reader.Scan(table, from, to) {
			if err != nil {
				yield(row, err)
				return
			}
			if !changes(row.Key, false) {
				return
			}
			if _, ok := changed[row.Key]; !ok && !yield(row, nil) {
				return
			}
		}
		changes("", true)
	}
}
