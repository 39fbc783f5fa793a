package eventlog

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tables hold the log, each with its key. The names of tables are stored and must not
// change.
var tables = struct {
	config      store.Of[muster.EventConfig] // theConfig
	subscribers store.Of[Event]              // that Subscribers have not taken; Event.Place
	webhook     store.Of[Event]              // that Webhook has not taken; Event.Place
	origins     store.Of[origins]            // theOrigins
	letters     store.Of[DeadLetter]         // Event.Place that the event had
}{
	config:      store.Of[muster.EventConfig]{Table: "events"},
	subscribers: store.Of[Event]{Table: "subscriberevent"},
	webhook:     store.Of[Event]{Table: "webhookevent"},
	origins:     store.Of[origins]{Table: "eventorigin"},
	letters:     store.Of[DeadLetter]{Table: "deadletter"},
}

// Tables are the tables of this package.
func Tables() []store.Checker {
	return []store.Checker{tables.config, tables.subscribers, tables.webhook, tables.origins, tables.letters}
}

// table returns the table of a sink's events.
func (s Sink) table() store.Of[Event] {
	if s == Subscribers {
		return tables.subscribers
	}
	return tables.webhook
}
