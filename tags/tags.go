// Package tags keeps the tags of resources (registry.md section 6.4). Which resources exist
// is known by the packages that keep them; each contributes a Kinds.
package tags

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// Table holds the tags of each resource that has some. Its key is kind and name.
var Table = store.Of[[]muster.Tag]{Table: "tag"}

// Tables are the tables of this package.
func Tables() []store.Checker { return []store.Checker{Table} }

// Kind is a kind of resource that can have tags, in the word of its ARN.
type Kind string

// Kinds has, for each kind of resource that can have tags, a function that reports whether
// a resource of a name exists.
type Kinds map[Kind]func(r store.Reader, name string) (bool, error)

// Tags is the service of tags. Make it with New.
type Tags struct {
	commits *commit.Committer
	account muster.Account
	kinds   Kinds
}

// New returns the Tags for the resources of kinds, which must not be changed afterwards.
func New(c *commit.Committer, account muster.Account, kinds Kinds) *Tags {
	return &Tags{c, account, kinds}
}

// TagResource sets tags on the resource that arn names, keeping its others
// (registry.md section 6.4). It fails with Invalid, NotFound or LimitExceeded.
func (t *Tags) TagResource(ctx context.Context, arn string, set []muster.Tag) error {
	return t.changeTags(ctx, arn, func(had []muster.Tag) ([]muster.Tag, error) { return muster.Retag(had, set) })
}

// UntagResource removes the tags with the given keys, those that there are. It fails with
// Invalid or NotFound.
func (t *Tags) UntagResource(ctx context.Context, arn string, keys []string) error {
	return t.changeTags(ctx, arn, func(had []muster.Tag) ([]muster.Tag, error) { return muster.Untag(had, keys), nil })
}

func (t *Tags) changeTags(ctx context.Context, arn string, change func([]muster.Tag) ([]muster.Tag, error)) error {
	kind, name, err := t.account.ParseARN(arn)
	if err != nil {
		return err
	}
	return t.commits.Do(ctx, func(tx *commit.Tx) error {
		had, err := t.of(tx, kind, name, arn)
		if err != nil {
			return err
		}
		all, err := change(had)
		if err != nil {
			return err
		}
		Put(tx, Kind(kind), name, all)
		return nil
	})
}

// ListTagsForResource returns the tags of a resource, sorted by key. There are never enough
// for a second page, so any token but "" is Invalid. It fails with Invalid or NotFound.
func (t *Tags) ListTagsForResource(ctx context.Context, arn, token string) ([]muster.Tag, error) {
	kind, name, err := t.account.ParseARN(arn)
	if err != nil {
		return nil, err
	}
	if token != "" {
		return nil, listing.ErrToken
	}
	var all []muster.Tag
	err = t.commits.View(ctx, func(r store.Reader) (err error) {
		all, err = t.of(r, kind, name, arn)
		return err
	})
	return all, err
}

// of returns the tags of a resource. It fails as Kinds.check.
func (t *Tags) of(r store.Reader, kind, name, arn string) ([]muster.Tag, error) {
	if err := t.kinds.check(r, Kind(kind), name, arn); err != nil {
		return nil, err
	}
	all, err := Table.Get(r, store.JoinKey(kind, name))
	if err != nil || all == nil {
		return nil, err
	}
	return *all, nil
}

// check fails with Invalid for a kind that cannot have tags, and with NotFound if the
// resource does not exist. arn is what the messages call it.
func (k Kinds) check(r store.Reader, kind Kind, name, arn string) error {
	if kind == "thing" || kind == "cert" {
		return muster.Errorf(muster.Invalid, "A resource such as %s cannot have tags", arn)
	}
	exists := false
	if has := k[kind]; has != nil {
		var err error
		if exists, err = has(r, name); err != nil {
			return err
		}
	}
	if !exists {
		return muster.Errorf(muster.NotFound, "The resource %s does not exist", arn)
	}
	return nil
}

// Put replaces all tags of a resource. No tags delete the record.
func Put(w store.Writer, kind Kind, name string, all []muster.Tag) {
	key := store.JoinKey(string(kind), name)
	if len(all) == 0 {
		Table.Delete(w, key)
		return
	}
	Table.Put(w, key, all)
}
