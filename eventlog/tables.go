package eventlog

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tables hold the log, each with its key. The names of tables are stored and must not
// change.
var tables = struct {
	config  store.Of[muster.EventConfig] // theConfig
	log     store.Of[logged]             // placeKey
	marks   store.Of[marks]              // theMarks
	letters store.Of[DeadLetter]         // placeKey that the event had
}{
	config:  store.Of[muster.EventConfig]{Table: "events"},
	log:     store.Of[logged]{Table: "event"},
	marks:   store.Of[marks]{Table: "eventmark"},
	letters: store.Of[DeadLetter]{Table: "deadletter"},
}

// Tables are the tables of this package.
func Tables() []store.Checker {
	return []store.Checker{tables.config, tables.log, tables.marks, tables.letters}
}
