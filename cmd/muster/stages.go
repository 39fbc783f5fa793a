package main

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// stage is a set of parts that run side by side. A part returns when its
// context ends and leaves nothing running; an earlier return stops the system.
type stage []func(ctx context.Context) error

// runStages runs all stages at once. When ctx ends, or any part returns, it
// stops them one after the other, each when the one before it has ended, and
// returns the errors of all.
func runStages(ctx context.Context, stages ...stage) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	groups := make([]errgroup.Group, len(stages))
	cancels := make([]context.CancelFunc, len(stages))
	for i, s := range stages {
		var own context.Context
		own, cancels[i] = context.WithCancel(context.WithoutCancel(ctx))
		for _, part := range s {
			groups[i].Go(func() error {
				defer stop()
				return part(own)
			})
		}
	}
	<-ctx.Done()
	var errs []error
	for i := range stages {
		cancels[i]()
		errs = append(errs, groups[i].Wait())
	}
	return errors.Join(errs...)
}
