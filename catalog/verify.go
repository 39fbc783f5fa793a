package catalog

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/integrity"
	"github.com/muster-iot/muster/store"
)

// Verify checks packages and versions against each other, and that each inventory has its
// thing. things is the table of those.
func Verify(c *integrity.Check, things store.Table) {
	c.EachKey(tables.inventories.Table, func(key string) {
		c.Owned(tables.inventories.Table, key, things, key)
	})
	integrity.Each(c, tables.packages, func(key string, p muster.Package) {
		c.Keyed(tables.packages.Table, key, string(p.Name))
		if p.Default != "" {
			c.Owned(tables.packages.Table, key, tables.versions.Table, releaseKey(muster.Release{Package: p.Name, Version: p.Default}))
		}
	})
	integrity.Each(c, tables.versions, func(key string, p muster.PackageVersion) {
		c.Keyed(tables.versions.Table, key, releaseKey(muster.Release{Package: p.Package, Version: p.Name}))
		c.Owned(tables.versions.Table, key, tables.packages.Table, string(p.Package))
	})
}
