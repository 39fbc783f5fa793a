package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
)

// fullDisk is a file system that runs out of room on command, for the files
// whose names have one of the endings in at.
type fullDisk struct {
	vfs.FS
	full   atomic.Bool
	at     []string
	made   bool         // only files that are made find no room
	inside string       // only files in this folder do; empty for any
	tries  atomic.Int64 // writes that found no room
}

func (d *fullDisk) refuse(name string) error {
	if d.inside != "" && d.PathDir(name) != d.inside {
		return nil
	}
	for _, ending := range d.at {
		if d.full.Load() && (strings.HasSuffix(name, ending) || strings.HasPrefix(d.PathBase(name), ending)) {
			d.tries.Add(1)
			return &fs.PathError{Op: "write", Path: name, Err: syscall.ENOSPC}
		}
	}
	return nil
}

func (d *fullDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.refuse(name); err != nil {
		return nil, err
	}
	f, err := d.FS.Create(name, c)
	return fullFile{f, name, d}, err
}

func (d *fullDisk) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.refuse(name); err != nil {
		return nil, err
	}
	f, err := d.FS.ReuseForWrite(old, name, c)
	return fullFile{f, name, d}, err
}

type fullFile struct {
	vfs.File
	name string
	disk *fullDisk
}

func (f fullFile) Write(b []byte) (int, error) {
	if f.disk.made {
		return f.File.Write(b)
	}
	if err := f.disk.refuse(f.name); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

// lines counts what is logged.
type lines struct {
	slog.Handler
	n *atomic.Int64
}

func (l lines) Handle(ctx context.Context, r slog.Record) error {
	l.n.Add(1)
	return l.Handler.Handle(ctx, r)
}

func (l lines) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l lines) WithGroup(string) slog.Handler      { return l }

// fill writes n records of about a kilobyte.
func fill(s *pebblestore.Store, from, n int) error {
	for i := range n {
		err := store.Update(context.Background(), s, func(tx store.Tx) error {
			tx.Put("table", fmt.Sprintf("%06d", from+i), []byte(strings.Repeat("x", 1000)))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func count(t *testing.T, s *pebblestore.Store) (n int) {
	t.Helper()
	err := s.View(context.Background(), func(r store.Reader) error {
		for _, err := range r.Scan("table", "", "") {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually fails the test unless ok comes true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

const smallMemTable = 256 << 10

// While tables cannot be written the log holds everything: reads and writes go
// on, the log of the program stays short, and when there is room again all of it
// is caught up.
func TestWithoutRoomForTablesTheStoreGoesOn(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem(), at: []string{".sst"}}
	said := lines{slog.NewTextHandler(t.Output(), nil), new(atomic.Int64)}
	s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: smallMemTable, Logger: slog.New(said)})
	disk.full.Store(true)
	const records = 300 // a table and a bit
	if err := fill(s, 0, records); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a table fails twice", func() bool { return disk.tries.Load() >= 2 })
	if n := count(t, s); n != records {
		t.Errorf("%d records are there, want %d", n, records)
	}
	if n := disk.tries.Load(); n > 20 {
		t.Errorf("the table was tried %d times without a pause", n)
	}
	disk.full.Store(false)
	if err := fill(s, records, records); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a table is written", func() bool {
		names, err := disk.List("data")
		return err == nil && strings.Contains(strings.Join(names, " "), ".sst")
	})
	if n := said.n.Load(); n > 20 {
		t.Errorf("%d lines were logged", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCloseEndsWhileTablesCannotBeWritten(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem(), at: []string{".sst"}}
	s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: smallMemTable})
	disk.full.Store(true)
	if err := fill(s, 0, 300); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a table fails", func() bool { return disk.tries.Load() > 0 })
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("Close() = %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Close() does not return")
	}
	disk.full.Store(false)
	s = open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: smallMemTable})
	defer s.Close()
	if n := count(t, s); n != 300 {
		t.Errorf("%d records came back, want 300", n)
	}
}

