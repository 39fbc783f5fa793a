// Package integrity checks the records of a store against each other. It knows no table:
// the Verify of each package says what should be there, and a Check looks it up. Most
// tables are derived from others, such as a list by date. Each row that a record requires
// is looked up and counted, so a table that has more rows than were found has rows that no
// record requires.
package integrity

import (
	"context"
	"errors"
	"fmt"

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
	ctx      context.Context // of the call that made the Check, which does not outlive it
	r        store.Reader
	problems []store.Problem
	found    map[store.Table]int // rows that were looked up and are there
	err      error               // why the check could not be finished
}

// New returns a Check of what r shows, until ctx ends.
func New(ctx context.Context, r store.Reader) *Check {
	return &Check{ctx: ctx, r: r, found: map[store.Table]int{}}
}

// Reader is the snapshot.
func (c *Check) Reader() store.Reader { return c.r }

// Result returns the problems found, and the error if the check could not be finished.
func (c *Check) Result() ([]store.Problem, error) { return c.problems, c.err }

// Done reports whether the check must stop: after an error, at the end of its context, or
// with store.MaxProblems problems.
func (c *Check) Done() bool {
	c.err = errors.Join(c.err, c.ctx.Err())
	return c.err != nil || len(c.problems) >= store.MaxProblems
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

// Has reports whether there is a row.
func (c *Check) Has(table store.Table, key string) bool {
	value, err := c.r.Get(table, key)
	c.err = errors.Join(c.err, err)
	return value != nil
}

// Derived checks that a derived table has the row that the record from requires.
func (c *Check) Derived(i store.Invariant, table store.Table, key, from string) {
	if c.Has(table, key) {
		c.found[table]++
	} else if c.err == nil {
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

// Surplus checks that derived tables have no rows beyond those found by Derived. It is
// called after all of those.
func (c *Check) Surplus(i store.Invariant, tables ...store.Table) {
	for _, table := range tables {
		rows := 0
		for _, err := range c.r.Scan(table, "", "") {
			if c.err = errors.Join(c.err, c.ctx.Err()); c.err != nil {
				return
			}
			if err != nil {
				c.Problem(store.Readable, "%v", err)
				break
			}
			rows++
		}
		if rows > c.found[table] {
			c.Problem(i, "table %s has %d rows and %d of them belong there", table, rows, c.found[table])
		}
	}
}
