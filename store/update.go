package store

import (
	"context"
	"errors"
)

const (
	updateMax   = 10 // how often Update runs a transaction at most
	updateAlone = 3  // refusals after which it runs while no other does, in a Shared store
)

// Update is Apply followed by wait: when it returns nil, fn's changes are
// durable. It runs a transaction that is refused again, in a Shared store while no other
// transaction runs if that has happened often, and fails with ErrAgain if it is refused ten times.
func Update(ctx context.Context, s Store, fn func(Tx) error) error {
	return update(ctx, s, s.Apply, fn)
}

// UpdateIn is Update by ApplyIn.
func UpdateIn(ctx context.Context, s Laned, lane int, fn func(Tx) error) error {
	return update(ctx, s, func(ctx context.Context, fn func(Tx) error) (func() error, error) { return s.ApplyIn(ctx, lane, fn) }, fn)
}

// update runs fn by apply, which is a method of s.
func update(ctx context.Context, s Store, apply func(context.Context, func(Tx) error) (func() error, error), fn func(Tx) error) error {
	wait, err := apply(ctx, fn)
	for n := 1; errors.Is(err, ErrAgain) && n < updateMax; n++ {
		if shared, ok := s.(Shared); ok && shared.Shared() && n >= updateAlone {
			apply = shared.ApplyAlone
		}
		wait, err = apply(ctx, fn)
	}
	if err != nil {
		return err
	}
	return wait()
}
