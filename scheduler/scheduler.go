// Package scheduler calls background work when it is due. It is the only part of
// the service that sleeps until a deadline. It decides nothing: what is due, and
// what happens then, are rules of the work that it calls.
package scheduler

import (
	"context"
	"log/slog"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
)

// Work is the background work that a Scheduler drives; *service.Service implements
// it.
type Work interface {
	// Work does a bounded amount of what is due and says when to call it again.
	Work(ctx context.Context) (commit.Agenda, error)
}

// idleMax is the longest sleep. Work returns the next stored deadline and Due
// announces earlier ones, so this only bounds how late a deadline is noticed
// after the system clock was set forward.
const idleMax = time.Minute

// retryAfter is the pause after a call of Work that failed.
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

// Due says that there may be work earlier than the last call of Work said. It
// never blocks; it fits commit.Watcher.
func (s *Scheduler) Due() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// Run calls w until ctx ends. A call that fails is logged and repeated after a
// second.
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
