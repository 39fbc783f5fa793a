package pebblestore

import (
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// newestMark names the mark in the folder that has the number of the newest log.
// Pebble has no list of its logs, so it does not notice when one was removed.
const newestMark = "newest-log"

// logMark moves the mark. Pebble calls it for each log, one at a time, after the
// log is made and before anything is written to it.
type logMark struct {
	mark *atomicfs.Marker
	log  *slog.Logger
}

func openLogMark(files vfs.FS, dir string, log *slog.Logger) (*logMark, error) {
	mark, _, err := atomicfs.LocateMarker(files, dir, newestMark)
	if err != nil {
		return nil, err
	}
	return &logMark{mark, log}, mark.RemoveObsolete()
}

// made records a new log. If that fails, the mark names an older log: it then
// detects less, and reports no damage that there is not.
func (m *logMark) made(i pebble.WALCreateInfo) {
	if i.Err != nil {
		return
	}
	if err := m.mark.Move(fmt.Sprintf("%06d", uint64(i.FileNum))); err != nil {
		m.log.Warn("the mark of the newest log could not be moved", "error", err)
	}
}

func (m *logMark) close() error {
	if m == nil {
		return nil
	}
	return m.mark.Close()
}
