package registry

import (
	"context"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// CreateThing registers a thing with the name, the type and the attributes of in
// (registry.md section 2). A thing that exists with the same configuration is returned
// unchanged. It fails with Invalid, NotFound (the type) or AlreadyExists.
func (s *Registry) CreateThing(ctx context.Context, in muster.Thing) (muster.Thing, error) {
	asked, err := muster.NewThing(in.Name, in.Type, in.Attributes)
	if err != nil {
		return asked, err
	}
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (t muster.Thing, err error) {
		old, err := tables.things.Get(tx, string(asked.Name))
		if err != nil {
			return t, err
		}
		if old != nil {
			t = *old
			return t, s.checkSameThing(t, asked)
		}
		if err := mayUseType(tx, asked.Type, "Can not create new thing with depreated thing type:%s"); err != nil {
			return t, err
		}
		t = asked
		t.ID, t.CreatedAt = s.newID(), tx.Now
		tables.things.Put(tx, string(t.Name), t)
		retype(tx, t.Name, "", t.Type)
		if err := s.index.reindex(tx, t.Name, nil, recordDocument(&t)); err != nil {
			return t, err
		}
		if err := s.index.recheckNew(tx, t.Name); err != nil {
			return t, err
		}
		return t, s.events.thing(tx, nil, &t)
	}, s.index.wantChange(asked.Name), func(w *commit.Wants) {
		if asked.Type != "" {
			w.Record(tables.types.Table, string(asked.Type))
		}
	})
}

func (s *Registry) checkSameThing(old, asked muster.Thing) error {
	if old.Same(asked) {
		return nil
	}
	return muster.Existsf(old.ID, s.account.ARN("thing", string(old.Name)), "Thing %s already exists in account with different configuration", old.Name)
}

// DescribeThing returns a thing, or fails with NotFound.
func (s *Registry) DescribeThing(ctx context.Context, name muster.ThingName) (muster.Thing, error) {
	var t muster.Thing
	err := s.commits.View(ctx, func(r store.Reader) (err error) {
		t, err = Lookup{}.ExistingThing(r, name)
		return err
	})
	return t, err
}

// UpdateThing changes a thing. It fails with NotFound (the thing or its new
// type), VersionConflict or Invalid. A thing may keep a type that was deprecated since,
// but cannot be given a deprecated one (registry.md REG-25).
func (s *Registry) UpdateThing(ctx context.Context, name muster.ThingName, u muster.ThingUpdate) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		old, err := tables.things.Get(tx, string(name))
		if err != nil {
			return err
		}
		if old == nil {
			return noThing(name)
		}
		t, err := old.Apply(u)
		if err != nil {
			return err
		}
		if t.Type != old.Type {
			if err := mayUseType(tx, t.Type, "Can not update a thing to use deprecated thing type: %s"); err != nil {
				return err
			}
			retype(tx, name, old.Type, t.Type)
		}
		tables.things.Put(tx, string(name), t)
		s.rights.ThingChanged(tx, name)
		if err := s.index.reindex(tx, name, recordDocument(old), recordDocument(&t)); err != nil {
			return err
		}
		return s.events.thing(tx, old, &t)
	}, s.index.wantChange(name))
}

