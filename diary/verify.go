package diary

import (
	"github.com/muster-iot/muster/integrity"
	"github.com/muster-iot/muster/store"
)

// RefusalsAreCounted is an invariant that Verify checks.
const RefusalsAreCounted store.Invariant = "refusals are counted, and those of strangers, too"

// Verify checks that each diary is of a thing in the table things, and that refusals, the list of them and their
// counts agree.
func Verify(c *integrity.Check, things store.Table) {
	c.EachKey(tables.diaries.Table, func(key string) { c.Owned(tables.diaries.Table, key, things, key) })
	var found counts
	integrity.Each(c, tables.refusals, func(key string, f Refusal) {
		found.add(f.Stranger, 1)
		c.Keyed(tables.refusals.Table, key, f.id())
		c.Derived(integrity.IndexesAgree, tables.latest.Table, f.latestKey(), "refusal "+key)
	})
	c.Surplus(integrity.IndexesAgree, tables.latest.Table)
	counted, err := refusalCounts(c.Reader())
	c.Fail(err)
	if err == nil && counted != found {
		c.Problem(RefusalsAreCounted, "%d refusals are counted, %d of them of strangers, and there are %d, %d of them of strangers",
			counted.all, counted.strangers, found.all, found.strangers)
	}
}
