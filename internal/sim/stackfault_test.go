package sim

import (
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// stackFault is an error put into the full stack.
type stackFault struct {
	fault
	lies bool // the disk says that it has synced, and has not
}

// The full stack, too, must be able to fail.
func TestFaultsOfTheStackAreFound(t *testing.T) {
	for name, f := range map[string]stackFault{
		"a disk that lies": {lies: true},
		"reports that are not stored": {fault: fault{apply: func(tx store.Tx) store.Tx {
			return faultyTx{Tx: tx, change: func(before, after *muster.Execution) {
				if after == nil || after.Status != muster.Succeeded {
					tx.Change(before, after)
				}
			}}
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5) {
				var s *site
				synctest.Test(t, func(t *testing.T) { s = playSite(t, 1+seed, &folder{vfs.NewCrashableMem(), f.lies}, f) })
				if len(s.wrong()) > 0 {
					return
				}
			}
			t.Error("not found in 5 seeds")
		})
	}
}

// lying is a disk that syncs nothing.
type lying struct{ vfs.FS }

func (l lying) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.Create(name, c)
	return lyingFile{f}, err
}

func (l lying) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.ReuseForWrite(from, to, c)
	return lyingFile{f}, err
}

type lyingFile struct{ vfs.File }

func (lyingFile) Sync() error                { return nil }
func (lyingFile) SyncData() error            { return nil }
func (lyingFile) SyncTo(int64) (bool, error) { return true, nil }
