package commit

import (
	"context"
	"math"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Witness is told what the commands of a request write, in the transaction that writes it.
type Witness interface {
	// Wants names what Testify will read, as Submit has it.
	Wants(*Wants)
	// Sees reports whether the witness wants to see the records of a table. What a record was before is read
	// when a command writes it; that costs least of tables whose records commands read anyway. Sees always returns
	// the same.
	Sees(store.Table) bool
	// Testify is called when a command has written something and all its seals have run, with what the
	// witness has seen of that. What it writes into tx is part of the command, and its error fails the
	// command. Like a command it may be called again, in another transaction, and must keep nothing outside of
	// tx.
	Testify(tx *Tx, wrote []Write) error
}

// Write is what a command has made of one record or execution: its state before the command and after
// it. The Before or the After of one that was not there, or is not there any more, is nil. They may be the same.
type Write struct {
	Table         store.Table // empty for an execution
	Key           string
	Before, After []byte

	ExecutionBefore, ExecutionAfter *muster.Execution
}

type witnessKey struct{}

// Witnessed returns a context for whose commands w testifies: those that are run by Do with it.
func Witnessed(ctx context.Context, w Witness) context.Context {
	return context.WithValue(ctx, witnessKey{}, w)
}

// witnessed returns fn with the witness of ctx, if it has one, and what that reads beside wants.
func witnessed[T any](ctx context.Context, fn func(*Tx) (T, error), wants []func(*Wants)) (func(*Tx) (T, error), []func(*Wants)) {
	w, ok := ctx.Value(witnessKey{}).(Witness)
	if !ok {
		return fn, wants
	}
	return func(tx *Tx) (T, error) {
		tx.seen = &sight{by: w, records: map[store.RecordKey]int{}}
		tx.Before(math.MaxInt, func() error { return testify(tx) }) // after all other seals, which write too
		return fn(tx)
	}, append(slices.Clip(wants), w.Wants)
}

// sight is what a witness sees of the running command.
type sight struct {
	by      Witness
	wrote   []Write
	records map[store.RecordKey]int // the places of records in wrote
	err     error                   // of reading what was there before
}

// record notes that a record is about to become after.
func (s *sight) record(t *Tx, table store.Table, key string, after []byte) {
	if s == nil || s.err != nil || !s.by.Sees(table) {
		return
	}
	at, seen := s.records[store.RecordKey{Table: table, Key: key}]
	if !seen {
		before, err := t.Tx.Get(table, key)
		if err != nil {
			s.err = err
			return
		}
		at = len(s.wrote)
		s.records[store.RecordKey{Table: table, Key: key}] = at
		s.wrote = append(s.wrote, Write{Table: table, Key: key, Before: before})
	}
	s.wrote[at].After = slices.Clone(after)
}

// execution notes that an execution is about to change.
func (s *sight) execution(before, after *muster.Execution) {
	if s != nil {
		s.wrote = append(s.wrote, Write{ExecutionBefore: before, ExecutionAfter: after})
	}
}

// testify has the witness testify of what it has seen.
func testify(t *Tx) error {
	s := t.seen
	t.seen = nil // it need not see what it writes itself
	if s.err != nil || !t.wrote {
		return s.err
	}
	return s.by.Testify(t, s.wrote)
}
