package muster

import (
	"fmt"
	"testing"
)

// many returns n attributes.
func many(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprintf("a%d", i)] = "v"
	}
	return m
}

func TestNewThing(t *testing.T) {
	for name, test := range map[string]struct {
		name       ThingName
		typ        TypeName
		attributes map[string]string
		ok         bool
	}{
		"nothing but a name":                             {name: "lamp", ok: true},
		"a name of all its alphabet":                     {name: "aZ9:_-", ok: true},
		"no name":                                        {name: ""},
		"a name with a slash":                            {name: "a/b"},
		"three attributes without a type (REG-21)":       {name: "lamp", attributes: many(3), ok: true},
		"four attributes without a type (REG-21)":        {name: "lamp", attributes: many(4)},
		"fifty attributes with a type (REG-21)":          {name: "lamp", typ: "light", attributes: many(50), ok: true},
		"fifty-one attributes with a type (REG-21)":      {name: "lamp", typ: "light", attributes: many(51)},
		"empty values do not count (REG-23)":             {name: "lamp", attributes: map[string]string{"a": "1", "b": "2", "c": "3", "d": ""}, ok: true},
		"an attribute value that no registry would have": {name: "lamp", attributes: map[string]string{"a": "b c"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := NewThing(test.name, test.typ, test.attributes)
			if !test.ok {
				wantInvalid(t, "NewThing", err)
				return
			}
			if err != nil || got.Version != 1 || got.Name != test.name || got.Type != test.typ {
				t.Errorf("NewThing = %+v, %v; want version 1 and what was given", got, err)
			}
		})
	}
}

func TestThingApply(t *testing.T) {
	typed := Thing{Name: "lamp", Type: "light", Attributes: many(4), Version: 7}
	plain := Thing{Name: "lamp", Attributes: many(3), Version: 1}
	n := func(v int64) *int64 { return &v }
	for name, test := range map[string]struct {
		thing  Thing
		update ThingUpdate
		typ    TypeName
		count  int
		fails  Kind // zero: it does not
	}{
		"nothing asked still raises the version (REG-12)": {typed, ThingUpdate{}, "light", 4, 0},
		"the expected version (REG-13)":                   {typed, ThingUpdate{ExpectedVersion: n(7)}, "light", 4, 0},
		"another version than expected (REG-13)":          {typed, ThingUpdate{ExpectedVersion: n(6)}, "", 0, VersionConflict},
		"an explicit zero never matches (REG-13)":         {typed, ThingUpdate{ExpectedVersion: n(0)}, "", 0, VersionConflict},
		"another type":                                           {typed, ThingUpdate{Type: "bulb"}, "bulb", 4, 0},
		"no type any more, few attributes":                       {typed, ThingUpdate{RemoveType: true, Attributes: AttributePayload{Attributes: many(2)}}, "", 2, 0},
		"no type any more, too many attributes (REG-21)":         {typed, ThingUpdate{RemoveType: true}, "", 0, Invalid},
		"a type, and none (REG-24)":                              {typed, ThingUpdate{RemoveType: true, Type: "bulb"}, "", 0, Invalid},
		"a fourth attribute without a type (REG-21)":             {plain, ThingUpdate{Attributes: AttributePayload{map[string]string{"x": "1"}, true}}, "", 0, Invalid},
		"a fourth attribute together with a type":                {plain, ThingUpdate{Type: "light", Attributes: AttributePayload{map[string]string{"x": "1"}, true}}, "light", 4, 0},
		"removing the type of a thing that has none is no fault": {plain, ThingUpdate{RemoveType: true}, "", 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.thing.Apply(test.update)
			if test.fails != 0 {
				wantError(t, "Apply", err, test.fails)
				return
			}
			if err != nil || got.Type != test.typ || len(got.Attributes) != test.count || got.Version != test.thing.Version+1 {
				t.Errorf("Apply = %+v, %v; want type %q, %d attributes, version %d", got, err, test.typ, test.count, test.thing.Version+1)
			}
		})
	}
}

func TestSameThing(t *testing.T) {
	lamp := Thing{Name: "lamp", ID: "1", Type: "light", Attributes: attrs{"a": "1"}, Version: 3, CreatedAt: 5}
	for name, test := range map[string]struct {
		other Thing
		want  bool
	}{
		"id, version and time do not count (REG-15)": {Thing{Name: "lamp", Type: "light", Attributes: attrs{"a": "1"}, Version: 1}, true},
		"another type":              {Thing{Name: "lamp", Type: "bulb", Attributes: attrs{"a": "1"}}, false},
		"another attribute":         {Thing{Name: "lamp", Type: "light", Attributes: attrs{"b": "1"}}, false},
		"another attribute's value": {Thing{Name: "lamp", Type: "light", Attributes: attrs{"a": "2"}}, false},
		"fewer attributes":          {Thing{Name: "lamp", Type: "light"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lamp.Same(test.other); got != test.want {
				t.Errorf("%+v.Same(%+v) = %v, want %v", lamp, test.other, got, test.want)
			}
		})
	}
}

func TestAThingHadWhatWasQueuedAndEndedInItsTime(t *testing.T) {
	thing := Thing{Name: "lamp", CreatedAt: 100}
	for name, tt := range map[string]struct {
		x    *Execution
		want bool
	}{
		"none":                            {nil, false},
		"pending":                         {&Execution{Status: Queued, QueuedAt: 100, UpdatedAt: 100}, true},
		"pending, by a clock set back":    {&Execution{Status: InProgress, QueuedAt: 90, UpdatedAt: 95}, true},
		"ended":                           {&Execution{Status: Succeeded, QueuedAt: 100, UpdatedAt: 100}, true},
		"queued before it was created":    {&Execution{Status: Removed, QueuedAt: 99, UpdatedAt: 100}, false},
		"a retry that ended before that":  {&Execution{Status: Removed, QueuedAt: 101, UpdatedAt: 99}, false},
		"ended before it was even queued": {&Execution{Status: Removed, QueuedAt: 101, UpdatedAt: 100}, true},
	} {
		if got := thing.Had(tt.x); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
