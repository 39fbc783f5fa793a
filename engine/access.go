package engine

import "github.com/muster-iot/muster"

// AccessChange says whose rights may be different after a commit. Whoever
// caches decisions forgets those; All means everybody's.
type AccessChange struct {
	All          bool
	Certificates []muster.CertificateID
	Things       []muster.ThingName
}

func (c AccessChange) any() bool { return c.All || len(c.Certificates)+len(c.Things) > 0 }

// recheckAll, recheckCertificate and recheckThing note, in a command, whose
// rights it may have changed.
func (b *batch) recheckAll() { b.access.All = true }

func (b *batch) recheckCertificate(id muster.CertificateID) {
	b.access.Certificates = append(b.access.Certificates, id)
}

func (b *batch) recheckThing(name muster.ThingName) {
	b.access.Things = append(b.access.Things, name)
}
