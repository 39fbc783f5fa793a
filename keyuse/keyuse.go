// Package keyuse keeps in the store when each access key was last used. The keys themselves
// are in a file, which operators look after and several servers of a deployment share; when
// they are used changes all the time, and every server knows a part of it.
package keyuse

import (
	"context"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// use is the record of a key, under its access key id.
type use struct {
	Last muster.Instant // the minute of its last use
}

var uses = store.Of[use]{Table: "keyuse"}

// Tables are the tables of this package.
func Tables() []store.Checker { return []store.Checker{uses} }

// Book is the last use of keys in a store. It may be used by many goroutines.
type Book struct{ store store.Store }

// On returns the book in s.
func On(s store.Store) Book { return Book{s} }

// LastUses returns when each key was last used, by access key id, in UTC. Keys that were never
// used are absent.
func (b Book) LastUses(ctx context.Context) (map[string]time.Time, error) {
	var all map[string]time.Time
	err := b.store.View(ctx, func(r store.Reader) (err error) {
		all, err = lastUses(r)
		return err
	})
	return all, err
}

func lastUses(r store.Reader) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	for row, err := range uses.Scan(r, "", "") {
		if err != nil {
			return nil, err
		}
		all[row.Key] = row.Value.Last.Time()
	}
	return all, nil
}

// KeepLastUses keeps, durably, when the keys that there are were last used; of two times for a
// key the later one stays, since other servers may keep theirs. Keys that are not in now are
// forgotten; one that was never used has the zero time there.
func (b Book) KeepLastUses(ctx context.Context, now map[string]time.Time) error {
	return store.Update(ctx, b.store, func(tx store.Tx) error {
		kept, err := lastUses(tx)
		if err != nil {
			return err
		}
		for id := range kept {
			if _, there := now[id]; !there {
				uses.Delete(tx, id)
			}
		}
		for id, at := range now {
			if at.After(kept[id]) {
				uses.Put(tx, id, use{muster.At(at)})
			}
		}
		return nil
	})
}
