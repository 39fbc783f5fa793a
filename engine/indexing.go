package engine

import (
	"context"

	"github.com/muster-iot/muster"
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
	s, err := indexStates.Get(r, theIndex)
	if err != nil || s == nil {
		return indexState{Config: muster.DefaultIndexing()}, err
	}
	return *s, nil
}

// IndexingConfiguration returns what is indexed.
func (e *Engine) IndexingConfiguration(ctx context.Context) (muster.IndexingConfig, error) {
	var s indexState
	err := e.view(ctx, func(r store.Reader) (err error) {
		s, err = indexStateOf(r)
		return err
	})
	return s.Config, err
}

// UpdateIndexingConfiguration lets change say what is indexed from now on. A
// different extent of the index of things is built in the background, and the
// dynamic groups look for their members anew after that; while it is off they
// keep those that they have.
func (e *Engine) UpdateIndexingConfiguration(ctx context.Context, change func(muster.IndexingConfig) muster.IndexingConfig) error {
	return e.do(ctx, func(b *batch) error {
		s, err := indexStateOf(b)
		if err != nil {
			return err
		}
		was := s.Config
		s.Config = change(was)
		if s.Config.Things != was.Things || s.Config.Connectivity != was.Connectivity {
			s.Stage, s.After = clearing, ""
		}
		return b.putIndexState(s)
	})
}

func (b *batch) putIndexState(s indexState) error {
	b.Wake(0)
	indexStates.Put(b, theIndex, s)
	_, err := b.refleet()
	return err
}

// stepIndex does the next piece of what is left to do for the index.
func (b *batch) stepIndex() error {
	x, err := b.fleet()
	if err != nil {
		return err
	}
	s := x.state
	switch s.Stage {
	case clearing:
		if left, err := b.clearIndex(); err != nil || left {
			return err
		}
		s.Stage = filling
		if !s.Config.Things {
			s.Stage = complete
			for _, g := range x.dynamic {
				if err := b.wakeWaiting(g.ID); err != nil {
					return err
				}
			}
		}
	case filling:
		more := false
		if s.After, more, err = b.fillIndex(s); err != nil {
			return err
		}
		if !more {
			s.Stage, s.After = complete, ""
			for _, g := range x.dynamic {
				b.rebuild(g.Group)
			}
		}
	case complete:
		return nil
	}
	return b.putIndexState(s)
}

// clearIndex takes some entries out and reports whether there are more.
func (b *batch) clearIndex() (more bool, err error) {
	n := 0
	for _, table := range []store.Of[link]{entries, numbers} {
		for row, err := range table.Scan(b, "", "") {
			if err != nil {
				return false, err
			}
			if n++; n > stepMax {
				return true, nil
			}
			table.Delete(b, row.Key)
		}
	}
	return false, nil
}

// fillIndex puts in some of the things behind s.After. It returns the last one.
func (b *batch) fillIndex(s indexState) (last string, more bool, err error) {
	n, last := 0, s.After
	from := ""
	if last != "" {
		from = store.After(last)
	}
	for row, err := range things.Scan(b, from, "") {
		if err != nil {
			return last, false, err
		}
		if n++; n > stepMax {
			return last, true, nil
		}
		d, err := documentOf(b, s.Config, row.Value)
		if err != nil {
			return last, false, err
		}
		b.post(row.Value.Name, nil, d)
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
func (e *Engine) indexWork(r store.Reader) (indexWork, error) {
	s, err := indexStateOf(r)
	w := indexWork{extent: s.Stage != complete}
	if err != nil {
		return w, err
	}
	if w.absent, err = e.leftConnected(r); err != nil || !s.ready() {
		return w, err
	}
	for row, err := range building.Scan(r, "", "") {
		if err != nil {
			return w, err
		}
		if w.groups = append(w.groups, muster.GroupName(row.Key)); len(w.groups) == buildingMax {
			break
		}
	}
	return w, nil
}

// steps returns the next pieces of the work.
func (w indexWork) steps() []func(*batch) error {
	var steps []func(*batch) error
	if w.absent {
		steps = append(steps, (*batch).absent)
	}
	for range stepsAhead {
		if w.extent {
			steps = append(steps, (*batch).stepIndex)
		}
		for _, name := range w.groups {
			steps = append(steps, func(b *batch) error { return b.stepBuilding(name) })
		}
	}
	return steps
}
