package engine

import (
	"context"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// The policies that one certificate or one group may carry (registry.md section
// 8).
const (
	certificatePoliciesMax = 10
	groupPoliciesMax       = 2
)

// PolicyTarget is what a policy can be attached to: a certificate, or a static
// thing group. One of the two is set.
type PolicyTarget struct {
	Certificate muster.CertificateID
	Group       muster.GroupName
}

// key names the target in the tables, and is the suffix of its ARN.
func (t PolicyTarget) key() string {
	if t.Group != "" {
		return groupTarget(t.Group)
	}
	return certificateTarget(t.Certificate)
}

func certificateTarget(id muster.CertificateID) string { return "cert/" + string(id) }
func groupTarget(name muster.GroupName) string         { return "thinggroup/" + string(name) }

// AttachPolicy gives a target the rights of a policy; again succeeds.
func (e *Engine) AttachPolicy(ctx context.Context, name string, t PolicyTarget) error {
	return e.do(ctx, func(b *batch) error {
		if _, err := policy(b, name); err != nil {
			return err
		}
		if err := targetExists(b, t); err != nil {
			return err
		}
		had, err := policiesOf(b, t.key())
		if err != nil || slices.Contains(had, name) {
			return err
		}
		limit := certificatePoliciesMax
		if t.Group != "" {
			limit = groupPoliciesMax
		}
		if len(had) >= limit {
			return muster.Errorf(muster.LimitExceeded, "The target has %d policies already", len(had))
		}
		policyTargets.Put(b, store.JoinKey(name, t.key()), link{})
		policiesOfTarget.Put(b, store.JoinKey(t.key(), name), link{})
		b.recheckTarget(t)
		return nil
	})
}

// DetachPolicy takes the rights away; one that is not attached is fine.
func (e *Engine) DetachPolicy(ctx context.Context, name string, t PolicyTarget) error {
	return e.do(ctx, func(b *batch) error {
		if _, err := policy(b, name); err != nil {
			return err
		}
		b.detachPolicy(name, t.key())
		b.recheckTarget(t)
		return nil
	})
}

func (b *batch) detachPolicy(name, target string) {
	policyTargets.Delete(b, store.JoinKey(name, target))
	policiesOfTarget.Delete(b, store.JoinKey(target, name))
}

// dropPolicies detaches everything from a group that is being deleted.
func (b *batch) dropPolicies(group muster.GroupName) error {
	names, err := policiesOf(b, groupTarget(group))
	for _, name := range names {
		b.detachPolicy(name, groupTarget(group))
	}
	if len(names) > 0 {
		b.recheckAll()
	}
	return err
}

func (b *batch) recheckTarget(t PolicyTarget) {
	if t.Group != "" {
		b.recheckAll()
		return
	}
	b.recheckCertificate(t.Certificate)
}

// AttachedPolicies lists the policies of a target by name; recursive adds those
// of the groups above it.
func (e *Engine) AttachedPolicies(ctx context.Context, t PolicyTarget, recursive bool, page Page) (PolicyList, error) {
	var list PolicyList
	l, err := e.listing(page, "attached policies", t, recursive)
	if err != nil {
		return list, err
	}
	err = e.view(ctx, func(r store.Reader) error {
		if err := targetExists(r, t); err != nil {
			return err
		}
		over := []string{t.key()}
		if recursive && t.Group != "" {
			g, err := groups.Get(r, string(t.Group))
			if err != nil {
				return err
			}
			over = nil
			for _, up := range g.Lineage() {
				over = append(over, groupTarget(up))
			}
		}
		names, err := policiesOfAll(r, over)
		if err != nil {
			return err
		}
		for _, n := range names {
			if n <= l.after {
				continue
			}
			if len(list.Policies) == l.limit {
				list.Next = e.pages.seal(l.name, list.Policies[l.limit-1].Name)
				return nil
			}
			p, err := policy(r, n)
			if err != nil {
				return err
			}
			list.Policies = append(list.Policies, p)
		}
		return nil
	})
	return list, err
}

// TargetList is a page of policy targets.
type TargetList struct {
	ARNs []string
	Next string // marker of the next page; empty on the last
}

// TargetsOfPolicy lists what a policy is attached to.
func (e *Engine) TargetsOfPolicy(ctx context.Context, name string, p Page) (TargetList, error) {
	var list TargetList
	l, err := e.listing(p, "targets of policy", name)
	if err != nil {
		return list, err
	}
	err = e.view(ctx, func(r store.Reader) error {
		if _, err := policy(r, name); err != nil {
			return err
		}
		from, to := store.Under(name)
		list.ARNs, list.Next, err = fill(l, policyTargets.Scan(r, l.from(from), to), func(row store.Row[link]) (string, bool, error) {
			return e.o.Account.Named(store.SplitKey(row.Key)[1]), true, nil
		})
		return err
	})
	return list, err
}

// EffectivePolicies returns the policies in force for a certificate that acts
// as a thing, or as none when thing is empty: its own, and those of every group
// over the thing (AUTH-61), each once, by name.
func (e *Engine) EffectivePolicies(ctx context.Context, id muster.CertificateID, thing muster.ThingName) ([]muster.Policy, error) {
	var found []muster.Policy
	err := e.view(ctx, func(r store.Reader) (err error) {
		found, err = effectivePolicies(r, id, thing)
		return err
	})
	return found, err
}

func effectivePolicies(r store.Reader, id muster.CertificateID, thing muster.ThingName) ([]muster.Policy, error) {
	var over []string
	if id != "" {
		over = append(over, certificateTarget(id))
	}
	if thing != "" {
		groups, err := groupsOver(r, thing)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			over = append(over, groupTarget(g))
		}
	}
	names, err := policiesOfAll(r, over)
	if err != nil {
		return nil, err
	}
	var found []muster.Policy
	for _, name := range names {
		p, err := policy(r, name)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

// policiesOfAll returns the names of the policies of several targets, sorted,
// each once.
func policiesOfAll(r store.Reader, targets []string) ([]string, error) {
	var all []string
	for _, t := range targets {
		names, err := policiesOf(r, t)
		if err != nil {
			return nil, err
		}
		all = append(all, names...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func policiesOf(r store.Reader, target string) ([]string, error) {
	var names []string
	from, to := store.Under(target)
	for row, err := range policiesOfTarget.Scan(r, from, to) {
		if err != nil {
			return nil, err
		}
		names = append(names, store.SplitKey(row.Key)[1])
	}
	return names, nil
}

func targetExists(r store.Reader, t PolicyTarget) error {
	if t.Group == "" {
		_, err := certificate(r, t.Certificate)
		return err
	}
	ok, err := groups.Has(r, string(t.Group))
	if err == nil && !ok {
		err = muster.Errorf(muster.NotFound, "Thing group %s does not exist", t.Group)
	}
	return err
}
