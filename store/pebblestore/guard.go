package pebblestore

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Usage returns how many bytes of the file system that holds dir this process
// may still take, and how many it has in all.
func Usage(dir string) (free, total int64, err error) {
	u, err := vfs.Default.GetDiskUsage(dir)
	if err != nil {
		return 0, 0, fmt.Errorf("space of %s: %w", dir, err)
	}
	return int64(u.AvailBytes), int64(u.TotalBytes), nil
}

const (
	// retryPause is how long Pebble waits before it tries again to write a table.
	// By itself it tries again at once, without end.
	retryPause = time.Second
	// stalledTries is how many tables in a row may fail while writers wait for
	// them before the store gives up.
	stalledTries = 3
	// logTries is how often making a new log is tried again before the store
	// gives up.
	logTries = 5
)

// guard handles failures of the disk in Pebble's background work, which has no
// caller to return an error to.
type guard struct {
	o       Options
	dir     string
	opened  chan struct{} // closed when the store is open
	broken  chan error    // why it cannot be opened; one slot
	closing chan struct{} // closed when the store closes; ends all pauses
	stalled atomic.Bool   // writers wait for a table to be written
	tries   atomic.Int64  // tables in a row that could not be written
	errors  atomic.Int64  // background errors since the last success
}

func newGuard(dir string, o Options) *guard {
	return &guard{o: o, dir: dir, opened: make(chan struct{}), broken: make(chan error, 1), closing: make(chan struct{})}
}

// fatal ends the process, or the opening of a store. It does not return: Pebble
// does not expect to go on, and may hold its locks.
func (g *guard) fatal(err error) {
	g.awaitOpen(err)
	g.o.Fatal(err)
	select {}
}

// awaitOpen returns when the store is open. If it is not open yet, opening fails
// with err, and awaitOpen blocks: Pebble's goroutine would only try again.
func (g *guard) awaitOpen(err error) {
	if g.isOpen() {
		return
	}
	select {
	case g.broken <- err:
	default:
	}
	<-g.opened
}

func (g *guard) isOpen() bool {
	select {
	case <-g.opened:
		return true
	default:
		return false
	}
}

// tableFailed pauses and returns err, with which writing a table failed. The
// content of the table is still in the log.
func (g *guard) tableFailed(err error) error {
	if err == nil {
		return nil
	}
	g.awaitOpen(err)
	if tries := g.tries.Add(1); tries >= stalledTries && g.stalled.Load() {
		g.fatal(fmt.Errorf("writers wait for a table that cannot be written: %w", err))
	}
	g.pause()
	return err
}

// makeLog tries again to make a log. Meanwhile all writers wait for the commit
// that needs it.
func (g *guard) makeLog(try func() (vfs.File, error)) (vfs.File, error) {
	for tries := 1; ; tries++ {
		g.pause()
		file, err := try()
		if err == nil {
			return file, nil
		}
		if tries == logTries {
			g.fatal(fmt.Errorf("a new log cannot be made: %w", err))
		}
	}
}

// pause waits for retryPause, unless the store is closing.
func (g *guard) pause() {
	pause := time.NewTimer(retryPause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-g.closing:
	}
}

// backgroundError logs the first of a row of errors, the second, the fourth and
// so on, so that a disk that fails for a week does not fill the log.
func (g *guard) backgroundError(err error) {
	if n := g.errors.Add(1); n&(n-1) == 0 {
		g.o.Logger.Error("store background work failed and is tried again", "error", sentence(err), "times", n)
	}
}

// inTrouble reports whether the last background work failed, or is about to: a
// table that could not be written is an error only after a pause.
func (g *guard) inTrouble() bool { return g.errors.Load() > 0 || g.tries.Load() > 0 }

// tableWritten ends a row of failures.
func (g *guard) tableWritten(err error) {
	if err != nil {
		return
	}
	g.tries.Store(0)
	if n := g.errors.Swap(0); n > 0 {
		g.o.Logger.Info("store background work succeeds again", "failures", n)
	}
}

// listener returns the callbacks for events of Pebble's background work.
func (g *guard) listener() *pebble.EventListener {
	return &pebble.EventListener{
		FlushEnd:      func(i pebble.FlushInfo) { g.tableWritten(i.Err) },
		CompactionEnd: func(i pebble.CompactionInfo) { g.tableWritten(i.Err) },
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
			g.stalled.Store(true)
			g.o.Logger.Warn("store stalls writers", "reason", i.Reason)
		},
		WriteStallEnd: func() { g.stalled.Store(false) },
		DiskSlow:      func(i pebble.DiskSlowInfo) { g.o.Logger.Warn("disk is slow", "operation", i.String()) },
	}
}

// fs is the file system as Pebble sees it.
func (g *guard) fs() vfs.FS { return guardedFS{g.o.FS, g} }

// guardedFS pauses after a table that could not be written, and ends the process
// when a new log still cannot be made after some tries: Pebble would panic then in
// a way that nothing can recover from.
type guardedFS struct {
	vfs.FS
	g *guard
}

func (f guardedFS) Unwrap() vfs.FS { return f.FS }

func (f guardedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.make(name, func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f guardedFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.make(name, func() (vfs.File, error) { return f.FS.ReuseForWrite(old, name, c) })
}

func (f guardedFS) make(name string, try func() (vfs.File, error)) (vfs.File, error) {
	file, err := try()
	if f.PathDir(name) != f.g.dir { // it belongs to a backup, which returns its errors
		return file, err
	}
	switch {
	case strings.HasSuffix(name, ".sst") && err != nil:
		return nil, f.g.tableFailed(err)
	case strings.HasSuffix(name, ".sst"):
		return guardedFile{file, f.g}, nil
	case strings.HasSuffix(name, ".log") && err != nil && f.g.isOpen():
		return f.g.makeLog(try)
	}
	return file, err
}

// guardedFile is a table that is being written.
type guardedFile struct {
	vfs.File
	g *guard
}

func (f guardedFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	return n, f.g.tableFailed(err)
}

func (f guardedFile) Sync() error     { return f.g.tableFailed(f.File.Sync()) }
func (f guardedFile) SyncData() error { return f.g.tableFailed(f.File.SyncData()) }

func (f guardedFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.g.tableFailed(err)
}

// Fatalf must not return: Pebble calls it when the files can no longer be
// trusted. In a commit the panic becomes ErrStopped; elsewhere the process ends.
func (l logger) Fatalf(format string, args ...any) {
	err := fatalError{fmt.Sprintf(format, args...), nil}
	for _, arg := range args {
		if cause, ok := arg.(error); ok {
			err.cause = cause
		}
	}
	if strings.HasPrefix(format, fatalCommit) && l.guard.isOpen() {
		l.log.Error(err.text)
		panic(err)
	}
	l.guard.fatal(err)
}

// fatalError is the message of a fatal error of Pebble, and its cause.
type fatalError struct {
	text  string
	cause error
}

func (e fatalError) Error() string { return e.text }
func (e fatalError) Unwrap() error { return e.cause }

// fatalCommit begins the message of a fatal error when a commit of a caller has
// failed.
const fatalCommit = "pebble: fatal commit error"
