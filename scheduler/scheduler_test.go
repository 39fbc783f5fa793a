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
	"github.com/muster-iot/muster/engine"
)

// script answers the rounds of Work one after the other and notes when they
// were asked for, in seconds since the start. Behind its end it is idle.
type script struct {
	start  time.Time
	rounds []func() (engine.Agenda, error)
	asked  []float64
}

func (s *script) Work(context.Context) (engine.Agenda, error) {
	s.asked = append(s.asked, time.Since(s.start).Seconds())
	if len(s.asked) > len(s.rounds) {
		return engine.Agenda{}, nil
	}
	return s.rounds[len(s.asked)-1]()
}

func in(d time.Duration) func() (engine.Agenda, error) {
	at := muster.At(time.Now().Add(d))
	return func() (engine.Agenda, error) { return engine.Agenda{Next: at}, nil }
}

func more() (engine.Agenda, error)   { return engine.Agenda{More: true}, nil }
func idle() (engine.Agenda, error)   { return engine.Agenda{}, nil }
func failed() (engine.Agenda, error) { return engine.Agenda{}, errors.New("no disk") }

func TestWorkIsCalledWhenItAsksForIt(t *testing.T) {
	for _, test := range []struct {
		name   string
		rounds func() []func() (engine.Agenda, error)
		due    time.Duration // when Due is called; zero for never
		last   time.Duration
		want   []float64
	}{
		{"at once while there is more", func() []func() (engine.Agenda, error) { return []func() (engine.Agenda, error){more, more, idle} }, 0, 30 * time.Second, []float64{0, 0, 0}},
		{"at the instant it names", func() []func() (engine.Agenda, error) {
			return []func() (engine.Agenda, error){in(10 * time.Second), in(25 * time.Second), idle}
		}, 0, 40 * time.Second, []float64{0, 10, 25}},
		{"at once for an instant in the past", func() []func() (engine.Agenda, error) { return []func() (engine.Agenda, error){in(-time.Hour), idle} }, 0, 30 * time.Second, []float64{0, 0}},
		{"when something is due sooner", func() []func() (engine.Agenda, error) {
			return []func() (engine.Agenda, error){in(50 * time.Second), idle}
		}, 5 * time.Second, 30 * time.Second, []float64{0, 5}},
		{"again after a fault", func() []func() (engine.Agenda, error) { return []func() (engine.Agenda, error){failed, idle} }, 0, 30 * time.Second, []float64{0, 1}},
		{"once a minute at least, for a clock that jumped", func() []func() (engine.Agenda, error) {
			return []func() (engine.Agenda, error){in(10 * time.Hour), idle}
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
