package rights

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// CreatePolicy makes a policy with its first version. The caller has checked the document.
// It fails with AlreadyExists, even if the document is the same, and with Invalid or
// LimitExceeded for the tags.
func (s *Rights) CreatePolicy(ctx context.Context, name, document string, given []muster.Tag) (muster.Policy, error) {
	given, err := muster.Retag(nil, given)
	if err != nil {
		return muster.Policy{}, err
	}
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (p muster.Policy, err error) {
		if old, err := tables.policies.Has(tx, name); err != nil {
			return p, err
		} else if old {
			return p, muster.Existsf(name, s.account.ARN("policy", name), "Policy cannot be created - name already exists (name=%s)", name)
		}
		p = muster.NewPolicy(name, document, tx.Now)
		p.GenerationID = s.newID()
		tables.policies.Put(tx, name, p)
		listing.PutDated(tx, tables.policiesByDate, p.CreatedAt, name)
		tags.Put(tx, KindPolicy, name, given)
		return p, nil
	})
}

// Policy returns a policy, or fails with NotFound.
func (s *Rights) Policy(ctx context.Context, name string) (muster.Policy, error) {
	var p muster.Policy
	err := s.commits.View(ctx, func(r store.Reader) (err error) {
		p, err = policy(r, name)
		return err
	})
	return p, err
}

// DeletePolicy removes a policy. It fails with NotFound, or with DeleteConflict if the
// policy is attached or has more than one version.
func (s *Rights) DeletePolicy(ctx context.Context, name string) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		p, err := policy(tx, name)
		if err != nil {
			return err
		}
		if attached, err := tables.policyTargets.AnyUnder(tx, name); err != nil {
			return err
		} else if attached {
			return muster.Errorf(muster.DeleteConflict, "The policy cannot be deleted as the policy is attached to one or more principals (name=%s)", name)
		}
		if len(p.Versions) > 1 {
			return muster.Errorf(muster.DeleteConflict, "Cannot delete the policy because it has one or more policy versions attached to it (name=%s)", name)
		}
		tables.policies.Delete(tx, name)
		listing.DeleteDated(tx, tables.policiesByDate, p.CreatedAt, name)
		tags.Put(tx, KindPolicy, name, nil)
		return nil
	}, wantPolicy(name), func(w *commit.Wants) { w.Under(tables.policyTargets.Table, name) })
}

// PolicyList is a page of policies.
type PolicyList struct {
	Policies []muster.Policy
	Next     string // marker of the next page; empty on the last
}

// Policies lists all policies by creation, newest first unless ascending. It fails with
// Invalid.
func (s *Rights) Policies(ctx context.Context, p listing.Page, ascending bool) (list PolicyList, err error) {
	d := listing.Dated[muster.Policy]{Table: tables.policiesByDate, Of: tables.policies.Table, Read: policy}
	list.Policies, list.Next, err = d.Page(ctx, s.commits, s.pages, p, ascending)
	return list, err
}

// CreatePolicyVersion adds a version, and makes it the default, which is the one in force,
// if asDefault is set. It fails with NotFound, or as muster.Policy.WithVersion.
func (s *Rights) CreatePolicyVersion(ctx context.Context, name, document string, asDefault bool) (muster.PolicyVersion, error) {
	return changePolicy(ctx, s, name, func(p muster.Policy, now muster.Instant) (muster.Policy, muster.PolicyVersion, error) {
		return p.WithVersion(document, asDefault, now)
	})
}

// DeletePolicyVersion removes a version that is not the default. It fails with NotFound,
// or as muster.Policy.WithoutVersion.
func (s *Rights) DeletePolicyVersion(ctx context.Context, name, version string) error {
	_, err := changePolicy(ctx, s, name, func(p muster.Policy, now muster.Instant) (muster.Policy, struct{}, error) {
		p, err := p.WithoutVersion(version, now)
		return p, struct{}{}, err
	})
	return err
}

// SetDefaultPolicyVersion makes a version the default, which is the one in force. It fails
// with NotFound, or as muster.Policy.WithDefault.
func (s *Rights) SetDefaultPolicyVersion(ctx context.Context, name, version string) error {
	_, err := changePolicy(ctx, s, name, func(p muster.Policy, now muster.Instant) (muster.Policy, struct{}, error) {
		p, err := p.WithDefault(version, now)
		return p, struct{}{}, err
	})
	return err
}

// changePolicy replaces a policy by the first result of fn, and returns the second. If the
// default version changes, the rights of all devices are checked again.
func changePolicy[T any](ctx context.Context, s *Rights, name string, fn func(muster.Policy, muster.Instant) (muster.Policy, T, error)) (T, error) {
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (v T, err error) {
		old, err := policy(tx, name)
		if err != nil {
			return v, err
		}
		p, v, err := fn(old, tx.Now)
		if err != nil {
			return v, err
		}
		tables.policies.Put(tx, name, p)
		if p.Default != old.Default {
			s.recheckAll(tx)
		}
		return v, nil
	})
}

func policy(r store.Reader, name string) (muster.Policy, error) {
	return tables.policies.Require(r, name, func() error {
		return muster.Errorf(muster.NotFound, "Policy %s does not exist", name)
	})
}
