package eventlog

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store/memstore"
)

// While nothing can be written, a sink gets events until there are too many to remember,
// and then again when there is room.
func TestASinkWaitsWhileTooManyEventsCannotBeRemoved(t *testing.T) {
	var full atomic.Bool
	room := func(reserve.Use, int64) error {
		if full.Load() {
			return fmt.Errorf("full")
		}
		return nil
	}
	commits := commit.New(commit.Options{Store: memstore.New(), Now: func() muster.Instant { return 1 }, Room: room})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- commits.Run(ctx) }()
	defer func() { stop(); <-ended }()
	l := New(Options{Commits: commits, Sinks: Sinks{Subscribers: true}})

	taken := make([]Event, leftMax)
	for i := range taken {
		taken[i].Place = formerPlace(uint64(i + 1))
	}
	full.Store(true)
	l.Taken(Subscribers, taken[1:])
	if _, err := l.Events(t.Context(), Subscribers, 1); err != nil {
		t.Errorf("with one event less than too many, Events fails: %v", err)
	}
	l.Taken(Subscribers, taken[:1])
	if _, err := l.Events(t.Context(), Subscribers, 1); err == nil {
		t.Error("with too many events that cannot be removed Events goes on")
	}
	full.Store(false)
	if _, err := l.Events(t.Context(), Subscribers, 1); err == nil {
		t.Error("at first Events goes on")
	}
	if _, err := l.Events(t.Context(), Subscribers, 1); err != nil {
		t.Errorf("when some could be removed Events fails: %v", err)
	}
	if err := commits.Do(t.Context(), func(*commit.Tx) error { return nil }); err != nil { // after the removal
		t.Fatal(err)
	}
	if n := len(l.readers[Subscribers].taken); n != leftMax-removeMax {
		t.Errorf("%d events are remembered, want %d", n, leftMax-removeMax)
	}
}
