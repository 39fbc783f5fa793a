package sessionstore

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// This file is for a store that several servers use. Who holds the session of a client is a small row of its own, which
// exists for clean sessions, too. Whoever writes a session writes that row as well, with the value that it has: so of a
// claim and of a write that were made from the same state, one is refused.

// holds says who holds the sessions, by client id.
var holds = store.Of[hold]{Table: "hold"}

type hold struct {
	Node  int64  `json:"node"`
	Epoch uint64 `json:"epoch"`
	Since uint64 `json:"since"`
}

func (h *hold) hold() gateway.Hold {
	if h == nil {
		return gateway.Hold{}
	}
	return gateway.Hold{Node: gateway.Node(h.Node), Epoch: h.Epoch, Since: h.Since}
}

func putHold(tx store.Tx, client string, h gateway.Hold) {
	holds.Put(tx, client, hold{int64(h.Node), h.Epoch, h.Since})
}

var _ gateway.SharedSessions = (*Shared)(nil)

// Shared is a gateway.SharedSessions on a store.Store. Its transactions run in the lanes of the store, if it has some.
type Shared struct {
	Store
	turn atomic.Uint32 // of the lanes
}

// OnShared returns the sessions in s, which other servers may use, too. room is as for On.
func OnShared(s store.Store, room reserve.Room) *Shared { return &Shared{Store: On(s, room)} }

// update runs fn in a transaction of some lane and returns when it is durable.
func (s *Shared) update(ctx context.Context, fn func(store.Tx) error) error {
	lanes, ok := s.in.(store.Laned)
	if !ok || lanes.Lanes() == 0 {
		return store.Update(ctx, s.in, fn)
	}
	return store.UpdateIn(ctx, lanes, int(s.turn.Add(1)-1)%lanes.Lanes(), fn)
}

// prefetch reads the records and ranges that a transaction or a view will need at once, if that helps.
func prefetch(r store.Reader, w store.Wanted) error {
	p, ok := r.(store.Prefetcher)
	if !ok {
		return nil
	}
	return p.Prefetch(w)
}

// momentOf returns the number of the store's present moment, 0 for a store that does not know it. It is higher than all
// numbers that were made from moments before.
func momentOf(tx store.Tx) (uint64, error) {
	t, ok := tx.(store.Timed)
	if !ok {
		return 0, nil
	}
	m, err := t.Moment()
	return uint64(m), err
}

