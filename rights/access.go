package rights

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
)

// Change says whose rights may be different after a commit. A cache of decisions
// drops those; All means everybody's.
type Change struct {
	All          bool
	Certificates []muster.CertificateID
	Things       []muster.ThingName
}

// changed returns what the running command has changed of rights, to be added
// to. The Watcher is told before the command is answered, so that its caller sees
// the change in force.
func (s *Rights) changed(tx *commit.Tx) *Change {
	c := commit.OfCommand[Change](tx, s)
	if !c.All && len(c.Certificates)+len(c.Things) == 0 && s.watch != nil {
		tx.Ahead(func() { s.watch.RightsChanged(*c) })
	}
	return c
}

func (s *Rights) recheckAll(tx *commit.Tx) { s.changed(tx).All = true }

func (s *Rights) recheckCertificate(tx *commit.Tx, id muster.CertificateID) {
	c := s.changed(tx)
	c.Certificates = append(c.Certificates, id)
}

// ThingChanged says that the running command has changed what the rights of a
// thing rest on: its attributes, its type, its groups, or that it exists.
func (s *Rights) ThingChanged(tx *commit.Tx, name muster.ThingName) {
	c := s.changed(tx)
	c.Things = append(c.Things, name)
}
