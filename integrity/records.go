// Package integrity compares the records of a store with each other: each package
// that keeps some says what should be there, and a Check looks it up. Most tables
// derive from others: each row that a record asks for is looked up and counted, so
// a table that holds more rows than were found holds some that no record asks for.
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

// Check compares records on one snapshot. It is for one goroutine.
type Check struct {
	ctx      context.Context // of the one call that this lives in
	r        store.Reader
	problems []store.Problem
	found    map[store.Table]int // rows that were looked up and are there
	err      error               // why it could not finish
}

// New returns a Check of what r shows, until ctx ends.
func New(ctx context.Context, r store.Reader) *Check {
	return &Check{ctx: ctx, r: r, found: map[store.Table]int{}}
}

// Reader is the snapshot.
func (c *Check) Reader() store.Reader { return c.r }

// Result returns what was found, and why the Check could not finish.
func (c *Check) Result() ([]store.Problem, error) { return c.problems, c.err }

// Done reports whether the Check cannot go on, or has found enough.
func (c *Check) Done() bool {
	c.err = errors.Join(c.err, c.ctx.Err())
	return c.err != nil || len(c.problems) >= store.MaxProblems
}

// Fail ends the Check with an error; nil does nothing.
func (c *Check) Fail(err error) { c.err = errors.Join(c.err, err) }

// Problem reports that an invariant does not hold.
func (c *Check) Problem(i store.Invariant, format string, args ...any) {
	c.problems = append(c.problems, store.Problem{Invariant: i, Detail: fmt.Sprintf(format, args...)})
}

// Each calls fn for every row of a table. What cannot be read is a problem, and the
// end of the table.
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

// Derived looks up a row that a record asks for.
func (c *Check) Derived(i store.Invariant, table store.Table, key, from string) {
	if c.Has(table, key) {
		c.found[table]++
	} else if c.err == nil {
		c.Problem(i, "table %s lacks %q of %s", table, key, from)
	}
}

// Dated does the same for a dated table.
func (c *Check) Dated(table store.Table, at muster.Instant, id, from string, owner ...string) {
	c.Derived(IndexesAgree, table, listing.DatedKey(true, at, id, owner), from)
	c.Derived(IndexesAgree, table, listing.DatedKey(false, at, id, owner), from)
}

// Owned looks up what a row belongs to.
func (c *Check) Owned(table store.Table, key string, by store.Table, owner string) {
	if !c.Has(by, owner) && c.err == nil {
		c.Problem(OwnersExist, "table %s has %q and there is no %s %q", table, key, by, owner)
	}
}

// Pair cuts the key of a row that belongs to two others.
func (c *Check) Pair(table store.Table, key string) (string, string) {
	parts := store.SplitKey(key)
	if len(parts) != 2 {
		c.Problem(IndexesAgree, "table %s has the key %q, which is not of two parts", table, key)
		return key, ""
	}
	return parts[0], parts[1]
}

// Keyed compares the key of a record with what the record says of itself.
func (c *Check) Keyed(table store.Table, key, want string) {
	if key != want {
		c.Problem(IndexesAgree, "table %s has under %q the record of %q", table, key, want)
	}
}

// Surplus looks for rows of derived tables that no record asks for, after all that
// do were looked up.
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
