package pebblestore

// Vouch does at once what is done when no commit has come for a while.
func (s *Store) Vouch() { s.vouch() }