// A folder with something in its log is opened on a disk that takes nothing:
// whichever kind of file is the first that finds no room, there is an error that
// says so, at once, and the folder is as good as before.
func TestOpenOnAFullDisk(t *testing.T) {
	for _, at := range []string{".sst", ".log", "MANIFEST", "OPTIONS", ".dbtmp", "marker", ""} {
		t.Run("no room for "+at, func(t *testing.T) {
			disk := &fullDisk{FS: vfs.NewCrashableMem(), at: []string{at}}
			s := open(t, "data", pebblestore.Options{FS: disk})
			if err := fill(s, 0, 10); err != nil {
				t.Fatal(err)
			}
			disk.FS = disk.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
			disk.full.Store(true)
			type opened struct {
				s   *pebblestore.Store
				err error
			}
			done := make(chan opened, 1)
			go func() {
				s, err := pebblestore.Open("data", pebblestore.Options{FS: disk, Fatal: func(err error) { t.Errorf("Fatal(%v)", err) }})
				done <- opened{s, err}
			}()
			select {
			case o := <-done:
				if disk.tries.Load() == 0 {
					if o.err != nil { // this kind of file is not written on opening
						t.Fatal(o.err)
					}
					o.s.Close()
					return
				}
				if !reserve.IsFull(o.err) {
					t.Fatalf("Open() = %v, want that the disk is full", o.err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("Open() does not return")
			}
			disk.full.Store(false)
			disk.FS = disk.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}) // another process
			s, err := pebblestore.Open("data", pebblestore.Options{FS: disk})
			if err != nil {
				t.Fatalf("Open() with room again = %v", err)
			}
			defer s.Close()
			if n := count(t, s); n != 10 {
				t.Errorf("%d records came back, want 10", n)
			}
		})
	}
}

// What has no caller to tell ends the process in words.
func TestWhatCannotGoOnIsFatal(t *testing.T) {
	for name, at := range map[string]string{"a new log": ".log", "the list of tables": "MANIFEST"} {
		t.Run(name, func(t *testing.T) {
			disk := &fullDisk{FS: vfs.NewMem(), at: []string{at}, made: at == ".log"}
			said := make(chan error, 1)
			s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: smallMemTable, Fatal: func(err error) {
				select {
				case said <- err:
				default:
				}
				select {} // as if the process were gone
			}})
			disk.full.Store(true)
			go fill(s, 0, 2000)
			select {
			case err := <-said:
				if !strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
					t.Errorf("Fatal(%v), want that the disk is full", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("nobody is told")
			}
		})
	}
}

// A table that fails while writers wait for it would make them wait without end.
func TestStalledWritersOnAFullDiskAreFatal(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem(), at: []string{".sst"}}
	said := make(chan error, 1)
	s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: smallMemTable, Fatal: func(err error) {
		said <- err
		select {}
	}})
	disk.full.Store(true)
	go fill(s, 0, 5000)
	select {
	case err := <-said:
		if !reserve.IsFull(err) {
			t.Errorf("Fatal(%v), want that the disk is full", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nobody is told")
	}
}

// A log that takes no more stops the store: nothing more is acknowledged, and
// what was is there after the next start.
func TestALogWithoutRoomStopsTheStore(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewCrashableMem(), at: []string{".log"}}
	s := open(t, "data", pebblestore.Options{FS: disk})
	if err := fill(s, 0, 10); err != nil {
		t.Fatal(err)
	}
	disk.full.Store(true)
	if err := fill(s, 10, 1); !errors.Is(err, store.ErrStopped) || !reserve.IsFull(err) {
		t.Fatalf("Update() = %v, want that the store stopped on a full disk", err)
	}
	disk.FS = disk.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	disk.full.Store(false)
	s = open(t, "data", pebblestore.Options{FS: disk})
	defer s.Close()
	if n := count(t, s); n != 10 {
		t.Errorf("%d records came back, want 10", n)
	}
}

// A backup that finds no room fails like any request; the store goes on.
func TestABackupWithoutRoomFails(t *testing.T) {
	for _, at := range []string{".sst", ".log", "MANIFEST"} {
		disk := &fullDisk{FS: vfs.NewMem(), at: []string{at}}
		s := open(t, "data", pebblestore.Options{FS: disk, Fatal: func(err error) { t.Errorf("Fatal(%v)", err) }})
		if err := fill(s, 0, 10); err != nil {
			t.Fatal(err)
		}
		disk.inside = "copy"
		disk.full.Store(true)
		if err := s.Backup(context.Background(), "copy"); disk.tries.Load() > 0 && !reserve.IsFull(err) {
			t.Errorf("no room for %s: Backup() = %v, want that the disk is full", at, err)
		}
		if err := fill(s, 10, 10); err != nil {
			t.Errorf("after the backup: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A log that cannot be made for a moment, as when the process has too many files
// open, delays all callers and has no other effect.
func TestANewLogMayTakeAMoment(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem(), at: []string{".log"}, made: true}
	s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: smallMemTable, Fatal: func(err error) { t.Errorf("Fatal(%v)", err) }})
	defer s.Close()
	disk.full.Store(true)
	filled := make(chan error, 1)
	go func() { filled <- fill(s, 0, 1000) }()
	eventually(t, "a log fails", func() bool { return disk.tries.Load() > 0 })
	disk.full.Store(false)
	if err := <-filled; err != nil {
		t.Fatal(err)
	}
	if n := count(t, s); n != 1000 {
		t.Errorf("%d records are there, want 1000", n)
	}
}
