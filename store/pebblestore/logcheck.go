package pebblestore

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// LostTail is the end of the log that can no longer be used.
type LostTail struct {
	Log     string // name of the file, in the folder
	Offset  int64  // of the first byte in it that is damaged or missing
	Changes int    // whole transactions after that offset; they depend on what is lost
	Bytes   int64  // of these

	later []string // the logs after it
}

// durableLen is the length of a durable mark, the first entry of each batch: the
// sequence number below which everything had been synced when the batch was made.
// It is written to the log only. A record below it that is not whole was damaged,
// and not torn by a crash.
const durableLen = 8

func durableMark(below uint64) []byte { return binary.BigEndian.AppendUint64(nil, below) }

// logged is what a record of a log says about itself.
type logged struct {
	first, count uint64 // of its sequence numbers
	durable      uint64 // everything below had been synced; 0 when it does not say
}

func parseLogged(head []byte) (l logged, ok bool) {
	header, ok := batchrepr.ReadHeader(head)
	if !ok {
		return l, false
	}
	l.first, l.count = uint64(header.SeqNum), uint64(header.Count)
	const at = batchrepr.HeaderLen
	if len(head) >= at+2+durableLen && head[at] == byte(pebble.InternalKeyKindLogData) && head[at+1] == durableLen {
		l.durable = binary.BigEndian.Uint64(head[at+2:])
	}
	return l, true
}

// checkLogs reads the logs of a folder that are still needed. It returns a
// DamageError when something is missing that had been synced. The end of the
// newest log may be torn, as a crash leaves it.
func checkLogs(files vfs.FS, dir string, state logState) error {
	logs, err := wal.Scan(wal.Dir{FS: files, Dirname: dir})
	if err != nil {
		return fmt.Errorf("list the log: %w", err)
	}
	for len(logs) > 0 && uint64(logs[0].Num) < state.oldest {
		logs = logs[1:]
	}
	if err := checkNewest(files, dir, state.oldest, logs); err != nil {
		return err
	}
	c := logCheck{first: state.next}
	for i, log := range logs {
		for segment := range log.NumSegments() {
			if err := c.read(log, segment, i == len(logs)-1); err != nil {
				return err
			}
		}
	}
	return c.verdict()
}

// checkNewest returns a DamageError when the newest log is missing and still
// needed.
func checkNewest(files vfs.FS, dir string, oldest uint64, logs wal.Logs) error {
	value, err := atomicfs.ReadMarker(files, dir, newestMark)
	if err != nil {
		return damaged("the names of its files make no sense: %v", err)
	}
	newest, err := strconv.ParseUint(value, 10, 64)
	if err != nil || newest < oldest { // the folder was written before there was this mark, or all of the log is in tables
		return nil
	}
	if len(logs) > 0 && uint64(logs[len(logs)-1].Num) >= newest {
		return nil
	}
	name := fmt.Sprintf("%06d%s", newest, logSuffix)
	return &DamageError{What: fmt.Sprintf("the log %s, which holds the newest changes, is missing", name), Tail: &LostTail{Log: name}}
}

// logCheck reads one log after the other.
type logCheck struct {
	first uint64    // the first record begins here or before
	next  uint64    // the sequence number that comes next; 0 before the first record
	lost  *LostTail // nil: nothing
	limit uint64    // what is synced below here includes some of what is lost; 0 when it is not known
	sure  bool      // lost is not the torn end that a crash leaves
}

func (c *logCheck) read(log wal.LogicalLog, segment int, newest bool) error {
	files, path := log.SegmentLocation(segment)
	name := files.PathBase(path)
	file, err := files.Open(path)
	if err != nil {
		return damaged("the log %s cannot be opened: %v", name, err)
	}
	defer file.Close()
	earlier := c.lost != nil
	if earlier {
		c.lost.later = append(c.lost.later, name)
	}
	end, err := scanRecords(file, recordForm{log: true, number: uint32(log.Num)}, func(r foundRecord) { c.take(name, r) })
	if err != nil {
		return damaged("the log %s cannot be read: %v", name, err)
	}
	if !earlier && (end.torn || !newest && !end.closed) {
		c.lose(name, end.at)
		c.lost.Offset = min(c.lost.Offset, end.at)
	}
	c.sure = c.sure || c.lost != nil && !newest // a log is synced as a whole before the next one is made
	return nil
}

// lose records that nothing from the offset at on can be used.
func (c *logCheck) lose(name string, at int64) {
	if c.lost != nil {
		return
	}
	c.lost = &LostTail{Log: name, Offset: at}
	if c.next != 0 {
		c.limit = c.next + 1
	}
}

// take checks a whole record.
func (c *logCheck) take(name string, r foundRecord) {
	l, ok := parseLogged(r.head)
	switch {
	case r.torn:
		c.lose(name, r.at)
	case c.lost == nil && (!ok || l.count > 0 && !c.follows(l.first)):
		c.lose(name, r.at)
		c.sure = true // it is whole, but not what follows the one before it
	}
	if c.lost == nil && l.count > 0 {
		c.next = l.first + l.count
	}
	if c.lost == nil {
		return
	}
	if c.limit == 0 {
		c.limit = l.first
	}
	c.sure = c.sure || l.durable >= c.limit
	if l.count > 0 {
		c.lost.Changes++
		c.lost.Bytes += r.size
	}
}

// follows reports whether a record that begins with this sequence number can come
// next.
func (c *logCheck) follows(first uint64) bool {
	if c.next == 0 {
		return first <= c.first
	}
	return first == c.next
}

func (c *logCheck) verdict() error {
	if c.lost == nil || !c.sure {
		return nil
	}
	what := fmt.Sprintf("its log %s is damaged at byte %d, in what was on the disk for sure", c.lost.Log, c.lost.Offset)
	if c.lost.Changes > 0 {
		what += fmt.Sprintf("; %d later changes (%d bytes) are whole, but build on it", c.lost.Changes, c.lost.Bytes)
	}
	return &DamageError{What: what, Tail: c.lost}
}
