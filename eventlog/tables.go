package eventlog

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tables hold the log, each with its key. The names of tables are stored and must not
// change.
var tables = struct {
	config  store.Of[muster.EventConfig] // theConfig
	log     [sinkCount]store.Of[Event]   // for each sink, its events that it has not taken; Event.Place
	origins store.Of[origins]            // theOrigins
	letters store.Of[DeadLetter]         // Event.Place that the event had
}{
	config:  store.Of[muster.EventConfig]{Table: "events"},
	log:     [sinkCount]store.Of[Event]{Subscribers: {Table: "subscriberevent"}, Webhook: {Table: "webhookevent"}},
	origins: store.Of[origins]{Table: "eventorigin"},
	letters: store.Of[DeadLetter]{Table: "deadletter"},
}

// Tables are the tables of this package.
func Tables() []store.Checker {
	return []store.Checker{tables.config, tables.log[Subscribers], tables.log[Webhook], tables.origins, tables.letters}
}