// DeleteThing removes a thing and its memberships; its pending executions end, and the
// history stays (registry.md REG-28 and REG-86). A thing that does not exist is a
// success if expected is nil, and NotFound otherwise (REG-27). It fails with
// VersionConflict, or with Invalid while principals are attached.
func (s *Registry) DeleteThing(ctx context.Context, name muster.ThingName, expected *int64) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		t, err := tables.things.Get(tx, string(name))
		if err != nil || (t == nil && expected == nil) {
			return err
		}
		if t == nil {
			return noThing(name)
		}
		if err := t.CheckVersion(expected); err != nil {
			return err
		}
		if used, err := s.rights.Attached(tx, name); err != nil {
			return err
		} else if used {
			return muster.Errorf(muster.Invalid, "Cannot delete. Thing %s is still attached to one or more principals", name)
		}
		s.rights.ThingChanged(tx, name)
		retype(tx, name, t.Type, "")
		from, to := store.Under(string(name))
		for row, err := range tables.memberships.Scan(tx, from, to) {
			if err != nil {
				return err
			}
			tables.members.Delete(tx, store.JoinKey(row.Value.GroupID, string(name)))
			tables.memberships.Delete(tx, row.Key)
			left := muster.Group{Name: muster.GroupName(store.SplitKey(row.Key)[1]), ID: row.Value.GroupID}
			writeEntries(tx, name, groupDocument(left.Name), nil)
			if err := s.events.member(tx, eventlog.Removed, name, left); err != nil {
				return err
			}
		}
		tables.things.Delete(tx, string(name))
		s.catalog.ThingDeleted(tx, name)
		s.diaries.ThingDeleted(tx, name)
		writeEntries(tx, name, recordDocument(t), nil)
		if err := s.connections.forget(tx, name); err != nil {
			return err
		}
		if err := s.events.thing(tx, t, nil); err != nil {
			return err
		}
		return s.index.jobs.ThingDeleted(tx, name)
	}, wantThing(name), func(w *commit.Wants) {
		s.rights.WantAttached(w, name)
		w.Under(tables.memberships.Table, string(name))
		w.Record(tables.connections.Table, string(name))
		s.index.jobs.WantDeletion(w, name)
	})
}

// retype updates the table of things by type; "" is no type.
func retype(tx *commit.Tx, name muster.ThingName, old, now muster.TypeName) {
	if old != "" {
		tables.typed.Delete(tx, store.JoinKey(string(old), string(name)))
	}
	if now != "" {
		tables.typed.Put(tx, store.JoinKey(string(now), string(name)), store.Link{})
	}
}

// ThingFilter chooses things; its zero fields choose all.
type ThingFilter struct {
	Attribute string  // things that have this attribute
	Value     *string // and with this value
	Prefix    bool    // or with a value that begins with Value
	Type      muster.TypeName
}

// ThingList is a page of things.
type ThingList struct {
	Things []muster.Thing
	Next   string // token of the next page; empty on the last
}

// ListThings lists things by name (registry.md REG-29).
func (s *Registry) ListThings(ctx context.Context, f ThingFilter, p listing.Page) (ThingList, error) {
	var list ThingList
	if f.Value != nil && f.Attribute == "" {
		return list, muster.Errorf(muster.Invalid, "attributeValue needs an attributeName")
	}
	l, err := s.pages.Begin(p, "things", f)
	if err != nil {
		return list, err
	}
	err = s.commits.View(ctx, func(r store.Reader) (err error) {
		if f.Type == "" {
			list.Things, list.Next, err = listing.Fill(l, tables.things.Scan(r, l.From(""), ""), func(row store.Row[muster.Thing]) (muster.Thing, bool, error) {
				return row.Value, f.matches(row.Value), nil
			})
			return err
		}
		from, to := store.Under(string(f.Type))
		rows := listing.Ahead(l, r, tables.typed.Scan(r, l.From(from), to), func(w *commit.Wants, row store.Row[store.Link]) {
			wantThing(muster.ThingName(store.SplitKey(row.Key)[1]))(w)
		})
		list.Things, list.Next, err = listing.Fill(l, rows, func(row store.Row[store.Link]) (muster.Thing, bool, error) {
			t, err := tables.things.Get(r, store.SplitKey(row.Key)[1])
			if err != nil || t == nil {
				return muster.Thing{}, false, err
			}
			return *t, f.matches(*t), nil
		})
		return err
	})
	return list, err
}

func (f ThingFilter) matches(t muster.Thing) bool {
	if f.Type != "" && f.Type != t.Type {
		return false
	}
	if f.Attribute == "" {
		return true
	}
	value, ok := t.Attributes[f.Attribute]
	switch {
	case !ok || f.Value == nil:
		return ok
	case f.Prefix:
		return strings.HasPrefix(value, *f.Value)
	}
	return value == *f.Value
}

func noThing(name muster.ThingName) error {
	return muster.Errorf(muster.NotFound, "Thing %s does not exist", name)
}
