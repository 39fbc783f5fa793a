package watch

import (
	"context"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/explain"
)

// hears are Listeners for some things in the default namespace.
type hears struct {
	things  []muster.ThingName
	certain bool
}

func (h hears) Listen(_ context.Context, ns muster.Namespace, things []muster.ThingName) ([]bool, bool) {
	anybody := make([]bool, len(things))
	for i, thing := range things {
		anybody[i] = ns == "" && slices.Contains(h.things, thing)
	}
	return anybody, h.certain
}

// That nobody listens is said only when it is certain.
func TestListens(t *testing.T) {
	for name, c := range map[string]struct {
		by   Listeners
		want []explain.Known
	}{
		"certain":   {hears{[]muster.ThingName{"pump"}, true}, []explain.Known{explain.Yes, explain.No}},
		"uncertain": {hears{[]muster.ThingName{"pump"}, false}, []explain.Known{explain.Yes, explain.NotKnown}},
		"unknown":   {nil, []explain.Known{explain.NotKnown, explain.NotKnown}},
	} {
		if got := New(Options{Listeners: c.by}).listens(t.Context(), "", []muster.ThingName{"pump", "lamp"}); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
