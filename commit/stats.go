package commit

// Stats are figures of a Committer, for people.
type Stats struct {
	Lanes   int    // transactions that may run at the same time, that of the wide lane included
	Refused uint64 // transactions that the store refused; most ran again
	Alone   uint64 // those of the wide lane that ran while no other one did
}

// Stats returns the figures of this moment.
func (c *Committer) Stats() Stats {
	return Stats{Lanes: len(c.lanes) + 1, Refused: c.refused.Load(), Alone: c.alone.Load()}
}
