package gateway

import "time"

// What counts as a storm of connections, and when it is over.
const (
	stormMin   = 256             // connections
	stormShare = 8               // and the eighth part of those that are open
	stormCalm  = 2 * time.Second // without a new connection
	stormEvery = time.Minute     // from the end of one to that of the next
)

// storm tells when a storm of connections is over. The zero storm has seen none.
type storm struct {
	seen  uint64    // connections accepted so far, when it was last asked
	since time.Time // when that number was new
	told  uint64    // connections accepted at the end of the last storm
	at    time.Time // when that was
}

// over reports, once for each storm, that it is over at the instant now. accepted counts all connections so far, open are those that
// are there.
//
// The answer to a storm is a garbage collection, which takes microseconds for each connection that is there, where a handshake takes
// nearly a millisecond. So after an eighth of them came anew it adds a few per cent to what they have cost.
func (s *storm) over(accepted uint64, open int64, now time.Time) bool {
	if accepted != s.seen {
		s.seen, s.since = accepted, now
		return false
	}
	came := accepted - s.told
	if came < stormMin || came < uint64(open)/stormShare || now.Sub(s.since) < stormCalm || now.Sub(s.at) < stormEvery {
		return false
	}
	s.told, s.at = accepted, now
	return true
}
