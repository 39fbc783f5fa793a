package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/muster-iot/muster"
)

// Forms of a value, in its first byte. The values do not repeat what is in their keys.
const (
	firstForm     = 1 // of the counts of a job; also of queues and executions that earlier releases wrote
	presignedForm = 2 // of an execution that earlier releases wrote, with the instant of its URLs
	spanForm      = 3 // of queues and executions: instants are written as spans from the first one
)

// Bits of the one byte of flags. An instant whose bit is not set is zero.
const (
	flagForceCanceled = 1 << iota
	flagWindowed
	flagHidden
	flagStarted
	flagJobDeadline
	flagStepDeadline
	flagPresigned
	flagBare
	executionFlags = flagForceCanceled | flagWindowed | flagStarted | flagJobDeadline | flagStepDeadline | flagPresigned
	entryFlags     = flagWindowed | flagHidden | flagStarted | flagBare
	formerFlags    = flagForceCanceled | flagWindowed | flagHidden
)

var errDamaged = errors.New("the record is damaged")

func appendExecution(b []byte, e *muster.Execution) []byte {
	b = append(b, spanForm, byte(e.Status), flag(e.ForceCanceled, flagForceCanceled)|flag(e.Windowed, flagWindowed)|
		flag(e.StartedAt != 0, flagStarted)|flag(e.JobDeadline != 0, flagJobDeadline)|
		flag(e.StepDeadline != 0, flagStepDeadline)|flag(e.PresignedAt != 0, flagPresigned))
	b = appendString(b, string(e.Namespace))
	for _, n := range [...]int64{e.Version, int64(e.Retries.Failed), int64(e.Retries.TimedOut)} {
		b = binary.AppendVarint(b, n)
	}
	b = appendSpans(b, e.QueuedAt, e.UpdatedAt, e.StartedAt, e.JobDeadline, e.StepDeadline, e.PresignedAt)
	b = binary.AppendUvarint(b, uint64(len(e.Details)))
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		b = appendString(appendString(b, name), e.Details[name])
	}
	return b
}

// appendSpans writes the first instant, and the second and those of the others that
// are not zero as spans from it. A span may overflow: reading it does so again.
func appendSpans(b []byte, first, second muster.Instant, others ...muster.Instant) []byte {
	b = binary.AppendVarint(b, int64(first))
	b = binary.AppendVarint(b, int64(second-first))
	for _, at := range others {
		if at != 0 {
			b = binary.AppendVarint(b, int64(at-first))
		}
	}
	return b
}

// decodeExecution fills in all of e but Thing, Job and Number.
func decodeExecution(b []byte, e *muster.Execution) error {
	d := decoder{b: b}
	form := d.form(spanForm)
	e.Status = d.status(muster.Canceled)
	flags := d.flags(executionFlags)
	e.ForceCanceled, e.Windowed = flags&flagForceCanceled != 0, flags&flagWindowed != 0
	e.Namespace = muster.Namespace(d.string())
	e.Version = d.varint()
	e.Retries = muster.Retries{Failed: int(d.varint()), TimedOut: int(d.varint())}
	if form == spanForm {
		e.QueuedAt = d.instant()
		e.UpdatedAt = e.QueuedAt + d.instant()
		e.StartedAt = d.span(flags, flagStarted, e.QueuedAt)
		e.JobDeadline = d.span(flags, flagJobDeadline, e.QueuedAt)
		e.StepDeadline = d.span(flags, flagStepDeadline, e.QueuedAt)
		e.PresignedAt = d.span(flags, flagPresigned, e.QueuedAt)
	} else {
		d.former(flags)
		e.QueuedAt, e.StartedAt, e.UpdatedAt = d.instant(), d.instant(), d.instant()
		e.JobDeadline, e.StepDeadline = d.instant(), d.instant()
	}
	d.details(e)
	if form == presignedForm {
		if e.PresignedAt = d.instant(); e.PresignedAt == 0 {
			d.fail(errDamaged)
		}
	}
	return d.end()
}

