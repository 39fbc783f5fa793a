package main

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// stage is a set of parts that run concurrently. A part returns when its context ends and
// leaves nothing running. A part that returns earlier stops the system.
type stage []func(ctx context.Context) error

// runStages runs all stages at once. When ctx ends, or any part returns, it stops the stages
// one after the other, each after the previous one has ended, and returns all errors.
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
