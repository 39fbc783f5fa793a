package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/datafolder"
)

// auditPoll is the pause between two looks for audit records of what was done to the data folder by hand.
const auditPoll = time.Second

// takeAudit takes audit records from a data folder into its store until ctx ends; from one that is read-only once.
func takeAudit(ctx context.Context, data datafolder.Folder, into *audit.Log, log *slog.Logger) {
	look := time.NewTicker(auditPoll)
	defer look.Stop()
	failing := false
	for {
		skipped, err := datafolder.TakeAudit(ctx, data, into.Take)
		if err != nil && !failing && ctx.Err() == nil {
			log.Error("audit records of what was done to the data folder by hand cannot be taken into the store; it is tried again", "error", err)
		}
		if failing = err != nil; skipped > 0 {
			log.Warn("lines in the file of audit records are no records, and are left out", "lines", skipped)
		}
		if err == nil && datafolder.ReadOnly(data) {
			look.Stop()
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// resetRecords are the audit records of resets. The store with all others goes, so they wait beside it.
type resetRecords struct {
	data  datafolder.Folder
	begun []audit.Record
}

// begin records that the request of ctx is about to reset the server.
func (r *resetRecords) begin(ctx context.Context) error {
	record, ok := audit.Of(ctx)
	if !ok {
		return nil
	}
	r.begun = append(r.begun, record)
	return datafolder.AppendAudit(ctx, r.data, record)
}

// end records that the server is empty.
func (r *resetRecords) end(ctx context.Context) (err error) {
	for _, record := range r.begun {
		record.Outcome = audit.Done
		err = errors.Join(err, datafolder.AppendAudit(ctx, r.data, record))
	}
	r.begun = nil
	return err
}
