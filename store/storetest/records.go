package storetest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/muster-iot/muster/store"
)

func records() []promise {
	return []promise{
		{"a record is what was last put under its key", recordIsLastPut},
		{"tables are apart", tablesAreApart},
		{"a scan has its bounds, in the order of bytes", scanHasBounds},
		{"a value may be empty, or a megabyte", valueMayBeBig},
		{"a value that was read or written belongs to the caller", valueBelongsToCaller},
	}
}

func put(t *testing.T, s store.Store, table store.Table, pairs ...string) {
	t.Helper()
	update(t, s, func(tx store.Tx) {
		for i := 0; i < len(pairs); i += 2 {
			tx.Put(table, pairs[i], []byte(pairs[i+1]))
		}
	})
}

func get(t *testing.T, s store.Store, key string) []byte {
	t.Helper()
	var value []byte
	view(t, s, func(r store.Reader) { value = must[[]byte](t)(r.Get(table, key)) })
	return value
}

func recordIsLastPut(t *testing.T, s store.Store) {
	put(t, s, table, "k", "one", "k", "two")
	expect(t, "Get(k)", string(get(t, s, "k")), "two")
	put(t, s, table, "k", "three")
	expect(t, "Get(k)", string(get(t, s, "k")), "three")
	update(t, s, func(tx store.Tx) { tx.Delete(table, "k"); tx.Delete(table, "never") })
	if got := get(t, s, "k"); got != nil {
		t.Fatalf("Get(k) = %q after Delete, want nil", got)
	}
	update(t, s, func(tx store.Tx) {
		tx.Delete(table, "k")
		tx.Put(table, "k", []byte("four"))
	})
	expect(t, "Get(k)", string(get(t, s, "k")), "four")
}

func tablesAreApart(t *testing.T, s store.Store) {
	put(t, s, "jobs", "k", "job")
	put(t, s, "jobs2", "k", "job2")
	view(t, s, func(r store.Reader) {
		expect(t, "Get(jobs, k)", string(must[[]byte](t)(r.Get("jobs", "k"))), "job")
		expect(t, "Scan(jobs)", list(t, r.Scan("jobs", "", ""), 0), []store.Record{{Key: "k", Value: []byte("job")}})
		expect(t, "Scan(job)", list(t, r.Scan("job", "", ""), 0), "[]")
	})
}

func scanHasBounds(t *testing.T, s store.Store) {
	keys := []string{"", "a", "a\x00", "a\x00b", "a\x01", "ab", "b", "\x7f", "é", "\xff", "\xff\xff"}
	for _, key := range slices.Backward(keys) {
		put(t, s, table, key, "v")
	}
	scan := func(from, to string, n int, want ...string) {
		t.Helper()
		view(t, s, func(r store.Reader) {
			var got []string
			for _, rec := range list(t, r.Scan(table, from, to), n) {
				got = append(got, rec.Key)
			}
			expect(t, "Scan("+from+", "+to+")", got, want)
		})
	}
	scan("", "", 0, keys...)
	scan("", "b", 0, keys[:6]...)
	scan("a", "", 2, keys[1:3]...)
	scan("a", "ab", 0, keys[1:5]...)
	scan(store.After("a"), "ab", 0, keys[2:5]...)
	scan("b", "a", 0)
	scan("b", "b", 0)
	scan("\xff", "", 0, keys[9:]...)
	from, to := store.Under("a")
	scan(from, to, 0, keys[2:4]...)
}

func valueMayBeBig(t *testing.T, s store.Store) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	put(t, s, table, "big", string(big), "empty", "")
	if got := get(t, s, "big"); !bytes.Equal(got, big) {
		t.Fatalf("Get(big) = %d bytes, want the %d that were put", len(got), len(big))
	}
	if got := get(t, s, "empty"); got == nil || len(got) != 0 {
		t.Fatalf("Get(empty) = %v, want an empty value that is not nil", got)
	}
}

func valueBelongsToCaller(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) {
		value := []byte("value")
		tx.Put(table, "k", value)
		value[0] = 'X'
		got := must[[]byte](t)(tx.Get(table, "k"))
		expect(t, "Get(k) after the written value was changed", string(got), "value")
		got[0] = 'X'
	})
	get(t, s, "k")[0] = 'X'
	view(t, s, func(r store.Reader) {
		for _, rec := range list(t, r.Scan(table, "", ""), 0) {
			rec.Value[0] = 'X'
		}
	})
	expect(t, "Get(k) after read values were changed", string(get(t, s, "k")), "value")
}
