package muster

import (
	"slices"
	"testing"
)

func TestEventTypesAreKnownByTheirWords(t *testing.T) {
	for _, typ := range append(EventTypes(), EventAudit) {
		if got, ok := ParseEventType(typ.String()); !ok || got != typ {
			t.Errorf("ParseEventType(%q) = %v, %v; want %v", typ.String(), got, ok, typ)
		}
	}
	if len(EventTypes()) != 11 || slices.Contains(EventTypes(), EventAudit) {
		t.Errorf("%d event types, want the 11 of jobs-events.md section 1", len(EventTypes()))
	}
	for _, word := range []string{"", "JOBS", "job"} {
		if got, ok := ParseEventType(word); ok {
			t.Errorf("ParseEventType(%q) = %v, want none", word, got)
		}
	}
}

func TestOnlyTheEventTypesNamedChange(t *testing.T) {
	var c EventConfig
	for _, typ := range EventTypes() {
		if c.Enabled(typ) {
			t.Errorf("%s is enabled at first", typ)
		}
	}
	c = c.With(map[EventType]bool{EventJob: true, EventThingTypeAssociation: true}, 10)
	c = c.With(map[EventType]bool{EventThing: true, EventJob: false}, 20)
	for _, typ := range EventTypes() {
		if want := typ == EventThing || typ == EventThingTypeAssociation; c.Enabled(typ) != want {
			t.Errorf("%s is enabled: %v, want %v", typ, c.Enabled(typ), want)
		}
	}
	if c.CreatedAt != 10 || c.UpdatedAt != 20 {
		t.Errorf("created at %d and updated at %d, want 10 and 20", c.CreatedAt, c.UpdatedAt)
	}
}
