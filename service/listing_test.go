package service

import (
	"fmt"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

func TestPagesOfARegistryList(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	var names []string
	for i := range 60 {
		names = append(names, fmt.Sprintf("t%02d", i))
	}
	env.thing(names...)
	list := func(p listing.Page) ([]string, string, error) {
		list, err := env.ListThings(ctx, registry.ThingFilter{}, p)
		var got []string
		for _, t := range list.Things {
			got = append(got, string(t.Name))
		}
		return got, list.Next, err
	}
	t.Run("25 by default (registry.md section 1.2)", func(t *testing.T) {
		got, next, err := list(listing.Page{})
		if err != nil || len(got) != 25 || next == "" {
			t.Errorf("the first page has %d things, token %q, %v; want 25 and a token", len(got), next, err)
		}
	})
	t.Run("every limit shows each thing once, in order (REG-17)", func(t *testing.T) {
		for _, limit := range []int{1, 7, 20, 30, 59, 60, 61, 250} {
			if got := env.pages(list, limit); !slices.Equal(got, names) {
				t.Errorf("pages of %d show %v", limit, got)
			}
		}
	})
	t.Run("no token after the last (REG-16)", func(t *testing.T) {
		if got, next, err := list(listing.Page{Limit: 60}); err != nil || len(got) != 60 || next != "" {
			t.Errorf("a page of exactly all has %d things, token %q, %v; want no token", len(got), next, err)
		}
	})
	t.Run("a page stays where it was when things come and go", func(t *testing.T) {
		_, next, err := list(listing.Page{Limit: 10})
		noErr(t, "ListThings", err)
		noErr(t, "DeleteThing", env.DeleteThing(ctx, "t09", nil))
		env.thing("t001")
		got, _, err := list(listing.Page{Limit: 1, Token: next})
		if err != nil || len(got) != 1 || got[0] != "t10" {
			t.Errorf("the page after t09 begins with %v, %v; want t10", got, err)
		}
	})
	t.Run("limits and tokens that nobody gave out (REG-16)", func(t *testing.T) {
		_, next, err := list(listing.Page{Limit: 10})
		noErr(t, "ListThings", err)
		for name, call := range map[string]func() error{
			"too large": func() error { _, _, err := list(listing.Page{Limit: 251}); return err },
			"negative":  func() error { _, _, err := list(listing.Page{Limit: -1}); return err },
			"garbage":   func() error { _, _, err := list(listing.Page{Token: "garbage"}); return err },
			"damaged":   func() error { _, _, err := list(listing.Page{Token: next[:len(next)-5] + "AAAA="}); return err },
			"another filter": func() error {
				_, err := env.ListThings(ctx, registry.ThingFilter{Attribute: "a"}, listing.Page{Token: next})
				return err
			},
			"another list": func() error { _, err := env.ListThingTypes(ctx, "", listing.Page{Token: next}); return err },
		} {
			wantKind(t, name, call(), muster.Invalid)
		}
	})
}

func TestAFilterThatFitsNothingIsBounded(t *testing.T) {
	env := newEnv(t)
	env.write(func(tx store.Tx) {
		for i := range listing.RowsMax + 10 {
			name := fmt.Sprintf("t%05d", i)
			things.Put(tx, name, muster.Thing{Name: muster.ThingName(name)})
		}
		things.Put(tx, "u", muster.Thing{Name: "u", Attributes: map[string]string{"a": "1"}})
	})
	list, err := env.ListThings(t.Context(), registry.ThingFilter{Attribute: "a"}, listing.Page{})
	if err != nil || len(list.Things) != 0 || list.Next == "" {
		t.Fatalf("the first page has %d things, token %q, %v; want none and a token", len(list.Things), list.Next, err)
	}
	if got := env.things(registry.ThingFilter{Attribute: "a"}); !slices.Equal(got, []string{"u"}) {
		t.Errorf("all pages show %v, want u", got)
	}
}
