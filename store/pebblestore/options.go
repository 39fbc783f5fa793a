package pebblestore

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/turns"
)

// Defaults of Options.
const (
	// DefaultCacheBytes is enough for the hot part of a million things: index
	// and filter blocks, and the data blocks of devices that work on a job.
	DefaultCacheBytes = 64 << 20
	// DefaultMemTableBytes is a second or so of writes at full speed. Up to
	// three of them are in memory while writes come faster than flushes.
	DefaultMemTableBytes = 16 << 20
)

// Options are the settings of a store. The zero Options are valid.
type Options struct {
	FS            vfs.FS           // nil for that of the operating system
	CacheBytes    int64            // for blocks read from disk; zero for the default
	MemTableBytes int              // of new writes before they are flushed; zero for the default
	Logger        *slog.Logger     // nil discards
	OnCommit      func(Commit)     // called from any goroutine, once for each commit found durable; may be nil
	Turns         *turns.Turns     // of flushes and compactions with other background work; nil holds nothing back
	Now           func() time.Time // measures Commit.Sync; may be nil

	// ReadOnly opens a folder that exists and changes nothing in it: what is in
	// the log alone stays there and is held in memory. Apply and Backup fail
	// with ErrReadOnly.
	ReadOnly bool

	// Fatal is called when Pebble cannot continue after a failure of the disk and
	// has no caller to return the error to: while it records which tables there
	// are, or begins a new log. It must end the process, which is always safe. Nil
	// panics.
	Fatal func(error)

	// AcceptLoss opens a folder whose log is damaged, without the changes from
	// the damage on. These are logged, and the files are kept under another name.
	// A folder with other damage is refused nevertheless.
	AcceptLoss bool
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.ReadOnly {
		o.FS = readOnlyFS{o.FS}
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = DefaultMemTableBytes
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OnCommit == nil {
		o.OnCommit = func(Commit) {}
	}
	if o.Fatal == nil {
		o.Fatal = func(err error) { panic(err) }
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Time{} }
	}
	return o
}

// pebble returns the settings of the database, each with its reason.
func (s *Store) pebble() *pebble.Options {
	o := s.o
	p := &pebble.Options{
		FS:                 turnsFS{s.guard.fs(), o.Turns},
		Lock:               s.lock,
		ReadOnly:           o.ReadOnly,
		Logger:             logger{o.Logger, s.guard},
		FormatMajorVersion: pebble.FormatTableFormatV6, // explicit, so that an upgrade of Pebble alone changes no file
		CacheSize:          o.CacheBytes,
		MemTableSize:       uint64(o.MemTableBytes),

		// One memtable fills and one is flushed; a third absorbs a burst
		// before writers must wait.
		MemTableStopWritesThreshold: 3,
		// A flush has keys of all kinds, so its compaction rewrites much of what
		// lies between them. Hence two flushes are compacted together (Pebble
		// counts each twice), and tables are small, so that fewer of them overlap.
		// That one flush stays in L0 costs little, since reads are point reads with
		// filters, and far less than stopping writers.
		L0CompactionThreshold:      4,
		L0StopWritesThreshold:      64,
		LBaseMaxBytes:              64 << 20,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
	}
	p.TargetFileSizes[0] = 1 << 20 // and twice as much on each level below
	for i := range p.Levels {
		// Most point reads for something that is not there (a queue that is
		// empty, an execution that is new) end at a filter, on every level.
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	p.EventListener = s.guard.listener()
	p.EventListener.BackgroundError = s.troubled
	p.EventListener.DataCorruption = s.corrupted
	p.EventListener.WALCreated = s.mark.made
	return p
}

// logger passes on what Pebble logs.
type logger struct {
	log   *slog.Logger
	guard *guard
}

func (l logger) Infof(format string, args ...any)  { l.log.Debug(fmt.Sprintf(format, args...)) }
func (l logger) Errorf(format string, args ...any) { l.log.Error(fmt.Sprintf(format, args...)) }
