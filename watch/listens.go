package watch

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/explain"
)

// Listeners know who is subscribed: dataplane.Notifier on a server that is alone, cluster.Listeners on one of several.
type Listeners interface {
	// Listen returns, for each of the things, whether somebody is subscribed to its notifications in a namespace. certain is
	// false if there may be others beside.
	Listen(ctx context.Context, namespace muster.Namespace, things []muster.ThingName) (anybody []bool, certain bool)
}

// Heard returns what Listeners know as a Listening.
func Heard(by Listeners) Listening { return heard{by} }

type heard struct{ by Listeners }

func (h heard) Listens(ctx context.Context, ns muster.Namespace, things []muster.ThingName) []explain.Known {
	known := make([]explain.Known, len(things))
	if len(things) == 0 {
		return known
	}
	anybody, certain := h.by.Listen(ctx, ns, things)
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
