package engine

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// CreateThingType makes a type of which in gives the name and the properties
// (registry.md section 3). One that exists with the same properties is returned
// as it is, and the tags are not looked at. It fails with Invalid,
// LimitExceeded (tags) or AlreadyExists.
func (e *Engine) CreateThingType(ctx context.Context, in muster.ThingType, given []muster.Tag) (muster.ThingType, error) {
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
	return do(ctx, e, func(b *batch) (t muster.ThingType, err error) {
		old, err := thingTypes.Get(b, string(asked.Name))
		if err != nil {
			return t, err
		}
		if old != nil {
			t = *old
			return t, e.sameType(t, asked)
		}
		t = asked
		t.ID, t.CreatedAt = e.o.NewID(), b.Now
		thingTypes.Put(b, string(t.Name), t)
		b.putTags(kindType, string(t.Name), labels)
		return t, b.tellType(nil, &t)
	})
}

func (e *Engine) sameType(old, asked muster.ThingType) error {
	if old.Same(asked) {
		return nil
	}
	err := muster.Errorf(muster.AlreadyExists, "Thing Type %s already exists in current account with different properties", old.Name)
	err.ResourceID, err.ResourceARN = old.ID, e.o.Account.ARN(kindType, string(old.Name))
	return err
}

// DescribeThingType returns a type, or fails with NotFound.
func (e *Engine) DescribeThingType(ctx context.Context, name muster.TypeName) (muster.ThingType, error) {
	var t muster.ThingType
	err := e.view(ctx, func(r store.Reader) (err error) {
		t, err = thingType(r, name)
		return err
	})
	return t, err
}

// UpdateThingType changes the properties of a type. It fails with NotFound or
// Invalid.
func (e *Engine) UpdateThingType(ctx context.Context, name muster.TypeName, u muster.TypeUpdate) error {
	return e.changeType(ctx, name, func(_ *batch, t muster.ThingType) (muster.ThingType, error) {
		return t.Apply(u)
	})
}

// DeprecateThingType says that no more things may be given a type, or with undo
// that they may again. It fails with NotFound.
func (e *Engine) DeprecateThingType(ctx context.Context, name muster.TypeName, undo bool) error {
	return e.changeType(ctx, name, func(b *batch, t muster.ThingType) (muster.ThingType, error) {
		if undo {
			return t.Undeprecate(), nil
		}
		return t.Deprecate(b.Now), nil
	})
}

func (e *Engine) changeType(ctx context.Context, name muster.TypeName, change func(*batch, muster.ThingType) (muster.ThingType, error)) error {
	return e.do(ctx, func(b *batch) error {
		old, err := thingType(b, name)
		if err != nil {
			return err
		}
		t, err := change(b, old)
		if err != nil {
			return err
		}
		thingTypes.Put(b, string(name), t)
		return b.tellType(&old, &t)
	})
}

// DeleteThingType removes a deprecated type that no thing has (registry.md
// REG-35). It fails with NotFound or Invalid.
func (e *Engine) DeleteThingType(ctx context.Context, name muster.TypeName) error {
	return e.do(ctx, func(b *batch) error {
		t, err := thingType(b, name)
		if err != nil {
			return err
		}
		if t.DeprecatedAt == 0 {
			return muster.Errorf(muster.Invalid, "Thing type %s cannot be deleted before it is deprecated", name)
		}
		if b.Now < t.DeprecatedAt.Add(e.o.TypeDeletionWait) {
			return muster.Errorf(muster.Invalid, "Thing type %s can be deleted %s after its deprecation", name, e.o.TypeDeletionWait)
		}
		used, err := anyUnder(b, typed, string(name))
		if err != nil {
			return err
		}
		if used {
			return muster.Errorf(muster.Invalid, "Thing type %s cannot be deleted while things have it", name)
		}
		thingTypes.Delete(b, string(name))
		b.putTags(kindType, string(name), nil)
		return b.tellType(&t, nil)
	})
}

// TypeList is a page of thing types.
type TypeList struct {
	Types []muster.ThingType
	Next  string // token of the next page; empty on the last
}

// ListThingTypes lists types by name; only is empty for all of them, or the
// name of the one that is wanted.
func (e *Engine) ListThingTypes(ctx context.Context, only muster.TypeName, p Page) (TypeList, error) {
	var list TypeList
	l, err := e.listing(p, "thing types", only)
	if err != nil {
		return list, err
	}
	from, to := "", ""
	if only != "" {
		from, to = string(only), store.After(string(only))
	}
	err = e.view(ctx, func(r store.Reader) (err error) {
		list.Types, list.Next, err = fill(l, thingTypes.Scan(r, l.from(from), to), func(row store.Row[muster.ThingType]) (muster.ThingType, bool, error) {
			return row.Value, true, nil
		})
		return err
	})
	return list, err
}

func thingType(r store.Reader, name muster.TypeName) (muster.ThingType, error) {
	t, err := thingTypes.Get(r, string(name))
	if err != nil {
		return muster.ThingType{}, err
	}
	if t == nil {
		return muster.ThingType{}, muster.Errorf(muster.NotFound, "Thing type %s does not exist", name)
	}
	return *t, nil
}

// mayUseType returns an error unless a thing may be given the type, or none;
// refusal is how to say that it is deprecated.
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
