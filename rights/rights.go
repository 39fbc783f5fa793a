// Package rights keeps what the rights of devices are derived from: certificates,
// certificate authorities (CAs), policies, and which of them are attached to what
// (identity-and-auth.md). It does not decide what a device may do: authz does, from the
// Grounds that this package returns. Nor does it read certificates or policy documents:
// its callers check them.
package rights

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// Registry is what rights needs of the registry of things and groups.
type Registry interface {
	// RequireThing fails with NotFound if the thing does not exist.
	RequireThing(r store.Reader, name muster.ThingName) error
	// Thing returns a thing, or nil if there is none.
	Thing(r store.Reader, name muster.ThingName) (*muster.Thing, error)
	// Group returns a group, or fails with NotFound.
	Group(r store.Reader, name muster.GroupName) (muster.Group, error)
	// GroupsOf returns the groups that a thing is a direct member of, by name.
	GroupsOf(r store.Reader, thing muster.ThingName) ([]muster.Group, error)

	// WantThing, WantGroup and WantGroupsOf name what the methods above read. When the names of
	// the groups of a thing are known, named is called with each, and may name more.
	WantThing(w *commit.Wants, name muster.ThingName)
	WantGroup(w *commit.Wants, name muster.GroupName)
	WantGroupsOf(w *commit.Wants, thing muster.ThingName, named func(*commit.Wants, muster.GroupName))
}

// Watcher is told of changes of rights.
type Watcher interface {
	// RightsChanged is called with the devices whose rights may have changed, after the
	// transaction is durable and before the command is answered. It must be quick and
	// must not wait for a command.
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
	// Shared is the store of Commits if several processes share it, and otherwise nil.
	Shared store.Shared
}

// Rights is the service of certificates, CAs and policies. Make it with New. It may be
// used by many goroutines.
type Rights struct {
	commits  *commit.Committer
	account  muster.Account
	newID    func() string
	pages    listing.Pager
	registry Registry
	watch    Watcher
	shared   store.Shared // nil: one process
	decoded  decodedPolicies
}

// New returns the Rights on o.
func New(o Options) *Rights {
	return &Rights{
		commits: o.Commits, account: o.Account, newID: o.NewID, pages: o.Pages, registry: o.Registry, watch: o.Watcher, shared: o.Shared,
		decoded: decodedPolicies{known: map[string]decodedPolicy{}},
	}
}

// The kinds of resource of this package that can have tags.
const (
	KindPolicy tags.Kind = "policy"
	KindCA     tags.Kind = "cacert"
)

// Kinds returns, for the kinds of this package, whether a resource of a name exists.
func Kinds() tags.Kinds {
	return tags.Kinds{KindPolicy: tables.policies.Has, KindCA: tables.cas.Has}
}
