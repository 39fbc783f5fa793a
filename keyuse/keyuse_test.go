package keyuse_test

import (
	"maps"
	"testing"
	"time"

	"github.com/muster-iot/muster/keyuse"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

func TestTheLaterUseStays(t *testing.T) {
	book := keyuse.On(memstore.New())
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for _, step := range []struct{ keep, want map[string]time.Time }{
		{nil, map[string]time.Time{}},
		{map[string]time.Time{"a": noon, "b": {}}, map[string]time.Time{"a": noon}},
		{map[string]time.Time{"a": noon.Add(-time.Minute), "b": noon}, map[string]time.Time{"a": noon, "b": noon}},
		{map[string]time.Time{"a": {}, "b": noon.Add(time.Minute)}, map[string]time.Time{"a": noon, "b": noon.Add(time.Minute)}},
		{map[string]time.Time{"b": {}}, map[string]time.Time{"b": noon.Add(time.Minute)}},
	} {
		if err := book.KeepLastUses(t.Context(), step.keep); err != nil {
			t.Fatal(err)
		}
		got, err := book.LastUses(t.Context())
		if err != nil || !maps.EqualFunc(got, step.want, time.Time.Equal) {
			t.Errorf("after %v was kept, the last uses are %v, %v; want %v", step.keep, got, err, step.want)
		}
	}
}

func TestARecordThatCannotBeReadIsAnError(t *testing.T) {
	s := memstore.New()
	err := store.Update(t.Context(), s, func(tx store.Tx) error { tx.Put("keyuse", "a", []byte{0}); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if uses, err := keyuse.On(s).LastUses(t.Context()); err == nil {
		t.Errorf("the last uses are %v, want an error", uses)
	}
	if err := keyuse.On(s).KeepLastUses(t.Context(), nil); err == nil {
		t.Error("what cannot be read is replaced")
	}
}
