package eventlog

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/muster-iot/muster/store"
)

// This file holds the log's steps from format 2 to format 3. In format 2 an event was in
// the log once for all sinks, its place was a number, and one record said up to
// which place each sink had taken events.

// formerEvent is an event of format 2.
type formerEvent struct {
	For uint8 // a bit for each Sink that wants it
	Event
}

// formerMarks are how far the log of format 2 went.
type formerMarks struct {
	Taken [sinkCount]uint64 // by sink: it has taken all events up to this place
}

var formerTables = struct {
	log   store.Of[formerEvent] // 16 hexadecimal digits of its place
	marks store.Of[formerMarks] // theFormerMarks
}{
	log:   store.Of[formerEvent]{Table: "event"},
	marks: store.Of[formerMarks]{Table: "eventmark"},
}

const theFormerMarks = "log"

// FormerTables are the tables of former formats, which only migrations read.
func FormerTables() []store.Table {
	return []store.Table{formerTables.log.Name(), formerTables.marks.Name()}
}

// formerPlaceOf returns the place of an event of format 2 from its key, as a place of
// today.
func formerPlaceOf(key string) (number uint64, place string, err error) {
	b, err := hex.DecodeString(key)
	if err != nil || len(b) != 8 {
		return 0, "", fmt.Errorf("eventlog: %q is no place of format 2", key)
	}
	number = binary.BigEndian.Uint64(b)
	return number, formerPlace(number), nil
}

// EventsBySink is the step of a migration from format 2 to 3 that writes each event for
// the sinks that have not taken it.
func EventsBySink(s store.Records, after string, limit int, _ func(string)) (string, bool, error) {
	m, err := formerTables.marks.Get(s, theFormerMarks)
	if err != nil {
		return after, false, err
	}
	if m == nil {
		m = &formerMarks{}
	}
	return store.EachAfter(s, formerTables.log, after, limit, func(row store.Row[formerEvent]) error {
		number, place, err := formerPlaceOf(row.Key)
		if err != nil {
			return err
		}
		for sink := range sinkCount {
			if row.Value.For&(1<<sink) != 0 && number > m.Taken[sink] {
				sink.table().Put(s, place, row.Value.Event)
			}
		}
		formerTables.log.Delete(s, row.Key)
		return nil
	})
}

// LetterPlaces is the step of a migration from format 2 to 3 that gives dead letters
// places of today.
func LetterPlaces(s store.Records, after string, limit int, _ func(string)) (string, bool, error) {
	return store.EachAfter(s, tables.letters, after, limit, func(row store.Row[DeadLetter]) error {
		if (origins{}).begun(row.Key) {
			return nil // this step has written it
		}
		_, place, err := formerPlaceOf(row.Key)
		if err != nil {
			return err
		}
		tables.letters.Put(s, place, row.Value)
		tables.letters.Delete(s, row.Key)
		return nil
	})
}

// NoMarks is the step of a migration from format 2 to 3, after EventsBySink, that removes
// the record of what sinks have taken.
func NoMarks(s store.Records, _ string, _ int, _ func(string)) (string, bool, error) {
	formerTables.marks.Delete(s, theFormerMarks)
	return "", false, nil
}
