package rights

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
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

// key is the key of the target in the tables. It is also the last part of its ARN.
func (t PolicyTarget) key() string {
	if t.Group != "" {
		return groupTarget(t.Group)
	}
	return certificateTarget(t.Certificate)
}

func certificateTarget(id muster.CertificateID) string { return "cert/" + string(id) }
func groupTarget(name muster.GroupName) string         { return "thinggroup/" + string(name) }

// AttachPolicy attaches a policy to a target; if it is attached already, that is no
// error. It fails with NotFound, Invalid for a dynamic group, or LimitExceeded.
func (s *Rights) AttachPolicy(ctx context.Context, name string, t PolicyTarget) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		if _, err := policy(tx, name); err != nil {
			return err
		}
		if err := s.targetExists(tx, t); err != nil {
			return err
		}
		had, err := policiesOf(tx, t.key())
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
		tables.policyTargets.Put(tx, store.JoinKey(name, t.key()), store.Link{})
		tables.policiesOfTarget.Put(tx, store.JoinKey(t.key(), name), store.Link{})
		s.recheckTarget(tx, t)
		return nil
	}, wantPolicy(name), func(w *commit.Wants) {
		s.wantTarget(w, t)
		w.Under(tables.policiesOfTarget.Table, t.key())
	})
}

// DetachPolicy detaches a policy from a target. A policy that is not attached, or does
// not exist, is no error. It fails with NotFound if the target does not exist, or with
// Invalid for a dynamic group.
func (s *Rights) DetachPolicy(ctx context.Context, name string, t PolicyTarget) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		if err := s.targetExists(tx, t); err != nil {
			return err
		}
		detachPolicy(tx, name, t.key())
		s.recheckTarget(tx, t)
		return nil
	}, func(w *commit.Wants) { s.wantTarget(w, t) })
}

func detachPolicy(tx *commit.Tx, name, target string) {
	tables.policyTargets.Delete(tx, store.JoinKey(name, target))
	tables.policiesOfTarget.Delete(tx, store.JoinKey(target, name))
}

// GroupDeleted detaches all policies from a group that the running command deletes. The
// things of the group also lose the policies of the groups above it, so their rights are
// checked again too.
func (s *Rights) GroupDeleted(tx *commit.Tx, g muster.Group) error {
	names, err := policiesOf(tx, groupTarget(g.Name))
	if err != nil {
		return err
	}
	for _, name := range names {
		detachPolicy(tx, name, groupTarget(g.Name))
	}
	above, err := policiesOfAll(tx, lineageTargets(g))
	if len(names)+len(above) > 0 {
		s.recheckAll(tx)
	}
	return err
}

// lineageTargets returns the keys of a group and of all above it.
func lineageTargets(g muster.Group) []string {
	var keys []string
	for _, name := range g.Lineage() {
		keys = append(keys, groupTarget(name))
	}
	return keys
}

func (s *Rights) recheckTarget(tx *commit.Tx, t PolicyTarget) {
	if t.Group != "" {
		s.recheckAll(tx)
		return
	}
	s.recheckCertificate(tx, t.Certificate)
}

// AttachedPolicies lists the policies of a target by their creation, newest first unless
// ascending. If recursive, the policies of the groups above a group are included. It fails
// with NotFound or Invalid.
func (s *Rights) AttachedPolicies(ctx context.Context, t PolicyTarget, recursive bool, p listing.Page, ascending bool) (PolicyList, error) {
	var list PolicyList
	l, err := s.pages.Begin(p, "attached policies", t, recursive, ascending)
	if err != nil {
		return list, err
	}
	err = s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) {
			s.wantTarget(w, t)
			s.wantEffective(w, t, "")
		})
		if err := s.targetExists(r, t); err != nil {
			return err
		}
		keys := []string{t.key()}
		if recursive && t.Group != "" {
			g, err := s.registry.Group(r, t.Group)
			if err != nil {
				return err
			}
			keys = lineageTargets(g)
		}
		found, err := s.policiesFor(r, keys)
		if err != nil {
			return err
		}
		list.Policies, list.Next, err = listing.Fill(l, byDate(found, l.After, ascending), func(row store.Row[muster.Policy]) (muster.Policy, bool, error) {
			return row.Value, true, nil
		})
		return err
	})
	return list, err
}

