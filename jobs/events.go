package jobs

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/store"
)

// tellExecution tells that an execution ended or is deleted.
func tellExecution(tx *transaction, before, after *muster.Execution) error {
	x, operation := before, eventlog.Deleted
	if after != nil {
		if !after.Status.Terminal() {
			return nil
		}
		x, operation = after, eventlog.Operation(strings.ToLower(after.Status.String()))
	}
	if on, err := tx.s.events.Enabled(tx.Tx, muster.EventJobExecution); err != nil || !on {
		return err
	}
	return tx.s.events.Tell(tx.Tx, eventlog.Event{Type: muster.EventJobExecution, Operation: operation, Execution: new(*x)})
}

// tell tells what a change of a job means to those outside. A cancellation and a
// deletion are each told twice, even when they are done at once.
func (f filing) tell() error {
	before, after := f.old, f.now
	if before == nil || after == nil {
		return nil
	}
	settled := before.Status == muster.JobCanceled && before.Settling && (after.Status != muster.JobCanceled || !after.Settling)
	canceled := after.Status == muster.JobCanceled && after.Settling &&
		(before.Status != muster.JobCanceled || !before.Settling || after.ForceCanceled != before.ForceCanceled)
	turned := before.Status != after.Status
	if settled {
		if err := tellOfJob(f.tx, eventlog.Canceled, *after); err != nil {
			return err
		}
	}
	switch {
	case canceled:
		return tellOfJob(f.tx, eventlog.CancellationInProgress, *after)
	case turned && after.Status == muster.JobDeleting:
		return tellOfJob(f.tx, eventlog.DeletionInProgress, *after)
	case turned && after.Status == muster.JobCompleted:
		return tellOfJob(f.tx, eventlog.Completed, *after)
	}
	return nil
}

func tellOfJob(tx *transaction, operation eventlog.Operation, j muster.Job) error {
	if on, err := tx.s.events.Enabled(tx.Tx, muster.EventJob); err != nil || !on {
		return err
	}
	e := eventlog.Event{Type: muster.EventJob, Operation: operation, Job: &j}
	if operation == eventlog.Completed {
		var err error
		if e.Counts, err = store.CountsOf(tx, j.ID); err != nil {
			return err
		}
	}
	return tx.s.events.Tell(tx.Tx, e)
}
