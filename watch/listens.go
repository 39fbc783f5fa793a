package watch

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/explain"
)

// Listeners know who is subscribed: dataplane.Notifier on a server that is alone, cluster.Listeners on one of several.
type Listeners interface {
	// Listen returns, for each of the things, whether somebody is subscribed to its notify or notify-next in a namespace, be it
	// a session that is kept. certain is false if there may be others beside. It takes a second at most.
	Listen(ctx context.Context, namespace muster.Namespace, things []muster.ThingName) (anybody []bool, certain bool)
}

// unknown are the Listeners when there are none.
type unknown struct{}

func (unknown) Listen(_ context.Context, _ muster.Namespace, things []muster.ThingName) (anybody []bool, certain bool) {
	return make([]bool, len(things)), false
}

// listens returns, for each of the things, whether somebody listens for it in a namespace.
func (w *Watch) listens(ctx context.Context, ns muster.Namespace, things []muster.ThingName) []explain.Known {
	known := make([]explain.Known, len(things))
	anybody, certain := w.o.Listeners.Listen(ctx, ns, things)
	for i := range known {
		switch {
		case anybody[i]:
			known[i] = explain.Yes
		case certain:
			known[i] = explain.No
		}
	}
	return known
}
