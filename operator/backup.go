package operator

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
)

// BackupOrder asks for a backup, and is the answer when there is one.
type BackupOrder struct {
	To string `json:"to"` // an absolute folder of the server's machine
}

// Backups makes backups of the data folder.
type Backups interface {
	// Backup copies the data folder to another, which must be missing or empty.
	Backup(ctx context.Context, to string) error
}

func (p Parts) backup(ctx context.Context, c *Call, order BackupOrder) (BackupOrder, error) {
	if !filepath.IsAbs(order.To) {
		return order, muster.Errorf(muster.Invalid, "\"to\" must be an absolute path")
	}
	c.Changes = []audit.Change{{Resource: "backup", Field: "to", New: order.To}}
	err := p.Backups.Backup(ctx, order.To)
	if _, known := errors.AsType[*muster.Error](err); err != nil && !known { // who may order it may know why it failed
		err = &muster.Error{Kind: muster.Unavailable, Msg: "the backup failed: " + err.Error(), Err: err}
	}
	return order, err
}
