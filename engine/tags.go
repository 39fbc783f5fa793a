package engine

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// The kinds of resource that can carry tags, as their ARNs call them.
const (
	kindGroup    = "thinggroup"
	kindType     = "thingtype"
	kindJob      = "job"
	kindTemplate = "jobtemplate"
	kindPolicy   = "policy"
	kindCA       = "cacert"
	kindPackage  = "package" // and its versions
)

// TagResource sets tags on the resource that arn names, keeping its others
// (registry.md section 6.4). It fails with Invalid, NotFound or LimitExceeded.
func (e *Engine) TagResource(ctx context.Context, arn string, set []muster.Tag) error {
	return e.changeTags(ctx, arn, func(had []muster.Tag) ([]muster.Tag, error) { return muster.Retag(had, set) })
}

// UntagResource removes the tags of the given keys; one that is not there is no
// fault. It fails with Invalid or NotFound.
func (e *Engine) UntagResource(ctx context.Context, arn string, keys []string) error {
	return e.changeTags(ctx, arn, func(had []muster.Tag) ([]muster.Tag, error) { return muster.Untag(had, keys), nil })
}

func (e *Engine) changeTags(ctx context.Context, arn string, change func([]muster.Tag) ([]muster.Tag, error)) error {
	kind, name, err := e.o.Account.ParseARN(arn)
	if err != nil {
		return err
	}
	return e.do(ctx, func(b *batch) error {
		had, err := tagsOf(b, kind, name, arn)
		if err != nil {
			return err
		}
		all, err := change(had)
		if err != nil {
			return err
		}
		b.putTags(kind, name, all)
		return nil
	})
}

// ListTagsForResource returns the tags of a resource by key. There are never
// enough for a second page, so every token is Invalid. It fails with NotFound.
func (e *Engine) ListTagsForResource(ctx context.Context, arn, token string) ([]muster.Tag, error) {
	kind, name, err := e.o.Account.ParseARN(arn)
	if err != nil {
		return nil, err
	}
	if token != "" {
		return nil, errToken
	}
	var all []muster.Tag
	err = e.view(ctx, func(r store.Reader) (err error) {
		all, err = tagsOf(r, kind, name, arn)
		return err
	})
	return all, err
}

// tagsOf returns the tags of a resource, which must exist and be of a kind that
// can have some.
func tagsOf(r store.Reader, kind, name, arn string) ([]muster.Tag, error) {
	exists := false
	var err error
	switch kind {
	case kindGroup:
		exists, err = groups.Has(r, name)
	case kindType:
		exists, err = thingTypes.Has(r, name)
	case kindJob:
		exists, err = jobs.Has(r, name)
	case kindTemplate:
		exists, err = jobTemplates.Has(r, name)
	case kindPolicy:
		exists, err = policies.Has(r, name)
	case kindCA:
		exists, err = authorities.Has(r, name)
	case kindPackage:
		if release := muster.ReleaseOf(name); release.Version != "" {
			exists, err = packageVersions.Has(r, releaseKey(release))
		} else {
			exists, err = packages.Has(r, name)
		}
	case "thing", "cert":
		return nil, muster.Errorf(muster.Invalid, "A resource such as %s cannot have tags", arn)
	}
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, muster.Errorf(muster.NotFound, "The resource %s does not exist", arn)
	}
	all, err := tags.Get(r, store.JoinKey(kind, name))
	if err != nil || all == nil {
		return nil, err
	}
	return *all, nil
}

// putTags replaces all tags of a resource; none removes the record.
func (b *batch) putTags(kind, name string, all []muster.Tag) {
	key := store.JoinKey(kind, name)
	if len(all) == 0 {
		tags.Delete(b, key)
		return
	}
	tags.Put(b, key, all)
}
