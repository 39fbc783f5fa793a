package service

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// counting is a store that counts the records that are read and written.
type counting struct {
	store.Store
	n int
}

func (c *counting) View(ctx context.Context, fn func(store.Reader) error) error {
	return c.Store.View(ctx, func(r store.Reader) error { return fn(countingReader{r, c}) })
}

func (c *counting) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return c.Store.Apply(ctx, func(tx store.Tx) error { return fn(countingTx{tx, countingReader{tx, c}}) })
}

type countingReader struct {
	store.Reader
	*counting
}

func (r countingReader) Get(t store.Table, key string) ([]byte, error) {
	r.n++
	return r.Reader.Get(t, key)
}

func (r countingReader) Scan(t store.Table, from, to string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		r.n++
		for row, err := range r.Reader.Scan(t, from, to) {
			r.n++
			if !yield(row, err) {
				return
			}
		}
	}
}

type countingTx struct {
	store.Tx
	reader countingReader
}

func (t countingTx) Get(table store.Table, key string) ([]byte, error) {
	return t.reader.Get(table, key)
}

func (t countingTx) Scan(table store.Table, from, to string) iter.Seq2[store.Record, error] {
	return t.reader.Scan(table, from, to)
}

func (t countingTx) Put(table store.Table, key string, value []byte) {
	t.reader.n++
	t.Tx.Put(table, key, value)
}

func (t countingTx) Delete(table store.Table, key string) {
	t.reader.n++
	t.Tx.Delete(table, key)
}

// What is read and written for one change, and for one search, is the same in a
// fleet of a thousand as in one ten times as large.
func TestCostDoesNotGrowWithTheFleet(t *testing.T) {
	costs := map[string][]int{}
	for _, size := range []int{1_000, 10_000} {
		c := &counting{Store: memstore.New()}
		env := newEnvOnJust(t, c, Options{})
		for i := range size {
			name := fmt.Sprintf("t%05d", i)
			thing := muster.Thing{Name: muster.ThingName(name), ID: name, Version: 1, Attributes: map[string]string{"site": "north", "serial": fmt.Sprint(i)}}
			env.write(func(tx store.Tx) { things.Put(tx, name, thing) })
		}
		var changes []registry.ConnectionChange
		for i := range size {
			changes = append(changes, came(fmt.Sprintf("t%05d", i), "1", muster.Instant(100_000+i)))
		}
		env.connections(changes...)
		env.settleDown() // builds the index
		for i := range 20 {
			env.dynamic(fmt.Sprint("g", i), fmt.Sprintf("attributes.site:north AND attributes.serial:%d", i))
		}
		env.dynamic("southern", "attributes.site:south")
		env.jobOf(muster.Continuous, "job", "@southern")
		all := map[string]func(){
			"an attribute that groups ask for":      func() { env.set("t00500", "site", "south") },
			"an attribute that nobody asks for":     func() { env.set("t00501", "floor", "2") },
			"a connection":                          func() { env.connections(came("t00502", "2", 900)) },
			"a search for an instant":               func() { env.wantFound("", "connectivity.timestamp:[100503 TO 100504}", "t00503") },
			"a search for a word":                   func() { env.wantFound("", "t00503", "t00503") },
			"a search for a number":                 func() { env.wantFound("", "100503", "t00503") },
			"a page of the connected":               func() { env.page("connectivity.connected:true") },
			"a selective search":                    func() { env.wantFound("", "attributes.site:north AND attributes.serial:503", "t00503") },
			"a page of everything":                  func() { env.page("*") },
			"a page of a value that many have":      func() { env.page("attributes.site:north") },
			"a dynamic group that few things match": func() { env.dynamic("few", "attributes.serial:(100 OR 101) AND attributes.site:*") },
		}
		for _, name := range slices.Sorted(maps.Keys(all)) { // in a fixed order: some add fields that others look into
			c.n = 0
			all[name]()
			costs[name] = append(costs[name], c.n)
		}
	}
	for name, n := range costs {
		if n[0] != n[1] || n[0] == 0 {
			t.Errorf("%s takes %d records in the small fleet and %d in the large one", name, n[0], n[1])
		}
	}
}

func (env *env) page(query string) {
	env.t.Helper()
	if found, err := env.SearchIndex(env.t.Context(), registry.IndexQuery{Text: query}, listing.Page{Limit: 10}); err != nil || len(found.Things) != 10 {
		env.t.Fatalf("SearchIndex(%s) = %d things, %v; want 10", query, len(found.Things), err)
	}
}
