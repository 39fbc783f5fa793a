// Package catalog keeps software packages and their versions, and the inventory of each
// thing: which versions jobs have installed on it (jobs-lifecycle.md section 13). What a
// job document says of packages is read in jobdoc.
package catalog

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// Things is what the catalog needs of the registry.
type Things interface {
	// RequireThing fails with NotFound if the thing does not exist.
	RequireThing(r store.Reader, name muster.ThingName) error
}

// Catalog is the service of software packages. Make it with New. It may be used by many
// goroutines.
type Catalog struct {
	commits *commit.Committer
	account muster.Account
	pages   listing.Pager
	things  Things
}

// New returns a Catalog.
func New(c *commit.Committer, account muster.Account, pages listing.Pager, things Things) *Catalog {
	return &Catalog{c, account, pages, things}
}

// KindPackage is the kind of packages and of their versions among the resources
// that can have tags.
const KindPackage tags.Kind = "package"

// Kinds returns, for the kind of this package, whether a resource of a name exists.
func Kinds() tags.Kinds {
	return tags.Kinds{KindPackage: func(r store.Reader, name string) (bool, error) {
		if release := muster.ReleaseOf(name); release.Version != "" {
			return tables.versions.Has(r, releaseKey(release))
		}
		return tables.packages.Has(r, name)
	}}
}
