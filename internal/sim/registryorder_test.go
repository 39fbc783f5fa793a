package sim

import (
	"context"
	"fmt"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
)

// This file has operators' orders that concern the registry.

func (w *world) createThing(name muster.ThingName) *order {
	site := sites[w.rng.IntN(len(sites))]
	o := &order{
		name: fmt.Sprintf("CreateThing %s at %s", name, site), want: noFailure,
		call: func(ctx context.Context) error {
			_, err := w.service.Registry.CreateThing(ctx, muster.Thing{Name: name, Attributes: map[string]string{"site": site}})
			return err
		},
		effect: func(b *book) { b.createThing(name, site) },
		landed: func(ctx context.Context, w *world) bool { return w.hasThing(ctx, name) },
	}
	if t := w.book.things[name]; t != nil && t.site != site {
		o.want = muster.AlreadyExists
	}
	return o
}

// updateThing moves a thing to another site, and so between dynamic groups.
func (w *world) updateThing(name muster.ThingName) *order {
	site := sites[w.rng.IntN(len(sites))]
	o := &order{
		name: fmt.Sprintf("UpdateThing %s to %s", name, site), want: noFailure,
		call: func(ctx context.Context) error {
			return w.service.Registry.UpdateThing(ctx, name, muster.ThingUpdate{Attributes: muster.AttributePayload{Attributes: map[string]string{"site": site}, Merge: true}})
		},
		effect: func(b *book) { b.updateThing(name, site) },
		landed: func(ctx context.Context, w *world) bool {
			t, err := w.service.Registry.DescribeThing(ctx, name)
			return err == nil && t.Attributes["site"] == site
		},
	}
	if w.book.things[name] == nil {
		o.want = muster.NotFound
	}
	return o
}

func (w *world) deleteThing(name muster.ThingName) *order {
	return &order{
		name: "DeleteThing " + string(name), want: noFailure,
		call:   func(ctx context.Context) error { return w.service.Registry.DeleteThing(ctx, name, nil) },
		effect: func(b *book) { b.deleteThing(name) },
		landed: func(ctx context.Context, w *world) bool { return !w.hasThing(ctx, name) },
	}
}

func (w *world) hasThing(ctx context.Context, name muster.ThingName) bool {
	_, err := w.service.Registry.DescribeThing(ctx, name)
	return err == nil
}

func (w *world) createGroup(g groupPlan) *order {
	o := &order{
		name: "CreateThingGroup " + string(g.name), want: noFailure,
		call: func(ctx context.Context) error {
			_, err := w.service.Registry.CreateThingGroup(ctx, muster.Group{Name: g.name, Parent: g.parent}, nil)
			return err
		},
		effect: func(b *book) { b.createGroup(g.name, g.parent) },
		landed: func(ctx context.Context, w *world) bool { return w.hasGroup(ctx, g.name) },
	}
	if w.book.groups[g.name] == nil && g.parent != "" && w.book.groups[g.parent] == nil {
		o.want = muster.NotFound
	}
	return o
}

func (w *world) deleteGroup(name muster.GroupName) *order {
	o := &order{
		name: "DeleteThingGroup " + string(name), want: noFailure,
		call:   func(ctx context.Context) error { return w.service.Registry.DeleteThingGroup(ctx, name, nil) },
		effect: func(b *book) { b.deleteGroup(name) },
		landed: func(ctx context.Context, w *world) bool { return !w.hasGroup(ctx, name) },
	}
	if g := w.book.groups[name]; g != nil && g.children > 0 {
		o.want = muster.Invalid
	}
	return o
}

func (w *world) hasGroup(ctx context.Context, name muster.GroupName) bool {
	_, err := w.service.Registry.DescribeThingGroup(ctx, name)
	return err == nil
}

// regroup moves a thing: into a group, out of one, or both at once.
func (w *world) regroup(name muster.ThingName) *order {
	var add, remove []muster.GroupName
	t := w.book.things[name]
	if t != nil && len(t.groups) > 0 && w.chance(2) {
		in := slices.DeleteFunc(names(t.groups), func(g muster.GroupName) bool { return w.book.groups[g].rule != nil })
		if len(in) == 0 {
			in = append(in, w.someGroup().name)
		}
		remove = append(remove, in[w.rng.IntN(len(in))])
	}
	if len(remove) == 0 || w.chance(2) {
		add = append(add, w.someGroup().name)
	}
	o := &order{
		name: fmt.Sprintf("UpdateThingGroupsForThing %s +%v -%v", name, add, remove), want: w.book.mayRegroup(name, add, remove),
		call: func(ctx context.Context) error {
			return w.service.Registry.UpdateThingGroupsForThing(ctx, name, add, remove)
		},
		effect: func(b *book) { b.regroup(name, add, remove) },
		landed: func(ctx context.Context, w *world) bool {
			list, err := w.service.Registry.ListThingGroupsForThing(ctx, name, listing.Page{})
			in := map[muster.GroupName]bool{}
			for _, g := range list.Groups {
				in[g] = true
			}
			for _, g := range add {
				if !in[g] {
					return false
				}
			}
			for _, g := range remove {
				if in[g] && !slices.Contains(add, g) {
					return false
				}
			}
			return err == nil
		},
	}
	return o
}
