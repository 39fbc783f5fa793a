package pebblestore

import (
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// troubled is called when background work has failed.
func (s *Store) troubled(err error) {
	s.guard.backgroundError(err)
	select {
	case s.trouble <- struct{}{}:
	default: // there is a token already
	}
}

// plainly returns an error of reading unchanged, or as a DamageError if the bytes
// on the disk are not those that were written.
func plainly(err error) error {
	if !pebble.IsCorruptionError(err) {
		return err
	}
	return &DamageError{What: sentence(err)}
}

// sentence returns the text of an error without what Pebble adds to it: stack
// traces, which a logger would print, and a line that has no meaning for readers.
func sentence(err error) string {
	return strings.ReplaceAll(err.Error(), "\n<corruption detail carrier>", "")
}

// corrupted logs, once for each file, that a part of it cannot be read. The store
// goes on: calls that need that part fail, and all others succeed.
func (s *Store) corrupted(i pebble.DataCorruptionInfo) {
	if _, reported := s.damagedFiles.LoadOrStore(i.Path, true); !reported {
		s.o.Logger.Error("a file of the store is damaged: requests that need the damaged part of it fail; restore a backup",
			"file", i.Path, "error", sentence(i.Details))
	}
}
