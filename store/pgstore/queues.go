package pgstore

import (
	"encoding/binary"
	"errors"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// buckets is how many parts the things are divided into, by their names. It never changes.
const buckets = 256

func bucketOf(thing muster.ThingName) int16 { return int16(store.HashOf(thing) % buckets) }

const (
	queueColumns = `q.thing, q.ns, q.rev, q.body`

	selectQueues = `SELECT q.ctid, ` + queueColumns + ` FROM unnest($1::text[], $2::text[], $3::smallint[]) AS k(thing, ns, bucket)
		JOIN muster.queue q USING (thing, ns, bucket)`
	selectQueuesOfShard = selectQueues + ` WHERE q.bucket = ANY($3)`
	pageOfQueues        = `SELECT ` + queueColumns + ` FROM muster.queue q WHERE (q.thing, q.ns) > ($1, $2) AND octet_length(q.body) > 1
		ORDER BY q.thing, q.ns LIMIT $3`

	changeQueues = `UPDATE muster.queue q SET rev = k.rev, head_job = k.head_job, head_number = k.head_number, body = k.body `
	updateQueues = changeQueues + `FROM unnest($1::tid[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[]) AS k(place, rev, head_job, head_number, body)
		WHERE q.ctid = k.place`
	updateQueuesOfShard = changeQueues + `FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::text[], $6::bigint[], $7::bytea[])
			AS k(thing, ns, bucket, rev, head_job, head_number, body)
		WHERE q.thing = k.thing AND q.ns = k.ns AND q.bucket = k.bucket AND q.bucket = ANY($3)`
	insertQueuesOfShard = `INSERT INTO muster.queue (thing, ns, bucket, rev, head_job, head_number, body) `
	insertQueues        = insertQueuesOfShard + `SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::text[], $6::bigint[], $7::bytea[])`
	deleteQueues        = `DELETE FROM muster.queue q WHERE q.ctid = ANY($1::tid[])`
	deleteQueuesOfShard = `DELETE FROM muster.queue q USING unnest($1::text[], $2::text[], $3::smallint[]) AS k(thing, ns, bucket)
		WHERE q.thing = k.thing AND q.ns = k.ns AND q.bucket = k.bucket AND q.bucket = ANY($3)`
)

// places are where the database has some rows. They were read in the same transaction, so the
// snapshot of which it keeps the rows there; one that was changed since makes it refuse the
// transaction, as if the row had been looked for by its key. With shards rows are looked for
// by their keys: one of them may be moved to another server at any time.
type places = pgtype.FlatArray[pgtype.TID]

// queueKeys are the columns of keys.
type queueKeys struct {
	thing, ns []string
	bucket    []int16
}

func (k *queueKeys) add(key store.QueueKey) {
	k.thing, k.ns = append(k.thing, string(key.Thing)), append(k.ns, string(key.Namespace))
	k.bucket = append(k.bucket, bucketOf(key.Thing))
}

// queueAddresses say which rows a statement is for, all by their places or all by their keys.
type queueAddresses struct {
	queueKeys
	place places
}

// add adds a row, by its place if that is valid.
func (a *queueAddresses) add(key store.QueueKey, place pgtype.TID) {
	if place.Valid {
		a.place = append(a.place, place)
	} else {
		a.queueKeys.add(key)
	}
}

func (a *queueAddresses) count() int64 { return int64(len(a.place) + len(a.thing)) }

func (a *queueAddresses) args() []any {
	if len(a.place) > 0 {
		return []any{a.place}
	}
	return []any{a.thing, a.ns, a.bucket}
}

// queueRows are rows of the table.
type queueRows struct {
	queueAddresses
	rev        []int64
	headJob    []string
	headNumber []int64
	body       [][]byte
}

func (r *queueRows) add(q muster.Queue, place pgtype.TID) {
	r.queueAddresses.add(store.KeyOfQueue(q), place)
	head, _ := q.Head()
	r.rev, r.headJob, r.headNumber = append(r.rev, q.Rev), append(r.headJob, string(head.Job)), append(r.headNumber, head.Number)
	r.body = append(r.body, appendEntries(nil, q.Entries))
}

func (r *queueRows) args() []any {
	return append(r.queueAddresses.args(), r.rev, r.headJob, r.headNumber, r.body)
}

func (r *row) queue() muster.Queue {
	q := muster.Queue{Thing: muster.ThingName(r.text()), Namespace: muster.Namespace(r.text()), Rev: r.big()}
	entries, err := decodeEntries(r.shared())
	if err != nil {
		r.fail(err)
	}
	q.Entries = entries
	return q
}

// entriesForm is the first byte of a body: the form of what follows. That is, for each
// entry, its job with its length, seven numbers and its flags.
const entriesForm = 1

const (
	entryWindowed = 1 << iota
	entryHidden
)

var errBody = errors.New("pgstore: a queue has a form that this release does not know")

func appendEntries(b []byte, entries []muster.Entry) []byte {
	b = append(b, entriesForm)
	for _, e := range entries {
		b = binary.AppendUvarint(b, uint64(len(e.Job)))
		b = append(b, e.Job...)
		for _, n := range []int64{e.Number, e.Version, int64(e.Status), int64(e.QueuedAt), int64(e.StartedAt), int64(e.UpdatedAt)} {
			b = binary.AppendVarint(b, n)
		}
		flags := byte(0)
		if e.Windowed {
			flags |= entryWindowed
		}
		if e.Hidden {
			flags |= entryHidden
		}
		b = append(b, flags)
	}
	return b
}

func decodeEntries(b []byte) ([]muster.Entry, error) {
	if len(b) == 0 || b[0] != entriesForm {
		return nil, errBody
	}
	b = b[1:]
	var entries []muster.Entry
	for len(b) > 0 {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errBody
		}
		e := muster.Entry{Job: muster.JobID(b[n : n+int(size)])}
		b = b[n+int(size):]
		var numbers [6]int64
		for i := range numbers {
			if numbers[i], n = binary.Varint(b); n <= 0 {
				return nil, errBody
			}
			b = b[n:]
		}
		if len(b) == 0 || b[0]&^(entryWindowed|entryHidden) != 0 || numbers[2] < int64(muster.Queued) || numbers[2] > int64(muster.InProgress) {
			return nil, errBody
		}
		e.Number, e.Version, e.Status = numbers[0], numbers[1], muster.Status(numbers[2])
		e.QueuedAt, e.StartedAt, e.UpdatedAt = muster.Instant(numbers[3]), muster.Instant(numbers[4]), muster.Instant(numbers[5])
		e.Windowed, e.Hidden = b[0]&entryWindowed != 0, b[0]&entryHidden != 0
		entries, b = append(entries, e), b[1:]
	}
	return entries, nil
}
