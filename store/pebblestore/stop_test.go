package pebblestore_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
)

// brokenDisk is a file system whose log files stop working on command.
type brokenDisk struct {
	vfs.FS
	syncs, writes atomic.Bool // fail from now on
}

var errDisk = errors.New("the disk is broken")

func (d *brokenDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err
	}
	return &brokenFile{File: f, disk: d}, nil
}

type brokenFile struct {
	vfs.File
	disk *brokenDisk
}

func (f *brokenFile) Sync() error     { return errors.Join(fails(&f.disk.syncs), f.File.Sync()) }
func (f *brokenFile) SyncData() error { return errors.Join(fails(&f.disk.syncs), f.File.SyncData()) }
func (f *brokenFile) SyncTo(n int64) (bool, error) {
	full, err := f.File.SyncTo(n)
	return full, errors.Join(fails(&f.disk.syncs), err)
}

func (f *brokenFile) Write(b []byte) (int, error) {
	if f.disk.writes.Load() {
		return 0, io.ErrShortWrite
	}
	return f.File.Write(b)
}

func fails(on *atomic.Bool) error {
	if on.Load() {
		return errDisk
	}
	return nil
}

func TestAFailedWriteStopsTheStore(t *testing.T) {
	ctx := context.Background()
	putting := func(v string) func(store.Tx) error {
		return func(tx store.Tx) error { tx.Put("table", "k", []byte(v)); return nil }
	}
	put := putting("lost")
	for name, broken := range map[string]func(*brokenDisk){
		"the sync of the log fails":  func(d *brokenDisk) { d.syncs.Store(true) },
		"the write of the log fails": func(d *brokenDisk) { d.writes.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			disk := &brokenDisk{FS: vfs.NewMem()}
			s := open(t, "data", pebblestore.Options{FS: disk})
			if err := store.Update(ctx, s, putting("kept")); err != nil {
				t.Fatalf("Update() on a good disk = %v", err)
			}
			inside, proceed := make(chan struct{}), make(chan struct{})
			viewed := make(chan error)
			broken(disk)
			wait, err := s.Apply(ctx, put)
			if err != nil {
				t.Fatalf("Apply() = %v; the failure should show in wait", err)
			}
			go func() {
				viewed <- s.View(ctx, func(r store.Reader) error {
					close(inside)
					<-proceed
					value, err := r.Get("table", "k")
					if string(value) != "kept" {
						t.Errorf("the view shows %q, which is not durable", value)
					}
					return err
				})
			}()
			<-inside
			for range 2 {
				if err := wait(); !errors.Is(err, pebblestore.ErrStopped) {
					t.Errorf("wait() = %v, want %v", err, pebblestore.ErrStopped)
				}
			}
			close(proceed)
			if err := <-viewed; err != nil {
				t.Errorf("View() of what is durable = %v", err)
			}
			disk.syncs.Store(false) // too late
			disk.writes.Store(false)
			if err := s.View(ctx, func(store.Reader) error { return nil }); !errors.Is(err, pebblestore.ErrStopped) {
				t.Errorf("later View() = %v, want %v", err, pebblestore.ErrStopped)
			}
			if _, err := s.Apply(ctx, put); !errors.Is(err, pebblestore.ErrStopped) {
				t.Errorf("later Apply() = %v, want %v", err, pebblestore.ErrStopped)
			}
			if err := s.Backup(ctx, "copy"); !errors.Is(err, pebblestore.ErrStopped) {
				t.Errorf("later Backup() = %v, want %v", err, pebblestore.ErrStopped)
			}
			if err := s.Close(); !errors.Is(err, pebblestore.ErrStopped) {
				t.Errorf("Close() = %v, want %v", err, pebblestore.ErrStopped)
			}
		})
	}
}

// These commits are not waited for, so their failure first shows in a later call that
// depends on them.
func TestAFailureThatNobodyAwaitedStopsTheStore(t *testing.T) {
	ctx := context.Background()
	disk := &brokenDisk{FS: vfs.NewMem()}
	s := open(t, "data", pebblestore.Options{FS: disk})
	disk.syncs.Store(true)
	value := make([]byte, 20<<10)
	for range 10 { // more than a block of the log, less than a memtable
		_, err := s.Apply(ctx, func(tx store.Tx) error { tx.Put("table", "k", value); return nil })
		if err != nil && !errors.Is(err, pebblestore.ErrStopped) {
			t.Fatalf("Apply() = %v, want %v", err, pebblestore.ErrStopped)
		}
	}
	refused := errors.New("refused")
	if _, err := s.Apply(ctx, func(store.Tx) error { return refused }); !errors.Is(err, pebblestore.ErrStopped) {
		t.Fatalf("Apply() of a refusal = %v, want %v", err, pebblestore.ErrStopped)
	}
	if err := s.View(ctx, func(store.Reader) error { return nil }); !errors.Is(err, pebblestore.ErrStopped) {
		t.Fatalf("View() after it = %v, want %v", err, pebblestore.ErrStopped)
	}
}
