// Package sessionstore keeps the gateway's persistent sessions and retained
// messages in Muster's own store, so that devices find them after a restart
// (mqtt-broker.md MQ-57, MQ-61). It knows records only, not MQTT.
package sessionstore

import (
	"context"
	"fmt"
	"iter"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// The tables, with their keys.
var (
	sessions = store.Of[gateway.SessionRecord]{Table: "session"}  // client id
	messages = store.Of[gateway.MessageRecord]{Table: "inbox"}    // client id, messageKey
	retained = store.Of[gateway.MessageRecord]{Table: "retained"} // topic
)

// Store is a gateway.SessionStore on a store.Store.
type Store struct {
	in   store.Store
	room reserve.Room
}

var _ gateway.SessionStore = Store{}

// On returns the sessions in s. room is called before each Write.
func On(s store.Store, room reserve.Room) Store { return Store{s, room} }

// Load calls each for every stored session, by client id.
func (s Store) Load(ctx context.Context, each func(gateway.StoredSession) error) error {
	return s.in.View(ctx, func(r store.Reader) error {
		waiting := openInboxes(r)
		defer waiting.close()
		for row, err := range sessions.Scan(r, "", "") {
			if err != nil {
				return err
			}
			found := gateway.StoredSession{Client: row.Key, Session: row.Value}
			if found.Messages, err = waiting.of(row.Key); err != nil {
				return err
			}
			if err := each(found); err != nil {
				return err
			}
		}
		return nil
	})
}

// LoadRetained calls each for every retained message, by topic.
func (s Store) LoadRetained(ctx context.Context, each func(gateway.MessageRecord) error) error {
	return s.in.View(ctx, func(r store.Reader) error {
		for row, err := range retained.Scan(r, "", "") {
			if err != nil {
				return err
			}
			if err := each(row.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

// Write applies changes in one transaction and returns when they are durable. On
// a full disk it applies none.
func (s Store) Write(ctx context.Context, changes []gateway.Change) error {
	if err := s.room(reserve.Finish, 0); err != nil {
		return err
	}
	return store.Update(ctx, s.in, func(tx store.Tx) error {
		for _, c := range changes {
			if err := apply(tx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func apply(tx store.Tx, c gateway.Change) error {
	switch c.Kind {
	case gateway.PutSession:
		sessions.Put(tx, c.Client, c.Session)
	case gateway.DropSession:
		sessions.Delete(tx, c.Client)
		return clearInbox(tx, c.Client)
	case gateway.Release:
		sessions.Delete(tx, c.Client)
		holds.Delete(tx, c.Client)
		return clearInbox(tx, c.Client)
	case gateway.AddMessage:
		if known, err := sessions.Has(tx, c.Client); err != nil || !known {
			return err
		}
		messages.Put(tx, messageKey(c.Client, c.Number), c.Message)
	case gateway.DropMessage:
		messages.Delete(tx, messageKey(c.Client, c.Number))
	case gateway.PutRetained:
		retained.Put(tx, c.Message.Topic, c.Message)
	case gateway.DropRetained:
		retained.Delete(tx, c.Message.Topic)
	default:
		return fmt.Errorf("sessionstore: change of unknown kind %d", c.Kind)
	}
	return nil
}

// clearInbox deletes the messages of a client. The gateway bounds how many a session
// holds.
func clearInbox(tx store.Tx, client string) error {
	var keys []string
	from, to := store.Under(client)
	for row, err := range messages.Scan(tx, from, to) {
		if err != nil {
			return err
		}
		keys = append(keys, row.Key)
	}
	for _, key := range keys {
		messages.Delete(tx, key)
	}
	return nil
}

// inboxes reads all messages once, beside the sessions, which are in the same order: a
// server starts with many sessions of which few have messages.
type inboxes struct {
	next  func() (store.Row[gateway.MessageRecord], error, bool)
	close func()

	row  store.Row[gateway.MessageRecord] // the first that was not given to anybody
	err  error
	more bool // there is a row or an error
}

func openInboxes(r store.Reader) *inboxes {
	all := &inboxes{}
	all.next, all.close = iter.Pull2(messages.Scan(r, "", ""))
	all.row, all.err, all.more = all.next()
	return all
}

// of returns the messages of a client, in the order of their numbers. Clients must come in
// the order of their ids; messages of those that do not come are skipped.
func (all *inboxes) of(client string) ([]gateway.NumberedMessage, error) {
	var found []gateway.NumberedMessage
	from, to := store.Under(client)
	for ; all.more && (all.err != nil || all.row.Key < to); all.row, all.err, all.more = all.next() {
		if all.err != nil {
			return nil, all.err
		}
		if all.row.Key < from {
			continue
		}
		m := gateway.NumberedMessage{Message: all.row.Value}
		var err error
		if m.Number, err = numberIn(all.row.Key); err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, nil
}

// messageKey sorts the messages of a client by number.
func messageKey(client string, number uint64) string {
	return store.JoinKey(client, fmt.Sprintf("%016x", number))
}

// numberIn is the inverse of messageKey.
func numberIn(key string) (number uint64, err error) {
	parts := store.SplitKey(key)
	if _, err = fmt.Sscanf(parts[len(parts)-1], "%016x", &number); err != nil {
		err = fmt.Errorf("sessionstore: message key of %q: %w", parts[0], err)
	}
	return number, err
}

// Tables are the tables of this package.
func Tables() []store.Checker { return []store.Checker{sessions, messages, retained, holds} }

// Verify decodes every record of sessions and retained messages in a store and calls
// bad for each that cannot be read.
func Verify(ctx context.Context, in store.Store, bad func(error)) error {
	return in.View(ctx, func(r store.Reader) error {
		sessions.Check(r, bad)
		messages.Check(r, bad)
		retained.Check(r, bad)
		holds.Check(r, bad)
		return nil
	})
}
