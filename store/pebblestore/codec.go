package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/muster-iot/muster"
)

// codecVersion is the first byte of a queue, an execution and the counts of a
// job. The values do not repeat what is in their keys.
const codecVersion = 1

// presignedVersion is the first byte of an execution whose device was given
// URLs: one instant follows the fields of the first form. All others have the
// first form, as earlier releases wrote it.
const presignedVersion = 2

// Bits of the one byte of flags.
const (
	flagForceCanceled = 1 << iota
	flagWindowed
	flagHidden
	executionFlags = flagForceCanceled | flagWindowed
	entryFlags     = flagWindowed | flagHidden
)

var errDamaged = errors.New("the record is damaged")

func appendExecution(b []byte, e *muster.Execution) []byte {
	version := byte(codecVersion)
	if e.PresignedAt != 0 {
		version = presignedVersion
	}
	b = append(b, version, byte(e.Status), flag(e.ForceCanceled, flagForceCanceled)|flag(e.Windowed, flagWindowed))
	b = appendString(b, string(e.Namespace))
	for _, n := range [...]int64{
		e.Version, int64(e.Retries.Failed), int64(e.Retries.TimedOut),
		int64(e.QueuedAt), int64(e.StartedAt), int64(e.UpdatedAt), int64(e.JobDeadline), int64(e.StepDeadline),
	} {
		b = binary.AppendVarint(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Details)))
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		b = appendString(appendString(b, name), e.Details[name])
	}
	if version == presignedVersion {
		b = binary.AppendVarint(b, int64(e.PresignedAt))
	}
	return b
}

// decodeExecution fills in all of e but Thing, Job and Number.
func decodeExecution(b []byte, e *muster.Execution) error {
	d := decoder{b: b}
	version := d.version(presignedVersion)
	e.Status = d.status(muster.Canceled)
	flags := d.flags(executionFlags)
	e.ForceCanceled, e.Windowed = flags&flagForceCanceled != 0, flags&flagWindowed != 0
	e.Namespace = muster.Namespace(d.string())
	e.Version = d.varint()
	e.Retries = muster.Retries{Failed: int(d.varint()), TimedOut: int(d.varint())}
	e.QueuedAt, e.StartedAt, e.UpdatedAt = d.instant(), d.instant(), d.instant()
	e.JobDeadline, e.StepDeadline = d.instant(), d.instant()
	n := d.length(2)
	if n > 0 && d.err == nil {
		e.Details = make(map[string]string, n)
	}
	last := ""
	for i := range n {
		name := d.string()
		if i > 0 && name <= last {
			d.fail(errDamaged)
		}
		if d.err != nil {
			break
		}
		e.Details[name], last = d.string(), name
	}
	if version == presignedVersion {
		if e.PresignedAt = d.instant(); e.PresignedAt == 0 {
			d.fail(errDamaged)
		}
	}
	return d.end()
}

func appendQueue(b []byte, q *muster.Queue) []byte {
	b = binary.AppendUvarint(append(b, codecVersion), uint64(len(q.Entries)))
	for i := range q.Entries {
		e := &q.Entries[i]
		b = appendString(b, string(e.Job))
		b = append(b, byte(e.Status), flag(e.Windowed, flagWindowed)|flag(e.Hidden, flagHidden))
		for _, n := range [...]int64{
			e.Number, e.Version, int64(e.QueuedAt), int64(e.StartedAt), int64(e.UpdatedAt),
		} {
			b = binary.AppendVarint(b, n)
		}
	}
	return b
}

const minEntryLen = 1 + 2 + 5

// decodeQueue fills in the Entries of q.
func decodeQueue(b []byte, q *muster.Queue) error {
	d := decoder{b: b}
	d.version(codecVersion)
	if n := d.length(minEntryLen); n > 0 {
		q.Entries = make([]muster.Entry, n)
	}
	for i := range q.Entries {
		e := &q.Entries[i]
		e.Job = muster.JobID(d.string())
		e.Status = d.status(muster.InProgress)
		flags := d.flags(entryFlags)
		e.Windowed, e.Hidden = flags&flagWindowed != 0, flags&flagHidden != 0
		e.Number, e.Version = d.varint(), d.varint()
		e.QueuedAt, e.StartedAt, e.UpdatedAt = d.instant(), d.instant(), d.instant()
	}
	return d.end()
}

func appendCounts(b []byte, c muster.Counts) []byte {
	b = append(b, codecVersion)
	for _, n := range c {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func decodeCounts(b []byte) (c muster.Counts, err error) {
	d := decoder{b: b}
	d.version(codecVersion)
	for i := range c {
		c[i] = d.varint()
	}
	return c, d.end()
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

// decoder reads a record from its front. It accepts precisely what the append
// functions write; after its first error all it reads is zero.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

// version reads the form of a record: codecVersion up to the newest.
func (d *decoder) version(newest byte) byte {
	v := d.byte()
	if d.err == nil && (v < codecVersion || v > newest) {
		d.fail(fmt.Errorf("the record has form %d, which this release does not know", v))
	}
	return v
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail(errDamaged)
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) status(highest muster.Status) muster.Status {
	s := muster.Status(d.byte())
	if s == 0 || s > highest {
		d.fail(errDamaged)
		return 0
	}
	return s
}

func (d *decoder) flags(known byte) byte {
	v := d.byte()
	if v&^known != 0 {
		d.fail(errDamaged)
		return 0
	}
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || (n > 1 && d.b[n-1] == 0) { // cut off, too long, or longer than need be
		d.fail(errDamaged)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) instant() muster.Instant { return muster.Instant(d.varint()) }

func (d *decoder) string() string {
	n := d.length(1)
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

// length reads how many items follow, of at least size bytes each. It fails if
// the record is too short for them, so that no slice is made for a wrong number.
func (d *decoder) length(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail(errDamaged)
		return 0
	}
	return int(n)
}

func (d *decoder) end() error {
	if d.err == nil && len(d.b) != 0 {
		d.fail(errDamaged)
	}
	return d.err
}
