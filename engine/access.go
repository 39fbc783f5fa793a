package engine

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
)

// AccessChange says whose rights may be different after a commit. Whoever
// caches decisions forgets those; All means everybody's.
type AccessChange struct {
	All          bool
	Certificates []muster.CertificateID
	Things       []muster.ThingName
}

// access returns what the running command has changed of rights, to be added to.
func (b *batch) access() *AccessChange {
	c := commit.OfCommand[AccessChange](b.Tx, accessKey)
	if !c.All && len(c.Certificates)+len(c.Things) == 0 {
		b.Ahead(func() { b.e.o.Access(*c) }) // before the answer, so that the caller sees it in force
	}
	return c
}

var accessKey any = new(int)

// recheckAll, recheckCertificate and recheckThing note, in a command, whose
// rights it may have changed.
func (b *batch) recheckAll() { b.access().All = true }

func (b *batch) recheckCertificate(id muster.CertificateID) {
	c := b.access()
	c.Certificates = append(c.Certificates, id)
}

func (b *batch) recheckThing(name muster.ThingName) {
	c := b.access()
	c.Things = append(c.Things, name)
}
