package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// history notes what parts do, in order.
type history struct {
	mu     sync.Mutex
	events []string
}

func (h *history) note(event string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, event)
}

// part runs until its context ends, then takes an hour to finish.
func (h *history) part(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		h.note(name + " stops")
		time.Sleep(time.Hour)
		h.note(name + " ended")
		return nil
	}
}

func TestStagesStopOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h history
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if err := runStages(ctx, stage{h.part("doors")}, stage{h.part("service")}, stage{h.part("gateway")}); err != nil {
			t.Fatalf("runStages() = %v, want nil", err)
		}
		want := []string{"doors stops", "doors ended", "service stops", "service ended", "gateway stops", "gateway ended"}
		if !slices.Equal(h.events, want) {
			t.Errorf("runStages(): %q, want %q", h.events, want)
		}
	})
}

func TestAPartThatFailsStopsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h history
		broken := errors.New("disk full")
		fails := func(context.Context) error {
			time.Sleep(time.Minute)
			return broken
		}
		err := runStages(t.Context(), stage{h.part("doors")}, stage{fails})
		if !errors.Is(err, broken) {
			t.Errorf("runStages() = %v, want %v", err, broken)
		}
		if want := []string{"doors stops", "doors ended"}; !slices.Equal(h.events, want) {
			t.Errorf("runStages(): %q, want %q", h.events, want)
		}
	})
}
