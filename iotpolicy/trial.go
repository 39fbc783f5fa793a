package iotpolicy

import (
	"maps"
	"slices"
)

// Trial is a decision with all that can be told about it, for people who ask
// why. It takes longer to make than a Decision.
type Trial struct {
	Decision
	Each    []Decision // what each policy of the set says by itself, in order
	Missing []string   // keys that statements asked for and that had no value, sorted
}

// Try decides as Decide does, and explains.
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
