package pebblestore_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/store/pebblestore"
)

// laggingDisk is a file system on which the writing of tables can be held up.
type laggingDisk struct {
	vfs.FS
	held atomic.Pointer[chan struct{}] // writes of tables wait until it is closed; nil for none
}

// hold makes writes of tables wait until release is called.
func (d *laggingDisk) hold() (release func()) {
	held := make(chan struct{})
	d.held.Store(&held)
	return func() { d.held.Store(nil); close(held) }
}

func (d *laggingDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	if err != nil || !strings.HasSuffix(name, ".sst") {
		return f, err
	}
	return laggingFile{f, d}, nil
}

type laggingFile struct {
	vfs.File
	disk *laggingDisk
}

func (f laggingFile) Write(b []byte) (int, error) {
	if held := f.disk.held.Load(); held != nil {
		<-*held
	}
	return f.File.Write(b)
}

// While tables are not written, writers wait once the memory for what is in no table yet is full.
// Reads go on meanwhile, and when the disk has caught up nothing is missing, also after a crash.
func TestWritersWaitForTablesThatLag(t *testing.T) {
	const records, recordBytes = 3000, 1000
	const inMemory = 3 * smallMemTable / recordBytes // of records, as many memtables as the store keeps
	disk := &laggingDisk{FS: vfs.NewCrashableMem()}
	s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: smallMemTable})
	release := disk.hold()
	var written atomic.Int64
	filled := make(chan error, 1)
	go func() {
		for i := range records {
			if err := fill(s, i, 1); err != nil {
				filled <- err
				return
			}
			written.Store(int64(i) + 1)
		}
		filled <- nil
	}()
	stalled := int64(-1)
	eventually(t, "writers wait", func() bool { // twice the same count, half a second apart
		before := stalled
		stalled = written.Load()
		if stalled < inMemory/3 || stalled != before {
			time.Sleep(500 * time.Millisecond)
			return false
		}
		return true
	})
	if stalled > inMemory {
		t.Errorf("%d records were taken while no table could be written, want %d at most", stalled, inMemory)
	}
	if n := count(t, s); int64(n) < stalled {
		t.Errorf("%d records can be read, %d were acknowledged", n, stalled)
	}
	crashed := &laggingDisk{FS: disk.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})}
	release()
	if err := <-filled; err != nil {
		t.Fatal(err)
	}
	if n := count(t, s); n != records {
		t.Errorf("%d records are there, want %d", n, records)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, "data", pebblestore.Options{FS: crashed, MemTableBytes: smallMemTable})
	defer s.Close()
	if n := count(t, s); int64(n) < stalled {
		t.Errorf("after a crash %d records are there, %d were acknowledged", n, stalled)
	}
}
