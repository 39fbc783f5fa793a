package audit

import (
	"github.com/muster-iot/muster/integrity"
	"github.com/muster-iot/muster/store"
)

// AuditIsCounted is what Verify checks beside the rows that find records.
const AuditIsCounted store.Invariant = "audit records are counted by the hour, or wait for it"

// Verify checks that records are found by what they name, and that they are counted.
func Verify(c *integrity.Check) {
	hours := map[string]amount{}
	var whole amount
	integrity.Each(c, tables.records, func(key string, r Record) {
		c.Keyed(tables.records.Table, key, keyOf(r.At, r.RequestID))
		for _, row := range rows(r) {
			c.Derived(integrity.IndexesAgree, row.table.Table, row.key, "audit record "+r.RequestID)
		}
		of := store.TimeKey(hourOf(r.At))
		hours[of] = hours[of].plus(amountOf(r))
		whole = whole.plus(amountOf(r))
	})
	integrity.Each(c, tables.uncounted, func(key string, waiting amount) {
		at, request := c.Pair(tables.uncounted.Table, key)
		c.Owned(tables.uncounted.Table, key, tables.records.Table, keyOf(store.TimeIn(at), request))
		of := store.TimeKey(hourOf(store.TimeIn(at)))
		hours[of] = hours[of].minus(waiting)
		whole = whole.minus(waiting)
	})
	if whole != (amount{}) {
		hours[wholeKey] = whole
	}
	integrity.Each(c, tables.hours, func(key string, counted amount) {
		if hours[key] != counted {
			c.Problem(AuditIsCounted, "audit records of %s are counted as %+v and are %+v", hourIn(key), counted, hours[key])
		}
		delete(hours, key)
	})
	for key, of := range hours {
		if of != (amount{}) && !c.Done() {
			c.Problem(AuditIsCounted, "audit records of %s are not counted: %+v", hourIn(key), of)
		}
	}
	c.Surplus(integrity.IndexesAgree, tables.byResource.Table, tables.byPrincipal.Table, tables.byOperation.Table)
}

// hourIn returns the hour of a key of tables.hours in words.
func hourIn(key string) string {
	if key == wholeKey {
		return "all time"
	}
	return "the hour from " + store.TimeIn(key).Time().Format("2006-01-02T15:04Z")
}
