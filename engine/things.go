package engine

import (
	"context"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// CreateThing registers a thing of which in gives the name, the type and the
// attributes (registry.md section 2). One that exists with the same
// configuration is returned as it is. It fails with Invalid, NotFound (the
// type) or AlreadyExists.
func (e *Engine) CreateThing(ctx context.Context, in muster.Thing) (muster.Thing, error) {
	asked, err := muster.NewThing(in.Name, in.Type, in.Attributes)
	if err != nil {
		return asked, err
	}
	return do(ctx, e, func(b *batch) (t muster.Thing, err error) {
		old, err := things.Get(b, string(asked.Name))
		if err != nil {
			return t, err
		}
		if old != nil {
			t = *old
			return t, e.sameThing(t, asked)
		}
		if err := mayUseType(b, asked.Type, "Can not create new thing with depreated thing type:%s"); err != nil {
			return t, err
		}
		t = asked
		t.ID, t.CreatedAt = e.o.NewID(), b.Now
		things.Put(b, string(t.Name), t)
		b.retype(t.Name, "", t.Type)
		if err := b.reindex(t.Name, nil, recordDocument(&t)); err != nil {
			return t, err
		}
		if err := b.stirNew(t.Name); err != nil {
			return t, err
		}
		return t, b.tellThing(nil, &t)
	})
}

func (e *Engine) sameThing(old, asked muster.Thing) error {
	if old.Same(asked) {
		return nil
	}
	err := muster.Errorf(muster.AlreadyExists, "Thing %s already exists in account with different configuration", old.Name)
	err.ResourceID, err.ResourceARN = old.ID, e.o.Account.ARN("thing", string(old.Name))
	return err
}

// DescribeThing returns a thing, or fails with NotFound.
func (e *Engine) DescribeThing(ctx context.Context, name muster.ThingName) (muster.Thing, error) {
	var t muster.Thing
	err := e.view(ctx, func(r store.Reader) error {
		found, err := things.Get(r, string(name))
		if err == nil && found == nil {
			err = noThing(name)
		}
		if err == nil {
			t = *found
		}
		return err
	})
	return t, err
}

// UpdateThing changes a thing. It fails with NotFound (the thing or its new
// type), VersionConflict or Invalid. A thing may keep a type that is deprecated
// by now, but not be given one (registry.md REG-25).
func (e *Engine) UpdateThing(ctx context.Context, name muster.ThingName, u muster.ThingUpdate) error {
	return e.do(ctx, func(b *batch) error {
		old, err := things.Get(b, string(name))
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
			if err := mayUseType(b, t.Type, "Can not update a thing to use deprecated thing type: %s"); err != nil {
				return err
			}
			b.retype(name, old.Type, t.Type)
		}
		things.Put(b, string(name), t)
		b.recheckThing(name)
		if err := b.reindex(name, recordDocument(old), recordDocument(&t)); err != nil {
			return err
		}
		return b.tellThing(old, &t)
	})
}

// DeleteThing removes a thing and its memberships; what is pending for it ends,
// and the history stays (registry.md REG-28 and REG-86). Without an expected
// version a missing thing is a success, with one it is NotFound (REG-27). It
// fails with VersionConflict, or Invalid while principals are attached.
func (e *Engine) DeleteThing(ctx context.Context, name muster.ThingName, expected *int64) error {
	return e.do(ctx, func(b *batch) error {
		t, err := things.Get(b, string(name))
		if err != nil || (t == nil && expected == nil) {
			return err
		}
		if t == nil {
			return noThing(name)
		}
		if err := t.CheckVersion(expected); err != nil {
			return err
		}
		if used, err := anyUnder(b, principalsOfThing, string(name)); err != nil {
			return err
		} else if used {
			return muster.Errorf(muster.Invalid, "Cannot delete. Thing %s is still attached to one or more principals", name)
		}
		b.recheckThing(name)
		b.retype(name, t.Type, "")
		from, to := store.Under(string(name))
		for row, err := range memberships.Scan(b, from, to) {
			if err != nil {
				return err
			}
			members.Delete(b, store.JoinKey(row.Value.GroupID, string(name)))
			memberships.Delete(b, row.Key)
			left := muster.Group{Name: muster.GroupName(store.SplitKey(row.Key)[1]), ID: row.Value.GroupID}
			b.post(name, groupDocument(left.Name), nil)
			if err := b.tellMember(Removed, name, left); err != nil {
				return err
			}
		}
		things.Delete(b, string(name))
		inventories.Delete(b, string(name))
		b.post(name, recordDocument(t), nil)
		if err := b.forgetConnection(name); err != nil {
			return err
		}
		if err := b.tellThing(t, nil); err != nil {
			return err
		}
		return b.withdraw(name)
	})
}

// retype keeps the index of things by type.
func (b *batch) retype(name muster.ThingName, old, now muster.TypeName) {
	if old != "" {
		typed.Delete(b, store.JoinKey(string(old), string(name)))
	}
	if now != "" {
		typed.Put(b, store.JoinKey(string(now), string(name)), link{})
	}
}

// ThingFilter chooses things; its zero fields choose all.
type ThingFilter struct {
	Attribute string  // things that have it
	Value     *string // and with this value
	Prefix    bool    // Value is the beginning of it
	Type      muster.TypeName
}

// ThingList is a page of things.
type ThingList struct {
	Things []muster.Thing
	Next   string // token of the next page; empty on the last
}

// ListThings lists things by name (registry.md REG-29).
func (e *Engine) ListThings(ctx context.Context, f ThingFilter, p Page) (ThingList, error) {
	var list ThingList
	if f.Value != nil && f.Attribute == "" {
		return list, muster.Errorf(muster.Invalid, "attributeValue needs an attributeName")
	}
	l, err := e.listing(p, "things", f)
	if err != nil {
		return list, err
	}
	err = e.view(ctx, func(r store.Reader) (err error) {
		if f.Type == "" {
			list.Things, list.Next, err = fill(l, things.Scan(r, l.from(""), ""), func(row store.Row[muster.Thing]) (muster.Thing, bool, error) {
				return row.Value, f.matches(row.Value), nil
			})
			return err
		}
		from, to := store.Under(string(f.Type))
		list.Things, list.Next, err = fill(l, typed.Scan(r, l.from(from), to), func(row store.Row[link]) (muster.Thing, bool, error) {
			t, err := things.Get(r, store.SplitKey(row.Key)[1])
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

// anyUnder reports whether a table has a row whose key begins with the parts
// and goes on.
func anyUnder[T any](r store.Reader, t store.Of[T], parts ...string) (bool, error) {
	from, to := store.Under(parts...)
	for _, err := range t.Scan(r, from, to) {
		return err == nil, err
	}
	return false, nil
}
