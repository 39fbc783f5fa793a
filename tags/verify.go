package tags

import "github.com/muster-iot/muster/integrity"

// Verify checks that each resource that has tags exists.
func Verify(c *integrity.Check, kinds Kinds) {
	c.EachKey(Table.Table, func(key string) {
		kind, name := c.Pair(Table.Table, key)
		if err := kinds.check(c.Reader(), Kind(kind), name, key); err != nil {
			c.Problem(integrity.OwnersExist, "table %s has %q: %v", Table.Table, key, err)
		}
	})
}
