package rights

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
)

// Change says which rights may be different after a commit. A cache of decisions drops
// the entries of these certificates and things.
type Change struct {
	All          bool // those of all devices
	Certificates []muster.CertificateID
	Things       []muster.ThingName
}

// changed returns the Change of the running command. The caller adds to it. The first
// call has the Watcher told before the command is answered, so that the change is in
// force when the caller gets the answer.
func (s *Rights) changed(tx *commit.Tx) *Change {
	c := commit.OfCommand[Change](tx, s)
	if c.Any() {
		return c
	}
	s.note(tx, c)
	if s.watch != nil {
		tx.Ahead(func() { s.watch.RightsChanged(*c) })
	}
	return c
}

func (s *Rights) recheckAll(tx *commit.Tx) { s.changed(tx).All = true }

func (s *Rights) recheckCertificate(tx *commit.Tx, id muster.CertificateID) {
	c := s.changed(tx)
	c.Certificates = append(c.Certificates, id)
}

// ThingChanged notes that the running command has changed something that the rights of a
// thing depend on: its attributes, its type, its groups, or whether it exists.
func (s *Rights) ThingChanged(tx *commit.Tx, name muster.ThingName) {
	c := s.changed(tx)
	c.Things = append(c.Things, name)
}