// Claim makes by the holder of sessions, in one transaction.
func (s *Shared) Claim(ctx context.Context, by gateway.Node, claims []gateway.Claim) (all []gateway.Claimed, err error) {
	if err := s.room(reserve.Finish, 0); err != nil {
		return nil, err
	}
	err = s.update(ctx, func(tx store.Tx) error {
		all = make([]gateway.Claimed, len(claims))
		var wanted store.Wanted
		for _, c := range claims {
			wanted.Records = append(wanted.Records, store.RecordKey{Table: holds.Table, Key: c.Client}, store.RecordKey{Table: sessions.Table, Key: c.Client})
			from, to := store.Under(c.Client)
			wanted.Ranges = append(wanted.Ranges, store.Range{Table: messages.Table, From: from, To: to})
		}
		if err := prefetch(tx, wanted); err != nil {
			return err
		}
		now, err := momentOf(tx)
		if err != nil {
			return err
		}
		for i, c := range claims {
			if all[i], err = claim(tx, by, c, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func claim(tx store.Tx, by gateway.Node, c gateway.Claim, now uint64) (gateway.Claimed, error) {
	row, err := holds.Get(tx, c.Client)
	if err != nil {
		return gateway.Claimed{}, err
	}
	record, err := sessions.Get(tx, c.Client)
	if err != nil {
		return gateway.Claimed{}, err
	}
	out, claimed := c.Of(row.hold(), record, by, now)
	if !claimed {
		return out, nil
	}
	putHold(tx, c.Client, out.Hold)
	if out.Fresh {
		return out, replace(tx, c.Client, record, c.Begin)
	}
	if record == nil || !c.Loads(out) {
		return out, nil
	}
	out.Stored = &gateway.StoredSession{Client: c.Client, Session: *record}
	from, to := store.Under(c.Client)
	for row, err := range messages.Scan(tx, from, to) {
		if err != nil {
			return out, err
		}
		n, err := numberIn(row.Key)
		if err != nil {
			return out, err
		}
		out.Stored.Messages = append(out.Stored.Messages, gateway.NumberedMessage{Number: n, Message: row.Value})
	}
	return out, nil
}

// replace stores a session without messages in the place of the one that was stored; either may be nil for none.
func replace(tx store.Tx, client string, old, now *gateway.SessionRecord) error {
	if now != nil {
		sessions.Put(tx, client, *now)
	}
	if old == nil {
		return nil
	}
	if now == nil {
		sessions.Delete(tx, client)
	}
	return clearInbox(tx, client)
}

// WriteAs applies changes in one transaction, but for those of sessions that by does not hold any more.
func (s *Shared) WriteAs(ctx context.Context, by gateway.Node, changes []gateway.Change) (w gateway.Written, err error) {
	if err := s.room(reserve.Finish, 0); err != nil {
		return w, err
	}
	err = s.update(ctx, func(tx store.Tx) error {
		w = gateway.Written{Lost: map[string]gateway.Hold{}, Retained: map[string]uint64{}}
		if err := prefetch(tx, wantedBy(changes)); err != nil {
			return err
		}
		now, err := momentOf(tx)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if err := applyAs(tx, by, c, now, &w); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return gateway.Written{}, err
	}
	return w, nil
}

// wantedBy returns what is read to apply changes.
func wantedBy(changes []gateway.Change) (w store.Wanted) {
	for _, c := range changes {
		switch c.Kind {
		case gateway.PutRetained, gateway.DropRetained:
			w.Records = append(w.Records, store.RecordKey{Table: retained.Table, Key: c.Message.Topic})
			continue
		case gateway.AddMessage, gateway.DropMessage:
			w.Records = append(w.Records, store.RecordKey{Table: messages.Table, Key: messageKey(c.Client, c.Number)})
		case gateway.DropSession, gateway.Release:
			from, to := store.Under(c.Client)
			w.Ranges = append(w.Ranges, store.Range{Table: messages.Table, From: from, To: to})
		}
		w.Records = append(w.Records, store.RecordKey{Table: holds.Table, Key: c.Client}, store.RecordKey{Table: sessions.Table, Key: c.Client})
	}
	return w
}

func applyAs(tx store.Tx, by gateway.Node, c gateway.Change, now uint64, w *gateway.Written) error {
	switch c.Kind {
	case gateway.PutRetained, gateway.DropRetained:
		return applyRetained(tx, c, now, w)
	}
	row, err := holds.Get(tx, c.Client)
	if err != nil {
		return err
	}
	h := row.hold()
	if !h.Permits(c, by) {
		w.Lost[c.Client] = h
		return nil
	}
	putHold(tx, c.Client, h)
	return apply(tx, c)
}

// applyRetained writes or drops a retained message. Its revision orders the writes of its topic, by whichever server.
func applyRetained(tx store.Tx, c gateway.Change, now uint64, w *gateway.Written) error {
	old, err := retained.Get(tx, c.Message.Topic)
	if err != nil {
		return err
	}
	var last uint64
	if old != nil {
		last = old.Revision
	}
	if c.Kind == gateway.DropRetained && c.Message.Revision != 0 && c.Message.Revision != last {
		return nil // somebody has replaced it
	}
	c.Message.Revision = max(last+1, w.Retained[c.Message.Topic]+1, now)
	w.Retained[c.Message.Topic] = c.Message.Revision
	return apply(tx, c)
}

// Holds returns who holds the sessions of clients, as one view shows it.
func (s *Shared) Holds(ctx context.Context, clients []string) (all []gateway.Hold, err error) {
	err = s.in.View(ctx, func(r store.Reader) error {
		all = make([]gateway.Hold, len(clients))
		var wanted store.Wanted
		for _, client := range clients {
			wanted.Records = append(wanted.Records, store.RecordKey{Table: holds.Table, Key: client})
		}
		if err := prefetch(r, wanted); err != nil {
			return err
		}
		for i, client := range clients {
			row, err := holds.Get(r, client)
			if err != nil {
				return err
			}
			all[i] = row.hold()
		}
		return nil
	})
	return all, err
}

// EachHold calls each for every client that has a hold or a session, by client id: a session that was stored by a server
// that was alone has no hold.
func (s *Shared) EachHold(ctx context.Context, each func(client string, h gateway.Hold) error) error {
	return s.in.View(ctx, func(r store.Reader) error {
		next, stop := iter.Pull2(r.Scan(sessions.Table, "", ""))
		defer stop()
		stored, err, more := next()
		before := func(client string) error { // the sessions without a hold that come before client, which may be "" for the end
			for ; more && (client == "" || stored.Key <= client); stored, err, more = next() {
				if err != nil {
					return err
				}
				if stored.Key == client {
					continue
				}
				if err := each(stored.Key, gateway.Hold{}); err != nil {
					return err
				}
			}
			return nil
		}
		for row, err := range holds.Scan(r, "", "") {
			if err != nil {
				return err
			}
			if err := before(row.Key); err != nil {
				return err
			}
			if err := each(row.Key, row.Value.hold()); err != nil {
				return err
			}
		}
		return before("")
	})
}
