package service

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
)

func (env *env) createType(in muster.ThingType, given ...muster.Tag) muster.ThingType {
	env.t.Helper()
	t, err := env.CreateThingType(env.t.Context(), in, given)
	if err != nil {
		env.t.Fatalf("CreateThingType(%+v): %v", in, err)
	}
	return t
}

func TestCreateThingType(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	light := muster.ThingType{
		Name: "light", Description: "gives light", SearchableAttributes: []string{"watt"},
		Propagating: []muster.PropagatingAttribute{{UserPropertyKey: "w", ThingAttribute: "watt"}},
	}
	first := env.createType(light, muster.Tag{Key: "a", Value: "1"})
	if len(first.ID) != 36 || first.CreatedAt != testEpoch || first.DeprecatedAt != 0 {
		t.Errorf("created %+v; want a UUID, now, and not deprecated (REG-11)", first)
	}
	got, err := env.DescribeThingType(ctx, "light")
	if err != nil || !got.Same(first) || got.ID != first.ID || len(got.Propagating) != 1 {
		t.Errorf("DescribeThingType = %+v, %v; want %+v (REG-37)", got, err, first)
	}
	if again := env.createType(light, muster.Tag{Key: "b"}); again.ID != first.ID {
		t.Errorf("the same again has id %s, want %s (REG-14)", again.ID, first.ID)
	}
	if got := env.tags("thingtype/light"); !slices.Equal(got, []muster.Tag{{Key: "a", Value: "1"}}) {
		t.Errorf("its tags are %v; a repeated create leaves them alone (REG-15)", got)
	}
	for name, test := range map[string]struct {
		in    muster.ThingType
		given []muster.Tag
		want  muster.Kind
	}{
		"other properties (REG-14)":                          {in: muster.ThingType{Name: "light"}, want: muster.AlreadyExists},
		"four searchable attributes (registry.md section 8)": {in: muster.ThingType{Name: "x", SearchableAttributes: []string{"a", "b", "c", "d"}}, want: muster.Invalid},
		"a reserved tag":                                     {in: muster.ThingType{Name: "x"}, given: []muster.Tag{{Key: "aws:a"}}, want: muster.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := env.CreateThingType(ctx, test.in, test.given)
			e := wantKind(t, "CreateThingType", err, test.want)
			if test.want == muster.AlreadyExists && (e.ResourceID != first.ID || e.ResourceARN == "") {
				t.Errorf("the error names %q %q", e.ResourceID, e.ResourceARN)
			}
		})
	}
}

func TestUpdateThingType(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	env.createType(muster.ThingType{Name: "light", Description: "d", SearchableAttributes: []string{"a"}})
	noErr(t, "UpdateThingType", env.UpdateThingType(ctx, "light", muster.TypeUpdate{SearchableAttributes: []string{"b"}}))
	if got, err := env.DescribeThingType(ctx, "light"); err != nil || got.Description != "d" || got.SearchableAttributes[0] != "b" {
		t.Errorf("the updated type is %+v, %v", got, err)
	}
	wantKind(t, "UpdateThingType", env.UpdateThingType(ctx, "none", muster.TypeUpdate{}), muster.NotFound)
}

func TestDeprecateAndDeleteThingType(t *testing.T) {
	ctx := context.Background()
	env := newEnv(t)
	env.createType(muster.ThingType{Name: "light"}, muster.Tag{Key: "a"})
	env.createThing(muster.Thing{Name: "lamp", Type: "light"})

	wantKind(t, "DeleteThingType of a live type (REG-35)", env.DeleteThingType(ctx, "light"), muster.Invalid)
	env.pass(1000)
	noErr(t, "DeprecateThingType", env.DeprecateThingType(ctx, "light", false))
	if got, err := env.DescribeThingType(ctx, "light"); err != nil || got.DeprecatedAt != testEpoch+1000 {
		t.Errorf("the deprecated type is %+v, %v", got, err)
	}
	wantKind(t, "DeleteThingType of a used type (REG-35)", env.DeleteThingType(ctx, "light"), muster.Invalid)
	noErr(t, "DeprecateThingType undone", env.DeprecateThingType(ctx, "light", true))
	env.createThing(muster.Thing{Name: "bulb", Type: "light"})
	noErr(t, "DeprecateThingType", env.DeprecateThingType(ctx, "light", false))
	noErr(t, "DeleteThing", env.DeleteThing(ctx, "lamp", nil))
	noErr(t, "UpdateThing", env.UpdateThing(ctx, "bulb", muster.ThingUpdate{RemoveType: true}))
	noErr(t, "DeleteThingType", env.DeleteThingType(ctx, "light"))

	_, err := env.DescribeThingType(ctx, "light")
	wantKind(t, "DescribeThingType", err, muster.NotFound)
	wantKind(t, "DeleteThingType again", env.DeleteThingType(ctx, "light"), muster.NotFound)
	wantKind(t, "DeprecateThingType", env.DeprecateThingType(ctx, "light", false), muster.NotFound)
	env.createType(muster.ThingType{Name: "light"})
	if got := env.tags("thingtype/light"); len(got) != 0 {
		t.Errorf("a new type of the name has the tags %v", got)
	}
}

func TestAWaitBeforeTypesAreDeleted(t *testing.T) {
	env := newEnvOn(t, newStore(t), Options{TypeDeletionWait: 5 * time.Minute})
	env.createType(muster.ThingType{Name: "light"})
	noErr(t, "DeprecateThingType", env.DeprecateThingType(t.Context(), "light", false))
	env.pass(5*60_000 - 1)
	wantKind(t, "DeleteThingType too early (REG-35)", env.DeleteThingType(t.Context(), "light"), muster.Invalid)
	env.pass(1)
	noErr(t, "DeleteThingType after the wait", env.DeleteThingType(t.Context(), "light"))
}

func TestListThingTypes(t *testing.T) {
	env := newEnv(t)
	for _, name := range []muster.TypeName{"c", "a", "b", "ab"} {
		env.createType(muster.ThingType{Name: name})
	}
	list := func(only muster.TypeName) []string {
		return env.pages(func(p listing.Page) ([]string, string, error) {
			list, err := env.ListThingTypes(t.Context(), only, p)
			var names []string
			for _, t := range list.Types {
				names = append(names, string(t.Name))
			}
			return names, list.Next, err
		}, 3)
	}
	if got, want := list(""), []string{"a", "ab", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("all types are %v, want %v", got, want)
	}
	if got, want := list("a"), []string{"a"}; !slices.Equal(got, want) {
		t.Errorf("the type a is %v, want %v", got, want)
	}
	if got := list("none"); len(got) != 0 {
		t.Errorf("an unknown type is %v, want nothing", got)
	}
}
