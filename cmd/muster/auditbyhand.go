package main

import (
	"context"
	"fmt"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/internal/uuid"
)

// byHand is a change of a data folder by somebody at the machine, that no server makes.
type byHand struct {
	operation string // a server's word for it, if that does it too
	resources []string
	changes   []audit.Change
}

// recorded makes a change, between an audit record that says that it has begun and one with its outcome. Without the first
// it is not made; without the second it is shown as unknown.
func (b byHand) recorded(cmd *cobra.Command, data datafolder.Folder, change func() error) error {
	if datafolder.ReadOnly(data) {
		return change() // which says so itself
	}
	r := b.record(time.Now())
	if err := datafolder.AppendAudit(cmd.Context(), data, r); err != nil {
		return fmt.Errorf("nothing was done, since it could not be recorded for the audit: %w", err)
	}
	err := change()
	b.end(cmd, data, r, err)
	return err
}

// done records a change that is made, but does not count yet.
func (b byHand) done(ctx context.Context, data datafolder.Folder) error {
	r := b.record(time.Now())
	r.Outcome = audit.Done
	return datafolder.AppendAudit(ctx, data, r)
}

// end records the outcome of a change, also when the command is being interrupted.
func (b byHand) end(cmd *cobra.Command, data datafolder.Folder, r audit.Record, err error) {
	r.Outcome = audit.Done
	if err != nil {
		r.Outcome, r.Error, r.Message, r.Changes = audit.Failed, "CommandFailed", err.Error(), nil
	}
	if err := datafolder.AppendAudit(context.WithoutCancel(cmd.Context()), data, r); err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "muster: warning: the outcome could not be recorded for the audit:", err)
	}
}

// record returns the record of a change that begins now.
func (b byHand) record(now time.Time) audit.Record {
	return audit.Record{
		At: muster.At(now), RequestID: uuid.New(), User: accountName(), Service: "muster", Operation: b.operation, Resources: b.resources, Outcome: audit.Begun, Changes: b.changes,
	}
}

// localUser begins the names of users of the machine in audit records: no access key is theirs.
const localUser = "local:"

// accountName returns the name that whoever runs this process has at the machine.
func accountName() string {
	u, err := user.Current()
	if err != nil {
		return localUser + "unknown"
	}
	return localUser + u.Username
}