// byDate returns the policies as rows of a list by creation, those after the key after.
func byDate(all []muster.Policy, after string, ascending bool) iter.Seq2[store.Row[muster.Policy], error] {
	var rows []store.Row[muster.Policy]
	for _, p := range all {
		if key := listing.DatedKey(ascending, p.CreatedAt, p.Name, nil); key > after {
			rows = append(rows, store.Row[muster.Policy]{Key: key, Value: p})
		}
	}
	slices.SortFunc(rows, func(a, b store.Row[muster.Policy]) int { return strings.Compare(a.Key, b.Key) })
	return func(yield func(store.Row[muster.Policy], error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// TargetList is a page of policy targets.
type TargetList struct {
	ARNs []string
	Next string // marker of the next page; empty on the last
}

// TargetsOfPolicy lists the ARNs of the targets of a policy, sorted; only certificates if
// that is set. It fails with NotFound or Invalid.
func (s *Rights) TargetsOfPolicy(ctx context.Context, name string, certificates bool, p listing.Page) (TargetList, error) {
	var list TargetList
	l, err := s.pages.Begin(p, "targets of policy", name, certificates)
	if err != nil {
		return list, err
	}
	err = s.commits.View(ctx, func(r store.Reader) error {
		from, to := store.Under(name)
		commit.PrefetchView(r, func(w *commit.Wants) {
			wantPolicy(name)(w)
			w.Range(tables.policyTargets.Table, l.From(from), to)
		})
		if _, err := policy(r, name); err != nil {
			return err
		}
		list.ARNs, list.Next, err = listing.Fill(l, tables.policyTargets.Scan(r, l.From(from), to), func(row store.Row[store.Link]) (string, bool, error) {
			target := store.SplitKey(row.Key)[1]
			wanted := !certificates || strings.HasPrefix(target, certificateTarget(""))
			return s.account.Named(target), wanted, nil
		})
		return err
	})
	return list, err
}

// EffectivePolicies returns the policies in force for a target (AUTH-61): its own and,
// for a group, those of the groups above it; and, unless thing is empty, those of all
// groups that the thing is in and of the groups above these. Each policy comes once, by
// name. The zero target has none of its own. It fails with NotFound or Invalid.
func (s *Rights) EffectivePolicies(ctx context.Context, t PolicyTarget, thing muster.ThingName) ([]muster.Policy, error) {
	var found []muster.Policy
	err := s.commits.View(ctx, func(r store.Reader) (err error) {
		commit.PrefetchView(r, func(w *commit.Wants) {
			s.wantTarget(w, t)
			if thing != "" {
				s.registry.WantThing(w, thing)
			}
			s.wantEffective(w, t, thing)
		})
		if t != (PolicyTarget{}) {
			if err := s.targetExists(r, t); err != nil {
				return err
			}
		}
		if thing != "" {
			if err := s.registry.RequireThing(r, thing); err != nil {
				return err
			}
		}
		found, err = s.effectivePolicies(r, t, thing)
		return err
	})
	return found, err
}

// effectivePolicies is EffectivePolicies without the checks that target and thing exist.
func (s *Rights) effectivePolicies(r store.Reader, t PolicyTarget, thing muster.ThingName) ([]muster.Policy, error) {
	keys := []string{t.key()}
	if t.Group != "" {
		g, err := s.registry.Group(r, t.Group)
		if err != nil {
			return nil, err
		}
		keys = lineageTargets(g)
	}
	if thing != "" {
		in, err := s.registry.GroupsOf(r, thing)
		if err != nil {
			return nil, err
		}
		for _, g := range in {
			keys = append(keys, lineageTargets(g)...)
		}
	}
	return s.policiesFor(r, keys)
}

// policiesFor returns the policies of several targets, by name, each one once.
func (s *Rights) policiesFor(r store.Reader, keys []string) ([]muster.Policy, error) {
	names, err := policiesOfAll(r, keys)
	if err != nil {
		return nil, err
	}
	var found []muster.Policy
	for _, name := range names {
		p, err := s.decoded.policy(r, name)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

// policiesOfAll returns the names of the policies of several targets, sorted, each one
// once.
func policiesOfAll(r store.Reader, keys []string) ([]string, error) {
	var all []string
	for _, key := range keys {
		names, err := policiesOf(r, key)
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
	for row, err := range tables.policiesOfTarget.Scan(r, from, to) {
		if err != nil {
			return nil, err
		}
		names = append(names, store.SplitKey(row.Key)[1])
	}
	return names, nil
}

// Credential is a certificate that is attached to a thing, with the names of the policies in force for a device that has it.
type Credential struct {
	muster.Certificate
	Policies []string
}

// CredentialsOf returns the certificates attached to a thing that is in some groups, by id, at most limit.
func CredentialsOf(r store.Reader, thing muster.ThingName, in []muster.Group, limit int) ([]Credential, error) {
	var all []Credential
	from, to := store.Under(string(thing))
	for row, err := range tables.principalsOfThing.Scan(r, from, to) {
		if err != nil || len(all) == limit {
			return all, err
		}
		id := muster.CertificateID(store.SplitKey(row.Key)[1])
		c, err := tables.certificates.Get(r, string(id))
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		keys := []string{certificateTarget(id)}
		for _, g := range in {
			keys = append(keys, lineageTargets(g)...)
		}
		names, err := policiesOfAll(r, keys)
		if err != nil {
			return nil, err
		}
		all = append(all, Credential{*c, names})
	}
	return all, nil
}

func (s *Rights) targetExists(r store.Reader, t PolicyTarget) error {
	if t.Group == "" {
		_, err := certificate(r, t.Certificate)
		return err
	}
	g, err := s.registry.Group(r, t.Group)
	if err != nil {
		return err
	}
	return g.OnlyStatic("it cannot have policies")
}
