package registry

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// theIndex is the key of the only record in indexStates.
const theIndex = "things"

// indexState is the stored state of the index of things. A store without one begins to
// fill the index (the zero Stage).
//
// A change of what is indexed goes through the stages clearing, filling and complete,
// in background steps. Commands write the entries of the things that they change in
// every stage, whether the step has passed the thing or not: an entry written twice is
// the same row. Searches wait until the index is complete.
type indexState struct {
	Config muster.IndexingConfig
	Stage  indexStage
	After  string `json:",omitempty"` // while filling: the last thing that was indexed
}

type indexStage uint8

const (
	filling  indexStage = iota // the entries of existing things are being written
	clearing                   // the entries of the configuration before are being deleted
	complete                   // the index has all entries, or is off
)

// ready reports whether the index can be searched.
func (s indexState) ready() bool { return s.Config.Things && s.Stage == complete }

func indexStateOf(r store.Reader) (indexState, error) {
	s, err := tables.indexStates.Get(r, theIndex)
	if err != nil || s == nil {
		return indexState{Config: muster.DefaultIndexing()}, err
	}
	return *s, nil
}

// IndexingConfiguration returns what is indexed.
func (s *Registry) IndexingConfiguration(ctx context.Context) (muster.IndexingConfig, error) {
	var state indexState
	err := s.commits.View(ctx, func(r store.Reader) (err error) {
		state, err = indexStateOf(r)
		return err
	})
	return state.Config, err
}

// UpdateIndexingConfiguration replaces what is indexed by what change makes of it;
// change may be called more than once. If the index of things changes it is built again
// in the background; then the dynamic groups search for their members again. While
// things are not indexed dynamic groups keep the members that they have.
func (s *Registry) UpdateIndexingConfiguration(ctx context.Context, change func(muster.IndexingConfig) muster.IndexingConfig) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		state, err := indexStateOf(tx)
		if err != nil {
			return err
		}
		was := state.Config
		state.Config = change(was)
		if state.Config.Things != was.Things || state.Config.Connectivity != was.Connectivity {
			state.Stage, state.After = clearing, ""
		}
		return s.index.putState(tx, state)
	})
}

func (ix *index) putState(tx *commit.Tx, s indexState) error {
	tx.Wake(0)
	tables.indexStates.Put(tx, theIndex, s)
	_, err := ix.changeView(tx)
	return err
}

// stepExtent does the next step of clearing or filling the index.
func (ix *index) stepExtent(tx *commit.Tx) error {
	x, err := ix.view(tx)
	if err != nil {
		return err
	}
	s := x.state
	switch s.Stage {
	case clearing:
		if left, err := ix.clearSome(tx); err != nil || left {
			return err
		}
		s.Stage = filling
		if !s.Config.Things {
			s.Stage = complete
			for _, g := range x.dynamic {
				if err := ix.jobs.GroupKnown(tx, g.ID); err != nil {
					return err
				}
			}
		}
	case filling:
		more := false
		if s.After, more, err = ix.fillSome(tx, s); err != nil {
			return err
		}
		if !more {
			s.Stage, s.After = complete, ""
			for _, g := range x.dynamic {
				ix.startBuilding(tx, g.Group)
			}
		}
	case complete:
		return nil
	}
	return ix.putState(tx, s)
}

// clearSome deletes stepMax entries and reports whether there are more.
func (ix *index) clearSome(tx *commit.Tx) (more bool, err error) {
	n := 0
	for _, table := range []store.Of[store.Link]{tables.entries, tables.numbers} {
		for row, err := range table.Scan(tx, "", "") {
			if err != nil {
				return false, err
			}
			if n++; n > stepMax {
				return true, nil
			}
			table.Delete(tx, row.Key)
		}
	}
	return false, nil
}

// fillSome indexes the next stepMax things after s.After. It returns the last of them and
// whether there are more.
func (ix *index) fillSome(tx *commit.Tx, s indexState) (last string, more bool, err error) {
	n, last := 0, s.After
	from := ""
	if last != "" {
		from = store.After(last)
	}
	rows := commit.Ahead(tx, stepMax+1, tables.things.Scan(tx, from, ""), func(w *commit.Wants, row store.Row[muster.Thing]) {
		wantDocument(w, s.Config, row.Value.Name)
	})
	for row, err := range rows {
		if err != nil {
			return last, false, err
		}
		if n++; n > stepMax {
			return last, true, nil
		}
		d, err := documentOf(tx, s.Config, row.Value)
		if err != nil {
			return last, false, err
		}
		writeEntries(tx, row.Value.Name, nil, d)
		last = row.Key
	}
	return last, false, nil
}

// buildingMax bounds the dynamic groups that one round of background work searches
// members for: after the index was built, all of them have to.
const buildingMax = 8

// indexWork is the background work that is due for the index.
type indexWork struct {
	absent bool               // things that processes which are gone left connected are not all marked yet
	extent bool               // the index is being filled or cleared
	groups []muster.GroupName // those that search for members
}

func (w indexWork) any() bool { return w.absent || w.extent || len(w.groups) > 0 }

// indexWork looks up the work that is due.
func (s *Registry) indexWork(r store.Reader) (indexWork, error) {
	state, err := indexStateOf(r)
	w := indexWork{extent: state.Stage != complete}
	if err != nil {
		return w, err
	}
	if w.absent, err = s.connections.mayBeLeft(r); err != nil || !state.ready() {
		return w, err
	}
	for row, err := range tables.building.Scan(r, "", "") {
		if err != nil {
			return w, err
		}
		if w.groups = append(w.groups, muster.GroupName(row.Key)); len(w.groups) == buildingMax {
			break
		}
	}
	return w, nil
}

// indexSteps returns the next steps of w.
func (s *Registry) indexSteps(w indexWork) []func(*commit.Tx) error {
	var steps []func(*commit.Tx) error
	if w.absent {
		steps = append(steps, s.connections.disconnectLeft)
	}
	for range commit.StepsAhead {
		if w.extent {
			steps = append(steps, s.index.stepExtent)
		}
		for _, name := range w.groups {
			steps = append(steps, func(tx *commit.Tx) error { return s.index.stepBuilding(tx, name) })
		}
	}
	return steps
}
