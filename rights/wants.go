package rights

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// This file names what operations will read (commit.Wants), so that a store which is reached
// over a network is asked for it at once.

// WantAttached names what Attached reads.
func (s *Rights) WantAttached(w *commit.Wants, thing muster.ThingName) {
	w.Under(tables.principalsOfThing.Table, string(thing))
}

// WantGroupDeleted names what GroupDeleted reads.
func (s *Rights) WantGroupDeleted(w *commit.Wants, g muster.Group) {
	for _, target := range lineageTargets(g) {
		w.Under(tables.policiesOfTarget.Table, target)
	}
}

func wantCertificate(id muster.CertificateID) func(*commit.Wants) {
	return func(w *commit.Wants) { w.Record(tables.certificates.Table, string(id)) }
}

func wantPolicy(name string) func(*commit.Wants) {
	return func(w *commit.Wants) { w.Record(tables.policies.Table, name) }
}

// wantTarget names what targetExists reads.
func (s *Rights) wantTarget(w *commit.Wants, t PolicyTarget) {
	if t.Group != "" {
		s.registry.WantGroup(w, t.Group)
		return
	}
	wantCertificate(t.Certificate)(w)
}

// wantAttachment names what attaching a certificate to a thing, or detaching it, reads.
func (s *Rights) wantAttachment(thing muster.ThingName, id muster.CertificateID) func(*commit.Wants) {
	return func(w *commit.Wants) {
		s.registry.WantThing(w, thing)
		wantCertificate(id)(w)
	}
}

// wantPolicies names what policiesFor reads.
func wantPolicies(w *commit.Wants, keys ...string) {
	for _, key := range keys {
		w.Under(tables.policiesOfTarget.Table, key)
	}
	w.Then(func(r store.Reader, w *commit.Wants) error {
		names, err := policiesOfAll(r, keys)
		for _, name := range names {
			wantPolicy(name)(w)
		}
		return err
	})
}

// wantEffective names what effectivePolicies reads.
func (s *Rights) wantEffective(w *commit.Wants, t PolicyTarget, thing muster.ThingName) {
	if t.Group != "" {
		s.wantPoliciesAbove(w, t.Group)
	} else {
		wantPolicies(w, t.key())
	}
	if thing != "" {
		s.registry.WantGroupsOf(w, thing, s.wantPoliciesAbove)
	}
}

// wantPoliciesAbove names the policies of a group and, once they are known, of the groups
// above it.
func (s *Rights) wantPoliciesAbove(w *commit.Wants, name muster.GroupName) {
	s.registry.WantGroup(w, name)
	wantPolicies(w, groupTarget(name))
	w.Then(func(r store.Reader, w *commit.Wants) error {
		g, err := s.registry.Group(r, name)
		if err == nil {
			wantPolicies(w, lineageTargets(g)...)
		}
		return err
	})
}

// wantGrounds names what Grounds reads: at once, if the thing of the connection has the name of
// the client, as nearly every one has.
func (s *Rights) wantGrounds(w *commit.Wants, id muster.CertificateID, clientID string) {
	wantCertificate(id)(w)
	if !muster.ValidThingName(clientID) {
		s.wantExclusive(w, id)
		return
	}
	key := store.JoinKey(string(id), clientID)
	w.Record(tables.thingsOfPrincipal.Table, key)
	s.wantGroundsOf(w, id, muster.ThingName(clientID))
	w.Then(func(r store.Reader, w *commit.Wants) error {
		attached, err := tables.thingsOfPrincipal.Has(r, key)
		if err == nil && !attached {
			s.wantExclusive(w, id)
		}
		return err
	})
}

// wantExclusive names what Grounds reads if the thing of the connection has another name.
func (s *Rights) wantExclusive(w *commit.Wants, id muster.CertificateID) {
	wantPolicies(w, certificateTarget(id))
	w.Under(tables.thingsOfPrincipal.Table, string(id))
	w.Then(func(r store.Reader, w *commit.Wants) error {
		thing, _, _, err := connectionThing(r, id, "")
		if thing != "" {
			s.wantGroundsOf(w, id, thing)
		}
		return err
	})
}

// wantGroundsOf names what Grounds reads once the thing of the connection is known.
func (s *Rights) wantGroundsOf(w *commit.Wants, id muster.CertificateID, thing muster.ThingName) {
	s.registry.WantThing(w, thing)
	s.wantEffective(w, PolicyTarget{Certificate: id}, thing)
}
