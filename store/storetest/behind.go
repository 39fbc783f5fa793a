package storetest

import (
	"context"
	"sync"

	"github.com/muster-iot/muster/store"
)

// Forking is a Store that can be copied at a moment.
type Forking[S any] interface {
	store.Store
	Fork() S
}

// Behind returns s with views that show a transaction only from the moment on at which
// its wait has returned, or that of a later one: as late as package store permits. Each
// wait calls durable before it returns; nil does not wait.
func Behind[S Forking[S]](s S, durable func()) store.Store {
	if durable == nil {
		durable = func() {}
	}
	return &behind[S]{Store: s, inner: s, durable: durable, shown: s.Fork()}
}

type behind[S Forking[S]] struct {
	store.Store
	inner   S
	durable func()

	applying sync.Mutex // held by the one transaction that is applied and copied
	newest   int        // its number

	mu     sync.Mutex // guards what follows
	shown  S
	number int // of the newest transaction that it shows
}

// View runs fn on what is shown, as a call of the inner store.
func (s *behind[S]) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.inner.View(ctx, func(store.Reader) error {
		s.mu.Lock()
		shown := s.shown
		s.mu.Unlock()
		return shown.View(ctx, fn)
	})
}

func (s *behind[S]) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	wait, err := s.inner.Apply(ctx, fn)
	if err != nil {
		return nil, err
	}
	after := s.inner.Fork()
	s.newest++
	number := s.newest
	return func() error {
		if err := wait(); err != nil {
			return err
		}
		s.durable()
		s.mu.Lock()
		defer s.mu.Unlock()
		if number > s.number {
			s.shown, s.number = after, number
		}
		return nil
	}, nil
}
