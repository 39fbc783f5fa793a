package engine

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// This file is about who the targets of a job are: the things and groups that
// had those names when they became targets, known by their ids (arbitration A22).

// targetKey is the key of a job in the tables by target.
func targetKey(t muster.Target, id muster.JobID) string { return store.JoinKey(t.ID, string(id)) }

// targets returns had followed by those of add that are new, with their ids. All
// of add must exist.
func (e *Engine) targets(r store.Reader, had, add []muster.Target) ([]muster.Target, error) {
	all := slices.Clone(had)
	known := map[string]bool{}
	for _, t := range had {
		known[t.ID] = true
	}
	for _, t := range add {
		var err error
		if t.ID, err = presentID(r, t); err != nil {
			return nil, err
		}
		if t.ID == "" {
			return nil, muster.Errorf(muster.NotFound, "The target %s does not exist", e.o.Account.TargetARN(t))
		}
		if !known[t.ID] {
			known[t.ID] = true
			all = append(all, t)
		}
	}
	return all, nil
}

// presentTarget returns the id of the thing or group that has the name of t now, and
// when it was created. The id is "" when there is none.
func presentTarget(r store.Reader, t muster.Target) (id string, created muster.Instant, err error) {
	if t.Group {
		g, err := groups.Get(r, t.Name)
		if err != nil || g == nil {
			return "", 0, err
		}
		return g.ID, g.CreatedAt, nil
	}
	thing, err := things.Get(r, t.Name)
	if err != nil || thing == nil {
		return "", 0, err
	}
	return thing.ID, thing.CreatedAt, nil
}

func presentID(r store.Reader, t muster.Target) (string, error) {
	id, _, err := presentTarget(r, t)
	return id, err
}

// isThere reports whether a target has not been deleted.
func isThere(r store.Reader, t muster.Target) (bool, error) {
	id, err := presentID(r, t)
	return err == nil && id == t.ID, err
}

// covers reports whether a target of j has one of these ids.
func covers(j *muster.Job, ids []string) bool {
	return slices.ContainsFunc(j.Targets, func(t muster.Target) bool { return slices.Contains(ids, t.ID) })
}

// targetedBy returns the ids of all targets by which a job covers a thing: its own
// and those of the groups that it is in and of all above them.
func targetedBy(r store.Reader, thing muster.ThingName) ([]string, error) {
	t, err := things.Get(r, string(thing))
	if err != nil || t == nil {
		return nil, err
	}
	in, err := groupsOf(r, thing)
	return append(lineages(in), t.ID), err
}
