package cluster

import (
	"encoding/binary"
	"errors"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Digest is what a node says of its commits. It says where to look and not what is there, so
// one that comes late, twice or after a newer one does no harm.
type Digest struct {
	From store.Incarnation
	// Sequence numbers the digests of a node that say something, from 1. One that says nothing
	// repeats the number of the last one that did; zero is none yet.
	Sequence uint64
	Queues   []QueueNews
	Rights   RightsNews
	Recorded bool // there are events that sinks have yet to take
	// Wake is the earliest instant from which background work that was left can be done; zero
	// is at once, and Never that there is none.
	Wake muster.Instant
}

// Never is later than every instant.
const Never = muster.Instant(1<<63 - 1)

// QueueNews says that a queue has changed.
type QueueNews struct {
	store.QueueKey
	muster.Change       // what its thing must be told
	Rev           int64 // of the queue, if its thing must be told of the list
	HeadRev       int64 // revision of the queue that the new head belongs to, if its thing must be told of the head
}

// RightsNews says whose rights may be different.
type RightsNews struct {
	All          bool
	Certificates []muster.CertificateID
	Things       []muster.ThingName
}

// Any reports whether there is such news.
func (r RightsNews) Any() bool { return r.All || len(r.Certificates)+len(r.Things) > 0 }

// empty reports whether a digest says nothing.
func (d *Digest) empty() bool {
	return len(d.Queues) == 0 && !d.Rights.Any() && !d.Recorded && d.Wake == Never
}

// The format of a digest: its version, then numbers as varints, and strings with their length before
// them. A node does not understand a digest of another version, and treats it as one that was lost.
const digestVersion = 1

// Flags of a digest.
const (
	flagAll = 1 << iota
	flagRecorded
	flagWake
)

// Flags of a queue, beside the length of its namespace.
const (
	flagList = 1 << iota
	flagNext
	flagBits = iota
)

var errDigest = errors.New("cluster: this is no digest")

// append encodes d.
func (d *Digest) append(b []byte) []byte {
	flags := byte(0)
	if d.Rights.All {
		flags |= flagAll
	}
	if d.Recorded {
		flags |= flagRecorded
	}
	if d.Wake != Never {
		flags |= flagWake
	}
	b = append(b, digestVersion, flags)
	b = binary.AppendUvarint(b, uint64(d.From))
	b = binary.AppendUvarint(b, d.Sequence)
	if d.Wake != Never {
		b = binary.AppendVarint(b, int64(d.Wake))
	}
	b = appendStrings(b, d.Rights.Certificates)
	b = appendStrings(b, d.Rights.Things)
	b = binary.AppendUvarint(b, uint64(len(d.Queues)))
	for _, q := range d.Queues {
		b = q.append(b)
	}
	return b
}

func (q QueueNews) append(b []byte) []byte {
	flags := uint64(0)
	if q.List {
		flags |= flagList
	}
	if q.Next {
		flags |= flagNext
	}
	b = binary.AppendUvarint(b, uint64(len(q.Thing)))
	b = append(b, q.Thing...)
	b = binary.AppendUvarint(b, uint64(len(q.Namespace))<<flagBits|flags)
	b = append(b, q.Namespace...)
	if q.List {
		b = binary.AppendVarint(b, q.Rev)
	}
	if q.Next {
		b = binary.AppendVarint(b, q.HeadRev-q.Rev) // which are mostly the same
	}
	return b
}

// sizeOf returns the size of q in a digest, or a little more.
func sizeOf(q QueueNews) int { return len(q.Thing) + len(q.Namespace) + 4*binary.MaxVarintLen64 }

func appendStrings[S ~string](b []byte, all []S) []byte {
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, s := range all {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// decode sets d to what data says, in the memory that d has. Its strings are parts of one.
func (d *Digest) decode(data []byte) error {
	*d = Digest{Queues: d.Queues[:0], Wake: Never}
	r := reader{rest: string(data)}
	if r.byte() != digestVersion {
		return errDigest
	}
	flags := r.byte()
	d.From, d.Sequence = store.Incarnation(r.number()), r.number()
	if flags&flagWake != 0 {
		d.Wake = muster.Instant(r.signed())
	}
	d.Rights.All, d.Recorded = flags&flagAll != 0, flags&flagRecorded != 0
	d.Rights.Certificates = readStrings[muster.CertificateID](&r)
	d.Rights.Things = readStrings[muster.ThingName](&r)
	for range r.count() {
		d.Queues = append(d.Queues, r.queue())
	}
	if r.failed || len(r.rest) > 0 || flags > flagAll|flagRecorded|flagWake {
		return errDigest
	}
	return nil
}

func (r *reader) queue() (q QueueNews) {
	q.Thing = muster.ThingName(r.text(r.number()))
	n := r.number()
	q.Namespace = muster.Namespace(r.text(n >> flagBits))
	if q.List = n&flagList != 0; q.List {
		q.Rev = r.signed()
	}
	if q.Next = n&flagNext != 0; q.Next {
		q.HeadRev = r.signed() + q.Rev
	}
	return q
}

func readStrings[S ~string](r *reader) []S {
	n := r.count()
	if n == 0 {
		return nil
	}
	all := make([]S, 0, n)
	for range n {
		all = append(all, S(r.text(r.number())))
	}
	return all
}

// reader takes a digest apart. After a failure everything that it reads is zero.
type reader struct {
	rest   string
	failed bool
}

func (r *reader) fail() {
	r.rest, r.failed = "", true
}

func (r *reader) byte() byte {
	if r.rest == "" {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// number reads an unsigned varint.
func (r *reader) number() uint64 {
	var n uint64
	for i := 0; i < min(len(r.rest), binary.MaxVarintLen64); i++ {
		b := r.rest[i]
		if i == binary.MaxVarintLen64-1 && b > 1 {
			break
		}
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.fail()
	return 0
}

func (r *reader) signed() int64 {
	n := r.number()
	return int64(n>>1) ^ -int64(n&1)
}

// count reads how many parts follow, each of at least one byte.
func (r *reader) count() int {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) text(n uint64) string {
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}
