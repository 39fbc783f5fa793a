package muster

import "testing"

func TestThingTypeCheck(t *testing.T) {
	for name, test := range map[string]struct {
		typ ThingType
		ok  bool
	}{
		"a name is enough":            {ThingType{Name: "light"}, true},
		"no name":                     {ThingType{}, false},
		"a name with a dot":           {ThingType{Name: "a.b"}, false},
		"three searchable attributes": {ThingType{Name: "light", SearchableAttributes: []string{"a", "b", "c"}}, true},
		"four searchable attributes (registry.md section 8)": {ThingType{Name: "light", SearchableAttributes: []string{"a", "b", "c", "d"}}, false},
		"a searchable attribute with a blank":                {ThingType{Name: "light", SearchableAttributes: []string{"a b"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.typ.Check(); test.ok && err != nil {
				t.Errorf("Check(%+v) = %v, want nil", test.typ, err)
			} else if !test.ok {
				wantInvalid(t, "Check", err)
			}
		})
	}
}

func TestThingTypeApply(t *testing.T) {
	typ := ThingType{
		Name: "light", Description: "old", SearchableAttributes: []string{"a"},
		Propagating: []PropagatingAttribute{{UserPropertyKey: "k", ThingAttribute: "a"}},
	}
	text := "new"
	got, err := typ.Apply(TypeUpdate{Description: &text})
	if err != nil || got.Description != "new" || len(got.SearchableAttributes) != 1 || len(got.Propagating) != 1 {
		t.Errorf("Apply of a description = %+v, %v; want the rest kept", got, err)
	}
	got, err = typ.Apply(TypeUpdate{SearchableAttributes: []string{}, Propagating: []PropagatingAttribute{}})
	if err != nil || got.Description != "old" || len(got.SearchableAttributes) != 0 || len(got.Propagating) != 0 {
		t.Errorf("Apply of empty lists = %+v, %v; want only them cleared", got, err)
	}
	_, err = typ.Apply(TypeUpdate{SearchableAttributes: []string{"a", "b", "c", "d"}})
	wantInvalid(t, "Apply of four searchable attributes", err)
}

func TestDeprecationKeepsItsFirstDate(t *testing.T) {
	typ := ThingType{Name: "light"}.Deprecate(100).Deprecate(200)
	if typ.DeprecatedAt != 100 {
		t.Errorf("deprecated twice since %d, want 100", typ.DeprecatedAt)
	}
	if typ = typ.Undeprecate(); typ.DeprecatedAt != 0 {
		t.Errorf("undone, deprecated since %d, want 0", typ.DeprecatedAt)
	}
}

func TestSameThingType(t *testing.T) {
	light := ThingType{Name: "light", ID: "1", Description: "d", SearchableAttributes: []string{"a"}, CreatedAt: 1}
	same := ThingType{Name: "light", Description: "d", SearchableAttributes: []string{"a"}, DeprecatedAt: 9}
	listed := func(attributes []string, keys ...string) ThingType {
		t := ThingType{Name: "light", SearchableAttributes: attributes}
		for _, key := range keys {
			t.Propagating = append(t.Propagating, PropagatingAttribute{UserPropertyKey: key})
		}
		return t
	}
	for name, test := range map[string]struct {
		a, b ThingType
		want bool
	}{
		"the same order":                    {listed([]string{"a", "b"}), listed([]string{"a", "b"}), true},
		"another order":                     {listed([]string{"a", "b", "c"}), listed([]string{"c", "a", "b"}), true},
		"one more":                          {listed([]string{"a", "b"}), listed([]string{"a", "b", "c"}), false},
		"another one":                       {listed([]string{"a", "b"}), listed([]string{"a", "c"}), false},
		"one of them twice":                 {listed([]string{"a", "b"}), listed([]string{"a", "a"}), false},
		"none, and an empty list":           {listed(nil), listed([]string{}), true},
		"another order of what is sent":     {listed(nil, "x", "y"), listed(nil, "y", "x"), true},
		"another one of what is sent":       {listed(nil, "x", "y"), listed(nil, "y", "z"), false},
		"the same words in different lists": {listed([]string{"a"}, "b"), listed([]string{"b"}, "a"), false},
	} {
		if test.a.Same(test.b) != test.want || test.b.Same(test.a) != test.want {
			t.Errorf("%s: Same() = %t and %t, want %t", name, test.a.Same(test.b), test.b.Same(test.a), test.want)
		}
	}
	if !light.Same(same) {
		t.Errorf("%+v.Same(%+v) = false; ids and dates do not count", light, same)
	}
	for name, other := range map[string]ThingType{
		"another description":             {Name: "light", Description: "e", SearchableAttributes: []string{"a"}},
		"other searchable attributes":     {Name: "light", Description: "d", SearchableAttributes: []string{"b"}},
		"a propagating attribute as well": {Name: "light", Description: "d", SearchableAttributes: []string{"a"}, Propagating: []PropagatingAttribute{{}}},
	} {
		if light.Same(other) {
			t.Errorf("%s: Same(%+v) = true, want false", name, other)
		}
	}
}
