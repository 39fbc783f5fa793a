package pgstore

import (
	"errors"

	"github.com/muster-iot/muster/store"
)

// reread is what a transaction reads after its COMMIT, in the same trip: statements that come later in a
// batch have snapshots of their own. The zero reread is nothing.
type reread struct {
	wanted store.Wanted
	got    func(store.Reader)
	found  *changes
}

// Reread implements store.Rereader. Where there are shards one server cannot be asked for all in one trip,
// so nothing is read.
func (t *tx) Reread(w store.Wanted, got func(store.Reader)) {
	if t.own.shards == nil {
		t.reread = reread{wanted: w, got: got, found: &changes{}}
	}
}

func (r *reread) requests() []request {
	if r.got == nil {
		return nil
	}
	return r.found.ask(r.wanted)
}

// tell hands on what was read.
func (r *reread) tell() {
	if r.got != nil {
		r.got(&reader{s: &session{take: func([]request) error { return errors.New("pgstore: this is not read again") }}, own: r.found, view: true})
	}
}
