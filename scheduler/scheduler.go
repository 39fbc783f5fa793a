// Package scheduler owns time: it calls the engine's background work when it is
// due, and is the only part of the service that sleeps until a deadline. It
// decides nothing; what is due, and what that means, are the engine's rules.
package scheduler

import (
	"context"
	"log/slog"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
)

// Work is what a Scheduler drives; *engine.Engine is one.
type Work interface {
	Work(ctx context.Context) (commit.Agenda, error)
}

// idleMax is the longest sleep. Every deadline is stored and Due announces the
// new ones, so this only bounds how long a clock that jumped goes unnoticed.
const idleMax = time.Minute

// retryAfter is the pause after a round that failed.
const retryAfter = time.Second

// Scheduler calls Work when it is due. Make it with New and keep Run running.
type Scheduler struct {
	now func() muster.Instant
	log *slog.Logger
	due chan struct{}
}

// New returns a scheduler that reads the time from now.
func New(now func() muster.Instant, log *slog.Logger) *Scheduler {
	return &Scheduler{now: now, log: log, due: make(chan struct{}, 1)}
}

// Due says that there may be work sooner than Work last said. It never blocks;
// it fits engine.Options.Due.
func (s *Scheduler) Due() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// Run drives w until ctx ends. A round that fails is logged and tried again.
func (s *Scheduler) Run(ctx context.Context, w Work) {
	for ctx.Err() == nil {
		agenda, err := w.Work(ctx)
		wait := idleMax
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("background work failed", "error", err)
			wait = retryAfter
		case agenda.More:
			continue
		case agenda.Next != 0:
			wait = min(wait, max(0, time.Duration(agenda.Next-s.now())*time.Millisecond))
		}
		s.sleep(ctx, wait)
	}
}

func (s *Scheduler) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.due:
	case <-ctx.Done():
	}
}
