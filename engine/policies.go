package engine

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// CreatePolicy makes a policy with its first version. The caller has checked
// that document is a policy. A name that is taken fails with AlreadyExists,
// even if the document is the same.
func (e *Engine) CreatePolicy(ctx context.Context, name, document string, given []muster.Tag) (muster.Policy, error) {
	given, err := muster.Retag(nil, given)
	if err != nil {
		return muster.Policy{}, err
	}
	return do(ctx, e, func(b *batch) (p muster.Policy, err error) {
		if old, err := policies.Has(b, name); err != nil {
			return p, err
		} else if old {
			err := muster.Errorf(muster.AlreadyExists, "Policy cannot be created - name already exists (name=%s)", name)
			err.ResourceID, err.ResourceARN = name, e.o.Account.ARN("policy", name)
			return p, err
		}
		p = muster.NewPolicy(name, document, b.Now)
		p.GenerationID = e.o.NewID()
		policies.Put(b, name, p)
		b.dated(policiesByDate, p.CreatedAt, name)
		b.putTags(kindPolicy, name, given)
		return p, nil
	})
}

// Policy returns a policy.
func (e *Engine) Policy(ctx context.Context, name string) (muster.Policy, error) {
	var p muster.Policy
	err := e.view(ctx, func(r store.Reader) (err error) {
		p, err = policy(r, name)
		return err
	})
	return p, err
}

// DeletePolicy removes a policy that has one version and no target.
func (e *Engine) DeletePolicy(ctx context.Context, name string) error {
	return e.do(ctx, func(b *batch) error {
		p, err := policy(b, name)
		if err != nil {
			return err
		}
		if attached, err := anyUnder(b, policyTargets, name); err != nil {
			return err
		} else if attached {
			return muster.Errorf(muster.DeleteConflict, "The policy cannot be deleted as the policy is attached to one or more principals (name=%s)", name)
		}
		if len(p.Versions) > 1 {
			return muster.Errorf(muster.DeleteConflict, "Cannot delete the policy because it has one or more policy versions attached to it (name=%s)", name)
		}
		policies.Delete(b, name)
		b.undated(policiesByDate, p.CreatedAt, name)
		b.putTags(kindPolicy, name, nil)
		return nil
	})
}

// PolicyList is a page of policies.
type PolicyList struct {
	Policies []muster.Policy
	Next     string // marker of the next page; empty on the last
}

// Policies lists all policies by creation, newest first unless ascending.
func (e *Engine) Policies(ctx context.Context, p Page, ascending bool) (list PolicyList, err error) {
	d := datedList[muster.Policy]{table: policiesByDate, read: policy}
	list.Policies, list.Next, err = d.page(ctx, e, p, ascending)
	return list, err
}

// CreatePolicyVersion adds a version, and puts it in force if asked to.
func (e *Engine) CreatePolicyVersion(ctx context.Context, name, document string, asDefault bool) (muster.PolicyVersion, error) {
	return changePolicy(ctx, e, name, func(p muster.Policy, now muster.Instant) (muster.Policy, muster.PolicyVersion, error) {
		return p.WithVersion(document, asDefault, now)
	})
}

// DeletePolicyVersion removes a version that is not in force.
func (e *Engine) DeletePolicyVersion(ctx context.Context, name, version string) error {
	_, err := changePolicy(ctx, e, name, func(p muster.Policy, now muster.Instant) (muster.Policy, struct{}, error) {
		p, err := p.WithoutVersion(version, now)
		return p, struct{}{}, err
	})
	return err
}

// SetDefaultPolicyVersion puts a version in force.
func (e *Engine) SetDefaultPolicyVersion(ctx context.Context, name, version string) error {
	_, err := changePolicy(ctx, e, name, func(p muster.Policy, now muster.Instant) (muster.Policy, struct{}, error) {
		p, err := p.WithDefault(version, now)
		return p, struct{}{}, err
	})
	return err
}

// changePolicy replaces a policy by what fn makes of it, and returns what else
// fn makes.
func changePolicy[T any](ctx context.Context, e *Engine, name string, fn func(muster.Policy, muster.Instant) (muster.Policy, T, error)) (T, error) {
	return do(ctx, e, func(b *batch) (v T, err error) {
		old, err := policy(b, name)
		if err != nil {
			return v, err
		}
		p, v, err := fn(old, b.Now)
		if err != nil {
			return v, err
		}
		policies.Put(b, name, p)
		if p.Default != old.Default {
			b.recheckAll()
		}
		return v, nil
	})
}

func policy(r store.Reader, name string) (muster.Policy, error) {
	p, err := policies.Get(r, name)
	if err != nil {
		return muster.Policy{}, err
	}
	if p == nil {
		return muster.Policy{}, muster.Errorf(muster.NotFound, "Policy %s does not exist", name)
	}
	return *p, nil
}
