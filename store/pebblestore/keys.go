package pebblestore

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// The layout of keys. A thing's queues and executions are adjacent, so that most
// operations read one block. Things are in the order of their names and not of a
// hash, since a rollout takes them by name and so finds them in neighbouring
// blocks (docs/decisions/0002-no-bucket-in-pebble.md).
//
//	t <thing> 0 q <namespace>               a queue
//	t <thing> 0 x <job> 0 <number>          an execution
//	j <job> 0 <status> <queuedAt, latest first> <thing> 0 <number>   its place in the index by job
//	d <due> <thing> 0 <job> 0 <number>      its timer
//	c <job>                                 the counts of a job
//	r <table> 0 <key>                       a record
//	f                                       the format version
//
// Names contain no 0 byte, so a 0 byte ends them and sorts "a" before "a-b".
// Numbers are 8 bytes that sort as the numbers do.
const (
	ofThing       = 't'
	ofJob         = 'j'
	ofTimer       = 'd'
	ofCounts      = 'c'
	ofRecord      = 'r'
	queueMark     = 'q'
	executionMark = 'x'
)

var formatKey = []byte{'f'}

const numberLen = 8

func appendName(b []byte, name string) []byte { return append(append(b, name...), 0) }

func appendNumber(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(n)^(1<<63))
}

// appendDescending is appendNumber in the reverse order.
func appendDescending(b []byte, n int64) []byte { return appendNumber(b, ^n) }

func number(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) ^ (1 << 63)) }

func appendThing(b []byte, thing muster.ThingName) []byte {
	return appendName(append(b, ofThing), string(thing))
}

func appendQueueKey(b []byte, key store.QueueKey) []byte {
	return append(append(appendThing(b, key.Thing), queueMark), key.Namespace...)
}

// appendExecutions begins the keys of all executions of a job on a thing.
func appendExecutions(b []byte, thing muster.ThingName, job muster.JobID) []byte {
	return appendName(append(appendThing(b, thing), executionMark), string(job))
}

func appendExecutionKey(b []byte, key store.ExecutionKey) []byte {
	return appendNumber(appendExecutions(b, key.Thing, key.Job), key.Number)
}

// appendPlaces begins the keys of all places of a job's executions.
func appendPlaces(b []byte, job muster.JobID) []byte {
	return appendName(append(b, ofJob), string(job))
}

func appendPlaceKey(b []byte, job muster.JobID, status muster.Status, at store.Cursor) []byte {
	b = append(appendPlaces(b, job), byte(status))
	b = appendDescending(b, int64(at.QueuedAt))
	return appendNumber(appendName(b, string(at.Thing)), at.Number)
}

func appendTimerKey(b []byte, t store.Timer) []byte {
	b = appendNumber(append(b, ofTimer), int64(t.Due))
	b = appendName(appendName(b, string(t.Thing)), string(t.Job))
	return appendNumber(b, t.Number)
}

func appendCountsKey(b []byte, job muster.JobID) []byte { return append(append(b, ofCounts), job...) }

func appendRecordKey(b []byte, table store.Table, key string) []byte {
	return append(appendName(append(b, ofRecord), string(table)), key...)
}

// after returns the smallest key after all that begin with prefix, whose last byte
// must not be 0xff.
func after(prefix []byte) []byte {
	b := bytes.Clone(prefix)
	b[len(b)-1]++
	return b
}

// parseThingKey cuts a key of kind t; rest begins with its mark.
func parseThingKey(key []byte) (thing muster.ThingName, rest []byte, err error) {
	name, rest, ok := bytes.Cut(key[1:], []byte{0})
	if !ok || len(rest) == 0 {
		return "", nil, keyError(key)
	}
	return muster.ThingName(name), rest, nil
}

// parseExecutionKey reads the rest of an execution's key, after its mark.
func parseExecutionKey(key []byte, thing muster.ThingName, rest []byte) (store.ExecutionKey, error) {
	job, n, ok := bytes.Cut(rest, []byte{0})
	if !ok || len(n) != numberLen {
		return store.ExecutionKey{}, keyError(key)
	}
	return store.ExecutionKey{Thing: thing, Job: muster.JobID(job), Number: number(n)}, nil
}

// parsePlace reads what follows the job in the key of a place.
func parsePlace(rest []byte) (muster.Status, store.Cursor, error) {
	const at = 1 + numberLen
	end := len(rest) - numberLen - 1
	if end < at || rest[end] != 0 {
		return 0, store.Cursor{}, keyError(rest)
	}
	return muster.Status(rest[0]), store.Cursor{
		QueuedAt: muster.Instant(^number(rest[1:at])),
		Thing:    muster.ThingName(rest[at:end]),
		Number:   number(rest[end+1:]),
	}, nil
}

func parseTimerKey(key []byte) (store.Timer, error) {
	const at = 1 + numberLen
	if len(key) < at {
		return store.Timer{}, keyError(key)
	}
	thing, rest, ok := bytes.Cut(key[at:], []byte{0})
	if !ok {
		return store.Timer{}, keyError(key)
	}
	execution, err := parseExecutionKey(key, muster.ThingName(thing), rest)
	return store.Timer{Due: muster.Instant(number(key[1:at])), ExecutionKey: execution}, err
}

func keyError(key []byte) error { return fmt.Errorf("pebblestore: key %q is damaged", key) }
