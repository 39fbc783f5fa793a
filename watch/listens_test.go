package watch_test

import (
	"context"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/watch"
)

// listeners are the things that somebody listens for.
type listeners struct {
	heard   []muster.ThingName
	certain bool
}

func (l listeners) Listen(_ context.Context, ns muster.Namespace, things []muster.ThingName) ([]bool, bool) {
	anybody := make([]bool, len(things))
	for i, thing := range things {
		anybody[i] = ns == "" && slices.Contains(l.heard, thing)
	}
	return anybody, l.certain
}

// That nobody listens is said only when it is certain.
func TestHeard(t *testing.T) {
	things := []muster.ThingName{"pump", "lamp"}
	for certain, want := range map[bool][]explain.Known{
		true:  {explain.Yes, explain.No},
		false: {explain.Yes, explain.NotKnown},
	} {
		l := watch.Heard(listeners{heard: []muster.ThingName{"pump"}, certain: certain})
		if got := l.Listens(t.Context(), "", things); !slices.Equal(got, want) {
			t.Errorf("if that is certain (%v): %v, want %v", certain, got, want)
		}
	}
}
