// Package integrity checks the records of a store against each other. It knows no table:
// the Verify of each package says what should be there, and a Check looks it up. Most
// tables are derived from others, such as a list by date. The rows that records require
// are compared with those of the table by their sums, so that none is looked up, whatever
// their order. Only if some sums differ all is checked again, and each row that a record
// requires is looked up and counted: a table that has more rows than were found has rows
// that no record requires.
package integrity

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// Invariants of records.
const (
	IndexesAgree store.Invariant = "an index holds what the records say, and nothing else"
	OwnersExist  store.Invariant = "what belongs to something is there with it"
)

// Check checks records on one snapshot and collects the problems. It is for one goroutine.
// After an error its results are incomplete, so callers ask Done between steps.
type Check struct {
	ctx      context.Context // of the call of Run, which the Check does not outlive
	r        *inOrder
	problems []store.Problem
	err      error // why the check could not be finished

	exact   bool                // rows are looked up
	found   map[store.Table]int // when exact: those that were looked up and are there
	seed    maphash.Seed        // of sums
	sums    map[store.Table]Sum // when not exact: of the rows that records require
	differs bool                // some sums do, so that the check must be an exact one
}

// Run lets parts check what r shows, one after the other, and returns the problems,
// store.MaxProblems or a few more at most. It fails if they could not be finished, or when
// ctx ends. The parts may be called twice.
func Run(ctx context.Context, r store.Reader, parts ...func(*Check)) ([]store.Problem, error) {
	ordered := newInOrder(r)
	defer ordered.close()
	c := &Check{ctx: ctx, r: ordered, seed: maphash.MakeSeed(), sums: map[store.Table]Sum{}}
	if c.run(parts); c.differs && c.err == nil {
		c = &Check{ctx: ctx, r: ordered, seed: c.seed, exact: true, found: map[store.Table]int{}}
		c.run(parts)
	}
	return c.problems, c.err
}

func (c *Check) run(parts []func(*Check)) {
	for _, part := range parts {
		if part(c); c.Done() {
			return
		}
	}
}

// Reader is the snapshot. It is fast at what is asked in the order of keys.
func (c *Check) Reader() store.Reader { return c.r }

// Exact reports whether rows are looked up. Otherwise their sums are compared.
func (c *Check) Exact() bool { return c.exact }

// Sum is a sum of keys. Sums of one Check are equal if the same keys were added, in
// whatever order. That they are equal otherwise happens once in 2^64 times.
type Sum struct {
	rows int
	hash uint64
}

// Plus returns s with a key added.
func (c *Check) Plus(s Sum, key string) Sum {
	return Sum{s.rows + 1, s.hash + maphash.String(c.seed, key)}
}

// Same compares sums. If they differ, the exact check has to say where; in that, Same does
// nothing.
func (c *Check) Same(a, b Sum) { c.differs = c.differs || !c.exact && a != b }

// Done reports whether the check must stop: after an error, at the end of its context,
// with store.MaxProblems problems, or when only an exact check can say more.
func (c *Check) Done() bool {
	c.err = errors.Join(c.err, c.ctx.Err())
	return c.err != nil || c.differs || len(c.problems) >= store.MaxProblems
}

// Fail stops the check with an error. Nil does nothing.
func (c *Check) Fail(err error) { c.err = errors.Join(c.err, err) }

// Problem adds a violation of an invariant.
func (c *Check) Problem(i store.Invariant, format string, args ...any) {
	c.problems = append(c.problems, store.Problem{Invariant: i, Detail: fmt.Sprintf(format, args...)})
}

// Each calls fn for every row of a table. A row that cannot be read is a problem, and ends
// the table.
func Each[T any](c *Check, table store.Of[T], fn func(key string, value T)) {
	for row, err := range table.Scan(c.r, "", "") {
		if c.Done() {
			return
		}
		if err != nil {
			c.Problem(store.Readable, "%v", err)
			return
		}
		fn(row.Key, row.Value)
	}
}

// EachKey is Each where the values do not matter, and are not read.
func (c *Check) EachKey(table store.Table, fn func(key string)) {
	for row, err := range c.r.Scan(table, "", "") {
		if c.Done() {
			return
		}
		if err != nil {
			c.Problem(store.Readable, "%v", err)
			return
		}
		fn(row.Key)
	}
}

// Has reports whether there is a row.
func (c *Check) Has(table store.Table, key string) bool {
	value, err := c.r.Get(table, key)
	c.err = errors.Join(c.err, err)
	return value != nil
}

// Derived checks that a derived table has the row that the record from requires.
func (c *Check) Derived(i store.Invariant, table store.Table, key, from string) {
	switch {
	case !c.exact:
		c.sums[table] = c.Plus(c.sums[table], key)
	case c.Has(table, key):
		c.found[table]++
	case c.err == nil:
		c.Problem(i, "table %s lacks %q of %s", table, key, from)
	}
}

// Dated checks that a dated table has both rows of a resource (listing.PutDated).
func (c *Check) Dated(table store.Table, at muster.Instant, id, from string, owner ...string) {
	c.Derived(IndexesAgree, table, listing.DatedKey(true, at, id, owner), from)
	c.Derived(IndexesAgree, table, listing.DatedKey(false, at, id, owner), from)
}

// Owned checks that the owner of a row exists in the table by.
func (c *Check) Owned(table store.Table, key string, by store.Table, owner string) {
	if !c.Has(by, owner) && c.err == nil {
		c.Problem(OwnersExist, "table %s has %q and there is no %s %q", table, key, by, owner)
	}
}

// Pair splits a key of two parts. Any other key is a problem, and is returned whole.
func (c *Check) Pair(table store.Table, key string) (string, string) {
	parts := store.SplitKey(key)
	if len(parts) != 2 {
		c.Problem(IndexesAgree, "table %s has the key %q, which is not of two parts", table, key)
		return key, ""
	}
	return parts[0], parts[1]
}

// Keyed checks that the key of a record is the one that follows from its contents.
func (c *Check) Keyed(table store.Table, key, want string) {
	if key != want {
		c.Problem(IndexesAgree, "table %s has under %q the record of %q", table, key, want)
	}
}

// Surplus checks that derived tables have no rows but those that Derived was called for.
// It is called after all of those.
func (c *Check) Surplus(i store.Invariant, tables ...store.Table) {
	for _, table := range tables {
		var all Sum
		for row, err := range c.r.Scan(table, "", "") {
			if c.err = errors.Join(c.err, c.ctx.Err()); c.err != nil {
				return
			}
			if err != nil {
				c.Problem(store.Readable, "%v", err)
				break
			}
			all = c.Plus(all, row.Key)
		}
		if c.Same(all, c.sums[table]); c.differs {
			return
		}
		if c.exact && all.rows > c.found[table] {
			c.Problem(i, "table %s has %d rows and %d of them belong there", table, all.rows, c.found[table])
		}
	}
}
