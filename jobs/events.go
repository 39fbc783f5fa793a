package jobs

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
)

// tellExecution tells that an execution ended or is deleted.
func (tx *transaction) tellExecution(before, after *muster.Execution) error {
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

// tellJob tells what a change of a job means to those outside. A cancellation
// and a deletion are each told twice, even when they are done at once.
func (tx *transaction) tellJob(before, after muster.Job) error {
	settled := before.Status == muster.JobCanceled && before.Settling && (after.Status != muster.JobCanceled || !after.Settling)
	canceled := after.Status == muster.JobCanceled && after.Settling &&
		(before.Status != muster.JobCanceled || !before.Settling || after.ForceCanceled != before.ForceCanceled)
	turned := before.Status != after.Status
	if settled {
		if err := tx.tellOfJob(eventlog.Canceled, after); err != nil {
			return err
		}
	}
	switch {
	case canceled:
		return tx.tellOfJob(eventlog.CancellationInProgress, after)
	case turned && after.Status == muster.JobDeleting:
		return tx.tellOfJob(eventlog.DeletionInProgress, after)
	case turned && after.Status == muster.JobCompleted:
		return tx.tellOfJob(eventlog.Completed, after)
	}
	return nil
}

func (tx *transaction) tellOfJob(operation eventlog.Operation, j muster.Job) error {
	if on, err := tx.s.events.Enabled(tx.Tx, muster.EventJob); err != nil || !on {
		return err
	}
	e := eventlog.Event{Type: muster.EventJob, Operation: operation, Job: &j}
	if operation == eventlog.Completed {
		var err error
		if e.Counts, err = tx.Counts(j.ID); err != nil {
			return err
		}
	}
	return tx.s.events.Tell(tx.Tx, e)
}
