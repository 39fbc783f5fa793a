package integrity

import (
	"bytes"
	"iter"

	"github.com/muster-iot/muster/store"
)

// A table is walked once walkAfter keys in a row were asked for in order, and for as long
// as the next key is at most stepsMax rows on. A point read takes as long as some twenty
// steps, and a walk that begins as long as a few point reads.
const (
	walkAfter = 4
	stepsMax  = 16
)

// inOrder is a Reader that answers questions in the order of keys by walking over the
// table. The rows of one table are checked against another one in its order mostly, and a
// step takes far less time than a point read. What is asked in no order goes to the Reader
// below. Must be closed.
type inOrder struct {
	store.Reader
	walks map[store.Table]*walk
}

func newInOrder(r store.Reader) *inOrder {
	return &inOrder{Reader: r, walks: map[store.Table]*walk{}}
}

// close ends all walks.
func (r *inOrder) close() {
	for _, w := range r.walks {
		w.end()
	}
}

// Get returns the record under key, or nil when there is none.
func (r *inOrder) Get(table store.Table, key string) ([]byte, error) {
	w := r.ask(table, key)
	switch {
	case !w.walking():
		return r.Reader.Get(table, key)
	case w.ended || w.at.Key != key:
		return nil, nil
	}
	return bytes.Clone(w.at.Value), nil
}

// Scan yields the records with from <= key < to in key order. An empty to means no upper
// bound; such a Scan is a walk of its own.
func (r *inOrder) Scan(table store.Table, from, to string) iter.Seq2[store.Record, error] {
	if to == "" {
		return r.Reader.Scan(table, from, to)
	}
	return func(yield func(store.Record, error) bool) {
		w := r.ask(table, from)
		for ; w.walking(); w = r.ask(table, from) {
			if w.ended || w.at.Key >= to {
				return
			}
			from = store.After(w.at.Key)
			if !yield(store.Record{Key: w.at.Key, Value: bytes.Clone(w.at.Value)}, nil) {
				return
			}
		}
		for row, err := range r.Reader.Scan(table, from, to) {
			if !yield(row, err) {
				return
			}
		}
	}
}

// ask notes that a key is asked for. If the table is walked then, the walk is at the
// first row from there on.
func (r *inOrder) ask(table store.Table, key string) *walk {
	w := r.walks[table]
	if w == nil {
		w = new(walk)
		r.walks[table] = w
	}
	w.ask(key, func() iter.Seq2[store.Record, error] { return r.Reader.Scan(table, key, "") })
	return w
}

// walk is what is known of the questions about one table, and the walk over it if there
// is one.
type walk struct {
	asked string // the last key
	order int    // how many keys were asked for in order until then

	next  func() (store.Record, error, bool) // nil while there is no walk
	stop  func()
	at    store.Record // the first row at or after asked
	ended bool         // there is no such row
}

func (w *walk) walking() bool { return w.next != nil }

func (w *walk) ask(key string, from func() iter.Seq2[store.Record, error]) {
	if key < w.asked {
		w.end()
	}
	w.asked = key
	if w.order++; w.order == walkAfter {
		w.next, w.stop = iter.Pull2(from())
		w.step()
	}
	for n := 0; w.walking() && !w.ended && w.at.Key < key; n++ {
		if n == stepsMax {
			w.end()
			return
		}
		w.step()
	}
}

// step goes one row on. An error ends the walk: a row that nobody asks for need not be
// readable.
func (w *walk) step() {
	row, err, ok := w.next()
	if err != nil {
		w.end()
		return
	}
	w.at, w.ended = row, !ok
}

// end ends the walk, if there is one. Another one begins when there is order again.
func (w *walk) end() {
	if w.walking() {
		w.stop()
	}
	*w = walk{asked: w.asked}
}
