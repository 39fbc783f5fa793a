package pgstore_test

import (
	"errors"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
)

// A transaction changes rows where it has read them, and another one may have moved or
// removed them since.
func TestARowThatWasChangedMeanwhileIsNotOverwritten(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := server.Database(t)
	s := open(t, database, "node")
	queue := store.QueueKey{Thing: "lamp"}
	e := muster.Execution{Thing: queue.Thing, Job: "job", Number: 1, Status: muster.Queued, Version: 1}
	ended := e
	ended.Status, ended.Version = muster.Succeeded, 2
	for name, change := range map[string]func(store.Tx, muster.Queue){
		"updated": func(tx store.Tx, q muster.Queue) {
			tx.PutQueue(q.Revised(0))
			tx.Change(&e, &ended)
		},
		"removed": func(tx store.Tx, q muster.Queue) {
			tx.PutQueue(muster.Queue{Thing: queue.Thing})
			tx.Change(&e, nil)
		},
	} {
		for _, meanwhile := range []string{
			"UPDATE muster.queue SET rev = rev + 1",
			"DELETE FROM muster.queue",
			"UPDATE muster.execution SET presigned_at = 1",
			"DELETE FROM muster.execution",
		} {
			if err := store.Update(t.Context(), s, func(tx store.Tx) error {
				if _, err := tx.Queues(queue); err != nil {
					return err
				}
				was, err := tx.Executions(store.Key(e))
				if err != nil {
					return err
				}
				tx.PutQueue(muster.Queue{Thing: queue.Thing}.With(e).Revised(0))
				tx.Change(was[0], &e)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			_, err := s.Apply(t.Context(), func(tx store.Tx) error {
				q, err := tx.Queues(queue)
				if err != nil {
					return err
				}
				if _, err := tx.Executions(store.Key(e)); err != nil {
					return err
				}
				query(t, server, database, meanwhile)
				change(tx, q[0])
				return nil
			})
			if !errors.Is(err, store.ErrAgain) {
				t.Errorf("%s after %s: Apply() = %v, want ErrAgain", name, meanwhile, err)
			}
		}
	}
}
