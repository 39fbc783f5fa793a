package rights

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/integrity"
	"github.com/muster-iot/muster/store"
)

// Verify checks certificates, CAs and policies against the tables that list them, and
// attachments against what they attach. things and groups are the tables of those.
func Verify(c *integrity.Check, things, groups store.Table) {
	integrity.Each(c, tables.certificates, func(key string, cert muster.Certificate) {
		c.Keyed(tables.certificates.Table, key, string(cert.ID))
		c.Dated(tables.certificatesByDate.Table, cert.CreatedAt, key, "certificate "+key)
		if cert.CA != "" {
			c.Dated(tables.certificatesOfCA.Table, cert.CreatedAt, key, "certificate "+key, string(cert.CA))
		}
	})
	integrity.Each(c, tables.cas, func(key string, ca muster.CA) {
		c.Keyed(tables.cas.Table, key, string(ca.ID))
		c.Dated(tables.casByDate.Table, ca.CreatedAt, key, "CA "+key)
		c.Derived(integrity.IndexesAgree, tables.casBySubject.Table, store.JoinKey(ca.Subject, key), "CA "+key)
	})
	integrity.Each(c, tables.policies, func(key string, p muster.Policy) {
		c.Keyed(tables.policies.Table, key, p.Name)
		c.Dated(tables.policiesByDate.Table, p.CreatedAt, key, "policy "+key)
	})
	c.EachKey(tables.policyTargets.Table, func(key string) {
		policy, target := c.Pair(tables.policyTargets.Table, key)
		c.Owned(tables.policyTargets.Table, key, tables.policies.Table, policy)
		if kind, name, _ := strings.Cut(target, "/"); kind == "cert" {
			c.Owned(tables.policyTargets.Table, key, tables.certificates.Table, name)
		} else {
			c.Owned(tables.policyTargets.Table, key, groups, name)
		}
		c.Derived(integrity.IndexesAgree, tables.policiesOfTarget.Table, store.JoinKey(target, policy), "policy "+policy)
	})
	c.EachKey(tables.principalsOfThing.Table, func(key string) {
		thing, principal := c.Pair(tables.principalsOfThing.Table, key)
		c.Owned(tables.principalsOfThing.Table, key, things, thing)
		c.Derived(integrity.IndexesAgree, tables.thingsOfPrincipal.Table, store.JoinKey(principal, thing), "thing "+thing)
	})
	// As these are the same pairs, the certificates are looked up in their order.
	c.EachKey(tables.thingsOfPrincipal.Table, func(key string) {
		principal, _ := c.Pair(tables.thingsOfPrincipal.Table, key)
		c.Owned(tables.thingsOfPrincipal.Table, key, tables.certificates.Table, principal)
	})
	c.Surplus(integrity.IndexesAgree, tables.certificatesByDate.Table, tables.certificatesOfCA.Table, tables.casByDate.Table, tables.casBySubject.Table,
		tables.policiesByDate.Table, tables.policiesOfTarget.Table, tables.thingsOfPrincipal.Table)
}