// details reads the details of e.
func (d *decoder) details(e *muster.Execution) {
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
			return
		}
		e.Details[name], last = d.string(), name
	}
}

// appendQueue writes the revision as what it is above the lowest possible one, which is
// little. The difference may overflow: reading it does so again.
func appendQueue(b []byte, q *queue) []byte {
	b = binary.AppendUvarint(append(b, spanForm), uint64(q.rev-q.leastRev()))
	b = binary.AppendUvarint(b, uint64(len(q.entries)))
	for i := range q.entries {
		e := &q.entries[i]
		b = appendString(b, string(e.Job))
		b = append(b, byte(e.Status), flag(e.Windowed, flagWindowed)|flag(e.Hidden, flagHidden)|
			flag(e.StartedAt != 0, flagStarted)|flag(slices.Contains(q.bare, attempt{e.Job, e.Number}), flagBare))
		b = binary.AppendVarint(binary.AppendVarint(b, e.Number), e.Version)
		b = appendSpans(b, e.QueuedAt, e.UpdatedAt, e.StartedAt)
	}
	return b
}

func (q *queue) leastRev() int64 { return muster.Queue{Entries: q.entries}.LeastRev() }

const minEntryLen = 1 + 2 + 4

// decodeQueue fills in the entries of q, its revision, and which entries are bare. Earlier
// forms have no revision: they are given the lowest possible one.
func decodeQueue(b []byte, q *queue) error {
	d := decoder{b: b}
	form := d.form(spanForm)
	above := uint64(0)
	if form == spanForm {
		above = d.uvarint()
	}
	if n := d.length(minEntryLen); n > 0 {
		q.entries = make([]muster.Entry, n)
	}
	for i := range q.entries {
		e := &q.entries[i]
		e.Job = muster.JobID(d.string())
		if i > 0 && e.Job <= q.entries[i-1].Job {
			d.fail(errDamaged)
		}
		e.Status = d.status(muster.InProgress)
		flags := d.flags(entryFlags)
		e.Windowed, e.Hidden = flags&flagWindowed != 0, flags&flagHidden != 0
		e.Number, e.Version = d.varint(), d.varint()
		if form == spanForm {
			e.QueuedAt = d.instant()
			e.UpdatedAt = e.QueuedAt + d.instant()
			e.StartedAt = d.span(flags, flagStarted, e.QueuedAt)
		} else {
			d.former(flags)
			e.QueuedAt, e.StartedAt, e.UpdatedAt = d.instant(), d.instant(), d.instant()
		}
		if flags&flagBare != 0 {
			q.bare = append(q.bare, attempt{e.Job, e.Number})
		}
	}
	if form == presignedForm {
		d.fail(errDamaged)
	}
	q.rev = q.leastRev() + int64(above)
	return d.end()
}

func appendCounts(b []byte, c muster.Counts) []byte {
	b = append(b, firstForm)
	for _, n := range c {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func decodeCounts(b []byte) (c muster.Counts, err error) {
	d := decoder{b: b}
	d.form(firstForm)
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

// form reads the form of a record: firstForm up to the newest.
func (d *decoder) form(newest byte) byte {
	v := d.byte()
	if d.err == nil && (v < firstForm || v > newest) {
		d.fail(fmt.Errorf("the record has form %d, which this release does not know", v))
	}
	return v
}

// former fails if a record of an earlier form has flags that it did not know.
func (d *decoder) former(flags byte) {
	if flags&^formerFlags != 0 {
		d.fail(errDamaged)
	}
}

// span reads an instant that is not zero, as a span from another one, if its flag is
// set.
func (d *decoder) span(flags, bit byte, from muster.Instant) muster.Instant {
	if flags&bit == 0 {
		return 0
	}
	at := from + d.instant()
	if at == 0 {
		d.fail(errDamaged)
	}
	return at
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
