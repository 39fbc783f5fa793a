package commit

import (
	"fmt"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// A store with optimistic transactions refuses one if another has changed what it read
// (store.ErrAgain). The batch then runs again, at the instant of its first run. A large
// batch meets more changes than a small one, so it is halved from time to time until it
// passes, and the other half is put back. A single command that is refused again and
// again fails, so that it does not hold up those after it. One of the wide lane may change
// what is busy in all lanes, such as the queues of many things, or in the wide lanes of other
// processes. It runs while all others wait.
const (
	aloneAfter  = 1  // refusals of a batch of the wide lane: then no other transaction runs
	halveAfter  = 2  // refusals of a batch
	refusalsMax = 10 // of a single command
)

var errContended = muster.Errorf(muster.Throttled, "too many others change the same things")

// errFewer makes apply run a batch again with fewer commands. It is no refusal.
var errFewer = fmt.Errorf("%w with fewer commands", store.ErrAgain)

// refuse prepares the batch, which the store has refused, to run again. It reports
// false if the batch is a single command that has been refused too often.
func (b *batch) refuse() bool {
	b.refused++
	// Commands that were left out run again too: what they failed for was read in a
	// transaction that was refused, and need not be true.
	clear(b.left)
	if len(b.commands) == 1 {
		return b.refused < refusalsMax
	}
	if b.refused == halveAfter {
		b.refused = 0
		b.commands = b.commands[:len(b.commands)/2]
	}
	return true
}
