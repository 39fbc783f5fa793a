package registry

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// CreateThingType makes a type with the name and the properties of in (registry.md
// section 3). A type that exists with the same properties is returned unchanged, and the
// tags are ignored. It fails with Invalid, LimitExceeded (tags) or AlreadyExists.
func (s *Registry) CreateThingType(ctx context.Context, in muster.ThingType, given []muster.Tag) (muster.ThingType, error) {
	asked := muster.ThingType{
		Name: in.Name, Description: in.Description,
		SearchableAttributes: in.SearchableAttributes, Propagating: in.Propagating,
	}
	if err := asked.Check(); err != nil {
		return asked, err
	}
	labels, err := muster.Retag(nil, given)
	if err != nil {
		return asked, err
	}
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (t muster.ThingType, err error) {
		old, err := tables.types.Get(tx, string(asked.Name))
		if err != nil {
			return t, err
		}
		if old != nil {
			t = *old
			return t, s.checkSameType(t, asked)
		}
		t = asked
		t.ID, t.CreatedAt = s.newID(), tx.Now
		tables.types.Put(tx, string(t.Name), t)
		tags.Put(tx, KindType, string(t.Name), labels)
		return t, s.events.thingType(tx, nil, &t)
	})
}

func (s *Registry) checkSameType(old, asked muster.ThingType) error {
	if old.Same(asked) {
		return nil
	}
	return muster.Existsf(old.ID, s.account.ARN(string(KindType), string(old.Name)), "Thing Type %s already exists in current account with different properties", old.Name)
}

// DescribeThingType returns a type, or fails with NotFound.
func (s *Registry) DescribeThingType(ctx context.Context, name muster.TypeName) (muster.ThingType, error) {
	var t muster.ThingType
	err := s.commits.View(ctx, func(r store.Reader) (err error) {
		t, err = thingType(r, name)
		return err
	})
	return t, err
}

// UpdateThingType changes the properties of a type. It fails with NotFound or
// Invalid.
func (s *Registry) UpdateThingType(ctx context.Context, name muster.TypeName, u muster.TypeUpdate) error {
	return s.changeType(ctx, name, func(_ *commit.Tx, t muster.ThingType) (muster.ThingType, error) {
		return t.Apply(u)
	})
}

// DeprecateThingType forbids to give a type to more things, or allows it again with
// undo. It fails with NotFound.
func (s *Registry) DeprecateThingType(ctx context.Context, name muster.TypeName, undo bool) error {
	return s.changeType(ctx, name, func(tx *commit.Tx, t muster.ThingType) (muster.ThingType, error) {
		if undo {
			return t.Undeprecate(), nil
		}
		return t.Deprecate(tx.Now), nil
	})
}

func (s *Registry) changeType(ctx context.Context, name muster.TypeName, change func(*commit.Tx, muster.ThingType) (muster.ThingType, error)) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		old, err := thingType(tx, name)
		if err != nil {
			return err
		}
		t, err := change(tx, old)
		if err != nil {
			return err
		}
		tables.types.Put(tx, string(name), t)
		return s.events.thingType(tx, &old, &t)
	})
}

// DeleteThingType removes a type that no thing has and that has been deprecated for
// Options.TypeDeletionWait (registry.md REG-35). It fails with NotFound or Invalid.
func (s *Registry) DeleteThingType(ctx context.Context, name muster.TypeName) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		t, err := thingType(tx, name)
		if err != nil {
			return err
		}
		if t.DeprecatedAt == 0 {
			return muster.Errorf(muster.Invalid, "Thing type %s cannot be deleted before it is deprecated", name)
		}
		if tx.Now < t.DeprecatedAt.Add(s.typeDeletionWait) {
			return muster.Errorf(muster.Invalid, "Thing type %s can be deleted %s after its deprecation", name, s.typeDeletionWait)
		}
		used, err := tables.typed.AnyUnder(tx, string(name))
		if err != nil {
			return err
		}
		if used {
			return muster.Errorf(muster.Invalid, "Thing type %s cannot be deleted while things have it", name)
		}
		tables.types.Delete(tx, string(name))
		tags.Put(tx, KindType, string(name), nil)
		return s.events.thingType(tx, &t, nil)
	}, func(w *commit.Wants) {
		w.Record(tables.types.Table, string(name))
		w.Under(tables.typed.Table, string(name))
	})
}

// TypeList is a page of thing types.
type TypeList struct {
	Types []muster.ThingType
	Next  string // token of the next page; empty on the last
}

// ListThingTypes lists types by name: only the one with the name only, or all if that is
// empty. It fails with Invalid.
func (s *Registry) ListThingTypes(ctx context.Context, only muster.TypeName, p listing.Page) (TypeList, error) {
	var list TypeList
	l, err := s.pages.Begin(p, "thing types", only)
	if err != nil {
		return list, err
	}
	from, to := "", ""
	if only != "" {
		from, to = string(only), store.After(string(only))
	}
	err = s.commits.View(ctx, func(r store.Reader) (err error) {
		list.Types, list.Next, err = listing.Fill(l, tables.types.Scan(r, l.From(from), to), func(row store.Row[muster.ThingType]) (muster.ThingType, bool, error) {
			return row.Value, true, nil
		})
		return err
	})
	return list, err
}

func thingType(r store.Reader, name muster.TypeName) (muster.ThingType, error) {
	t, err := tables.types.Get(r, string(name))
	if err != nil {
		return muster.ThingType{}, err
	}
	if t == nil {
		return muster.ThingType{}, muster.Errorf(muster.NotFound, "Thing type %s does not exist", name)
	}
	return *t, nil
}

// mayUseType returns an error unless a thing may be given the type; "" is no type.
// refusal is the format of the message for a deprecated one.
func mayUseType(r store.Reader, name muster.TypeName, refusal string) error {
	if name == "" {
		return nil
	}
	t, err := thingType(r, name)
	if err == nil && t.DeprecatedAt != 0 {
		err = muster.Errorf(muster.Invalid, refusal, name)
	}
	return err
}
