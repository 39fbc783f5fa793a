package rights

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tables hold certificates, CAs and policies, and what is attached to what, each with the
// parts of its key. The names of tables are stored and must not change.
var tables = struct {
	certificates       store.Of[muster.Certificate] // certificate id
	certificatesByDate store.Of[store.Link]         // listing.DatedKey
	certificatesOfCA   store.Of[store.Link]         // listing.DatedKey, of the CA

	cas          store.Of[muster.CA]  // CA id
	casByDate    store.Of[store.Link] // listing.DatedKey
	casBySubject store.Of[store.Link] // subject, CA id

	policies         store.Of[muster.Policy] // policy name
	policiesByDate   store.Of[store.Link]    // listing.DatedKey
	policyTargets    store.Of[store.Link]    // policy, target
	policiesOfTarget store.Of[store.Link]    // target, policy

	changes store.Of[Change] // moment, a text that makes it the only one

	principalsOfThing store.Of[muster.Attachment] // thing, certificate id
	thingsOfPrincipal store.Of[muster.Attachment] // certificate id, thing
}{
	certificates:       store.Of[muster.Certificate]{Table: "certificate"},
	certificatesByDate: store.Of[store.Link]{Table: "certificatedate"},
	certificatesOfCA:   store.Of[store.Link]{Table: "certificateca"},

	cas:          store.Of[muster.CA]{Table: "ca"},
	casByDate:    store.Of[store.Link]{Table: "cadate"},
	casBySubject: store.Of[store.Link]{Table: "casubject"},

	policies:         store.Of[muster.Policy]{Table: "policy"},
	policiesByDate:   store.Of[store.Link]{Table: "policydate"},
	policyTargets:    store.Of[store.Link]{Table: "policytarget"},
	policiesOfTarget: store.Of[store.Link]{Table: "targetpolicy"},

	changes: store.Of[Change]{Table: "rightschange"},

	principalsOfThing: store.Of[muster.Attachment]{Table: "principal"},
	thingsOfPrincipal: store.Of[muster.Attachment]{Table: "principalof"},
}

// Tables are the tables of this package.
func Tables() []store.Checker {
	return []store.Checker{
		tables.certificates, tables.certificatesByDate, tables.certificatesOfCA, tables.cas, tables.casByDate, tables.casBySubject,
		tables.policies, tables.policiesByDate, tables.policyTargets, tables.policiesOfTarget, tables.changes,
		tables.principalsOfThing, tables.thingsOfPrincipal,
	}
}
