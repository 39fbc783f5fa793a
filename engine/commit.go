package engine

import (
	"context"

	"github.com/muster-iot/muster/commit"
)

// batch is a transaction with what the engine keeps of it.
func (e *Engine) batch(tx *commit.Tx) *batch {
	b, _ := commit.OfTransaction(tx, e, func() (*batch, error) { return newBatch(e, tx), nil })
	return b
}

func submitFor[T any](e *Engine, run func(*batch) (T, error), done func(T, error)) {
	commit.Submit(e.commits, nil, func(tx *commit.Tx) (T, error) { return run(e.batch(tx)) }, done)
}

func do[T any](ctx context.Context, e *Engine, run func(*batch) (T, error)) (T, error) {
	return commit.Do(ctx, e.commits, func(tx *commit.Tx) (T, error) { return run(e.batch(tx)) })
}

// do runs one command that makes no value.
func (e *Engine) do(ctx context.Context, run func(*batch) error) error {
	return e.commits.Do(ctx, func(tx *commit.Tx) error { return run(e.batch(tx)) })
}

// Run commits and answers until ctx ends, then finishes what waits and returns.
// It does the same, and returns store.ErrStopped, when the store cannot go on. On a
// store that Migrate has not finished with it returns an error at once.
func (e *Engine) Run(ctx context.Context) error {
	if err := CheckFormat(ctx, e.o.Store); err != nil {
		return err
	}
	return e.commits.Run(ctx)
}
