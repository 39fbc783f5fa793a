package pebblestore

import (
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// troubled hears that background work has failed.
func (s *Store) troubled(err error) {
	s.guard.backgroundError(err)
	select {
	case s.trouble <- struct{}{}:
	default: // Close has yet to hear of an earlier one, or never will
	}
}

// plainly returns an error of reading as it is, or, when the bytes on the disk are
// not those that were written, as a DamageError.
func plainly(err error) error {
	if !pebble.IsCorruptionError(err) {
		return err
	}
	return &DamageError{What: sentence(err)}
}

// sentence returns the text of an error without what Pebble hangs on it: stack
// traces, which a logger would print, and a line that means nothing to a reader.
func sentence(err error) string {
	return strings.ReplaceAll(err.Error(), "\n<corruption detail carrier>", "")
}

// corrupted logs, once for each file, that a part of it cannot be read. The store
// goes on: whatever needs that part fails, and everything else is served.
func (s *Store) corrupted(i pebble.DataCorruptionInfo) {
	if _, reported := s.damagedFiles.LoadOrStore(i.Path, true); !reported {
		s.o.Logger.Error("a file of the store is damaged: requests that need the damaged part of it fail; restore a backup",
			"file", i.Path, "error", sentence(i.Details))
	}
}
