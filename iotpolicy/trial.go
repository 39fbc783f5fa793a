package iotpolicy

import (
	"maps"
	"slices"
)

// Trial is a decision with its reasons, for people who ask why. It costs more than a
// Decision.
type Trial struct {
	Decision
	Each    []Decision // the decision of each policy of the set on its own, in order
	Missing []string   // keys that statements use and that had no value, sorted
}

// Try makes the same decision as Decide and explains it.
func (s Set) Try(r Request) Trial {
	missing := map[string]bool{}
	vars := r.Vars
	if vars == nil {
		vars = noVars
	}
	r.Vars = func(key string) ([]string, bool) {
		values, ok := vars(key)
		if !ok {
			missing[key] = true
		}
		return values, ok
	}
	t := Trial{Decision: s.Decide(r)}
	for _, p := range s {
		t.Each = append(t.Each, Set{p}.Decide(r))
	}
	t.Missing = slices.Sorted(maps.Keys(missing))
	return t
}
