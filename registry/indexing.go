package registry

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// theIndex is the key of the only record in indexStates.
const theIndex = "things"

// indexState is how far the index of things is. The zero Stage is that of a
// folder that has none yet.
type indexState struct {
	Config muster.IndexingConfig
	Stage  indexStage
	After  string `json:",omitempty"` // while filling: the last thing that is in it
}

type indexStage uint8

const (
	filling  indexStage = iota // the things that are there are being put in
	clearing                   // what an older configuration made is being taken out
	complete                   // every change is in it, or it is off
)

// ready reports whether the index can be asked.
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

// UpdateIndexingConfiguration lets change say what is indexed from now on. A
// different extent of the index of things is built in the background, and the
// dynamic groups look for their members anew after that; while it is off they
// keep those that they have.
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
	_, err := ix.refreshView(tx)
	return err
}

// stepIndex does the next piece of what is left to do for the index.
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

// clearIndex takes some entries out and reports whether there are more.
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

// fillIndex puts in some of the things behind s.After. It returns the last one.
func (ix *index) fillSome(tx *commit.Tx, s indexState) (last string, more bool, err error) {
	n, last := 0, s.After
	from := ""
	if last != "" {
		from = store.After(last)
	}
	for row, err := range tables.things.Scan(tx, from, "") {
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

// buildingMax bounds the dynamic groups that one round works on: after the index
// was switched on again all of them look for their members.
const buildingMax = 8

// indexWork is what the index has to do in the background.
type indexWork struct {
	absent bool // things are to be found that an earlier process left connected
	extent bool // the index is being built or emptied
	groups []muster.GroupName
}

func (w indexWork) any() bool { return w.absent || w.extent || len(w.groups) > 0 }

// indexWork looks up what there is to do now.
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

// indexSteps returns the next pieces of the work.
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
