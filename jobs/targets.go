package jobs

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
func (s *Jobs) targets(r store.Reader, had, add []muster.Target) ([]muster.Target, error) {
	all := slices.Clone(had)
	known := map[string]bool{}
	for _, t := range had {
		known[t.ID] = true
	}
	for _, t := range add {
		var err error
		if t.ID, _, err = lookup.Target(r, t); err != nil {
			return nil, err
		}
		if t.ID == "" {
			return nil, muster.Errorf(muster.NotFound, "The target %s does not exist", s.account.TargetARN(t))
		}
		if !known[t.ID] {
			known[t.ID] = true
			all = append(all, t)
		}
	}
	return all, nil
}

// covers reports whether a target of j has one of these ids.
func covers(j *muster.Job, ids []string) bool {
	return slices.ContainsFunc(j.Targets, func(t muster.Target) bool { return slices.Contains(ids, t.ID) })
}
