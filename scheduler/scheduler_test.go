package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
)

// script answers the calls of Work one after the other and records when they
// came, in seconds since the start. After its last answer it is idle.
type script struct {
	start  time.Time
	rounds []func() (commit.Agenda, error)
	asked  []float64
}

func (s *script) Work(context.Context) (commit.Agenda, error) {
	s.asked = append(s.asked, time.Since(s.start).Seconds())
	if len(s.asked) > len(s.rounds) {
		return commit.Agenda{}, nil
	}
	return s.rounds[len(s.asked)-1]()
}

func in(d time.Duration) func() (commit.Agenda, error) {
	at := muster.At(time.Now().Add(d))
	return func() (commit.Agenda, error) { return commit.Agenda{Next: at}, nil }
}

func more() (commit.Agenda, error)   { return commit.Agenda{More: true}, nil }
func idle() (commit.Agenda, error)   { return commit.Agenda{}, nil }
func failed() (commit.Agenda, error) { return commit.Agenda{}, errors.New("no disk") }

func TestWorkIsCalledWhenItAsksForIt(t *testing.T) {
	for _, test := range []struct {
		name   string
		rounds func() []func() (commit.Agenda, error)
		due    time.Duration // when Due is called; zero for never
		last   time.Duration
		want   []float64
	}{
		{"at once while there is more", func() []func() (commit.Agenda, error) { return []func() (commit.Agenda, error){more, more, idle} }, 0, 30 * time.Second, []float64{0, 0, 0}},
		{"at the instant it names", func() []func() (commit.Agenda, error) {
			return []func() (commit.Agenda, error){in(10 * time.Second), in(25 * time.Second), idle}
		}, 0, 40 * time.Second, []float64{0, 10, 25}},
		{"at once for an instant in the past", func() []func() (commit.Agenda, error) { return []func() (commit.Agenda, error){in(-time.Hour), idle} }, 0, 30 * time.Second, []float64{0, 0}},
		{"when something is due sooner", func() []func() (commit.Agenda, error) {
			return []func() (commit.Agenda, error){in(50 * time.Second), idle}
		}, 5 * time.Second, 30 * time.Second, []float64{0, 5}},
		{"again after a fault", func() []func() (commit.Agenda, error) { return []func() (commit.Agenda, error){failed, idle} }, 0, 30 * time.Second, []float64{0, 1}},
		{"once a minute at least, for a clock that jumped", func() []func() (commit.Agenda, error) {
			return []func() (commit.Agenda, error){in(10 * time.Hour), idle}
		}, 0, 100 * time.Second, []float64{0, 60}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &script{start: time.Now(), rounds: test.rounds()}
				s := New(func() muster.Instant { return muster.At(time.Now()) }, slog.New(slog.DiscardHandler))
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { s.Run(ctx, w); close(ended) }()
				if test.due > 0 {
					time.Sleep(test.due)
					s.Due()
					s.Due() // never blocks
				}
				time.Sleep(test.last - test.due)
				stop()
				<-ended
				if got := w.asked[:min(len(w.asked), len(test.want))]; !slices.Equal(got, test.want) {
					t.Errorf("Work was called at %v, want %v at first", w.asked, test.want)
				}
			})
		})
	}
}

// due is work at given instants; it records what the clock shows when each is done.
type due struct {
	clock *TestClock
	at    []muster.Instant
	done  []muster.Instant
}

func (d *due) Work(context.Context) (commit.Agenda, error) {
	if len(d.at) > 0 && d.at[0] <= d.clock.Now() {
		d.done, d.at = append(d.done, d.clock.Now()), d.at[1:]
		return commit.Agenda{More: true}, nil
	}
	if len(d.at) > 0 {
		return commit.Agenda{Next: d.at[0]}, nil
	}
	return commit.Agenda{}, nil
}

func TestAMovedClockPassesEveryInstantInOrder(t *testing.T) {
	c := NewTestClock(1000)
	w := &due{clock: c, at: []muster.Instant{900, 5000, 5000, 7000}}
	if err := c.Move(t.Context(), w, 6000); err != nil || c.Now() != 6000 {
		t.Fatalf("Move = %v at %d, want nil at 6000", err, c.Now())
	}
	if want := []muster.Instant{1000, 5000, 5000}; !slices.Equal(w.done, want) {
		t.Errorf("work was done at %v, want %v", w.done, want)
	}
	var e *muster.Error
	if err := c.Move(t.Context(), w, 5999); !errors.As(err, &e) || e.Kind != muster.Invalid || c.Now() != 6000 {
		t.Errorf("Move back = %v at %d, want Invalid at 6000", err, c.Now())
	}
	if err := c.Move(t.Context(), w, 7000); err != nil || len(w.done) != 4 {
		t.Errorf("Move to 7000 = %v with work at %v", err, w.done)
	}
}
