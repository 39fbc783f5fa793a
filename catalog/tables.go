package catalog

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tables hold packages, versions and inventories, each with the parts of its key. The names
// of tables are stored and must not change.
var tables = struct {
	packages    store.Of[muster.Package]        // package
	versions    store.Of[muster.PackageVersion] // package, version
	config      store.Of[PackageConfig]         // thePackageConfig
	inventories store.Of[muster.Inventory]      // thing
}{
	packages:    store.Of[muster.Package]{Table: "package"},
	versions:    store.Of[muster.PackageVersion]{Table: "packageversion"},
	config:      store.Of[PackageConfig]{Table: "packageconfig"},
	inventories: store.Of[muster.Inventory]{Table: "inventory"},
}

// Tables are the tables of this package.
func Tables() []store.Checker {
	return []store.Checker{tables.packages, tables.versions, tables.config, tables.inventories}
}
