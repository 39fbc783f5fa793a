// Package rights keeps what the rights of devices rest on: certificates,
// certificate authorities, policies, and which of them are attached to what. What
// a device may do by them is decided elsewhere, on the Grounds that this package
// returns.
package rights

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// Registry is what rights ask of the registry of things and groups.
type Registry interface {
	// RequireThing fails with NotFound when there is no such thing.
	RequireThing(r store.Reader, name muster.ThingName) error
	// Thing returns a thing, or nil when there is none.
	Thing(r store.Reader, name muster.ThingName) (*muster.Thing, error)
	// Group returns a group, or fails with NotFound.
	Group(r store.Reader, name muster.GroupName) (muster.Group, error)
	// GroupsOf returns the groups that a thing is a direct member of, by name.
	GroupsOf(r store.Reader, thing muster.ThingName) ([]muster.Group, error)
}

// Watcher is told of changes of rights.
type Watcher interface {
	// RightsChanged says whose rights may have changed, after the commit and before
	// the answer. It must be quick and hand in no command.
	RightsChanged(Change)
}

// Options are the parts of Rights. All but Watcher are required.
type Options struct {
	Commits  *commit.Committer
	Account  muster.Account
	NewID    func() string // of generations, UUIDs
	Pages    listing.Pager
	Registry Registry
	Watcher  Watcher // nil is allowed
}

// Rights is the service of certificates, authorities and policies. Make it with
// New.
type Rights struct {
	commits  *commit.Committer
	account  muster.Account
	newID    func() string
	pages    listing.Pager
	registry Registry
	watch    Watcher
}

// New returns the Rights on o.
func New(o Options) *Rights {
	return &Rights{o.Commits, o.Account, o.NewID, o.Pages, o.Registry, o.Watcher}
}

// The kinds of resource of this package that can have tags.
const (
	KindPolicy tags.Kind = "policy"
	KindCA     tags.Kind = "cacert"
)

// Kinds say which resources there are.
func Kinds() tags.Kinds {
	return tags.Kinds{KindPolicy: tables.policies.Has, KindCA: tables.cas.Has}
}
