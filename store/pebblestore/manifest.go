package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// Names in a folder of Pebble.
const (
	manifestMarker = "manifest"
	optionsPrefix  = "OPTIONS-"
	tableSuffix    = ".sst"
	logSuffix      = ".log"
)

// Tags of the first fields of a record in a manifest: the name of the order of
// keys, the number of the oldest log that is still needed, two numbers that do not
// matter here, and the last sequence number that was in use. Each may be missing.
const (
	tagOrder    = 1
	tagOldest   = 2
	tagNextFile = 3
	tagLast     = 4
	tagPrevious = 9
)

// firstSequence is the first sequence number of a new database.
const firstSequence = 10

// logState is what a manifest says about the log.
type logState struct {
	oldest uint64 // number of the oldest log that holds something the tables do not
	next   uint64 // no record that is still needed begins after this sequence number, unless others are before it
}

// readManifest reads the manifest of a folder. found is false for a folder that has
// no database yet. A damaged manifest is a DamageError: Pebble would use the part
// before the damage, and delete the tables that are named after it.
func readManifest(files vfs.FS, dir string) (state logState, found bool, err error) {
	name, err := atomicfs.ReadMarker(files, dir, manifestMarker)
	if err != nil {
		return state, false, damaged("the names of its files make no sense: %v", err)
	}
	if name == "" {
		return state, false, checkUnmade(files, dir)
	}
	file, err := files.Open(files.PathJoin(dir, name))
	if err != nil {
		return state, false, damaged("its list of tables %s cannot be opened: %v", name, err)
	}
	defer file.Close()
	entries, after, tables := 0, 0, false
	end, err := scanRecords(file, recordForm{}, func(r foundRecord) {
		if r.torn {
			after++
			return
		}
		entries++
		tables = state.take(r.head) || tables
	})
	switch {
	case err != nil:
		return state, false, damaged("its list of tables %s cannot be read: %v", name, err)
	case end.at == 0:
		return state, false, damaged("its list of tables %s is damaged at its first record", name)
	case after > 0:
		return state, false, damaged("its list of tables %s is damaged at byte %d; %d later entries are whole", name, end.at, after)
	case entries == 1 && tables:
		// Pebble makes such a manifest the current one when a second entry is synced,
		// which says what sequence numbers there were: it would use them again.
		return state, false, damaged("its list of tables %s ends after its first entry", name)
	}
	return state, true, checkManifestMark(files, dir, name)
}

// take reads the first fields of a record of the manifest, and reports whether the
// record has more: tables added or deleted.
func (s *logState) take(record []byte) (more bool) {
	for len(record) > 0 {
		tag, n := binary.Uvarint(record)
		value, m := binary.Uvarint(record[max(n, 0):])
		if n <= 0 || m <= 0 {
			return true
		}
		record = record[n+m:]
		switch tag {
		case tagOldest:
			s.oldest = value
		case tagLast:
			s.next = max(firstSequence, value+1)
		case tagOrder:
			record = record[min(value, uint64(len(record))):]
		case tagNextFile, tagPrevious:
		default:
			return true
		}
	}
	return false
}

// checkUnmade checks a folder without a mark that names the manifest. It returns
// nil if only the first steps of making a database have been done in it. In any
// other, Pebble would make a new database and delete what is there.
func checkUnmade(files vfs.FS, dir string) error {
	names, err := files.List(dir)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, tableSuffix) || strings.HasSuffix(name, logSuffix) || strings.HasPrefix(name, optionsPrefix) {
			return damaged("the mark that names its list of tables is gone, and %s is there", name)
		}
	}
	return nil
}

// DamageError says that the files of a folder contradict each other, or
// themselves, in a way that no crash leaves.
type DamageError struct {
	What string // a sentence without its full stop
	// Tail is what Options.AcceptLoss would give up; nil when the damage is not in
	// the log, so that the folder cannot be opened.
	Tail *LostTail
}

func (e *DamageError) Error() string { return "the store is damaged: " + e.What }

func damaged(format string, args ...any) error {
	return &DamageError{What: fmt.Sprintf(format, args...)}
}

// asDamage returns the DamageError in err, if there is one.
func asDamage(err error) *DamageError {
	var d *DamageError
	errors.As(err, &d)
	return d
}
