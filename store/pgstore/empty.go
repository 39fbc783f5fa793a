package pgstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/muster-iot/muster/store"
)

// Empty removes all queues, executions and records in one step, for test servers that are
// reset; not those of a shared store. The format stays, and the store goes on. It waits for no reader, and fails
// while one is at work for longer than a moment.
func (s *Store) Empty(ctx context.Context) error {
	if s.o.ReadOnly {
		return ErrReadOnly
	}
	if s.o.Shared {
		return errors.New("pgstore: a store that several nodes share is not emptied")
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	for _, l := range s.all() {
		release, err := l.take(ctx)
		if err != nil {
			return err
		}
		defer release()
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// What a server that was taken over has begun must not empty its successor's tables.
		mine, err := tx.Exec(ctx, `UPDATE muster.lane SET n = n WHERE incarnation = $1`, s.node.incarnation)
		if err == nil && mine.RowsAffected() == 0 {
			err = s.outvoted()
		}
		if err == nil {
			_, err = tx.Exec(ctx, `TRUNCATE muster.queue, muster.execution, muster.counts, muster.record`)
		}
		return err
	})
	switch {
	case err != nil && faultOf(err) == outvote:
		return s.stop(err)
	case err != nil && faultOf(err) == gone:
		return errors.Join(store.ErrUnavailable, err)
	}
	return err
}
