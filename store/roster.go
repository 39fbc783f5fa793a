package store

import (
	"context"
	"errors"
	"time"
)

// Roster is a Shared store that knows which nodes there are. A node is a process that
// works on the store; its incarnation is the number of that run, which no other has. From
// its first Beat on it must call Beat about every BeatTime. While it has not done so for
// TermTime it counts as dead, and any other may fence it that has itself been there for as
// long: when the store comes back that was away for all, each has the time to say that it
// lives. A node that closes its store is gone
// at once, with its leases.
//
// Leases divide work, so that it is not done twice. Nothing that must hold rests on them: a
// node that has lost one may not know yet.
type Roster interface {
	Shared

	// Me returns the incarnation of this process.
	Me() Incarnation

	// Beat writes down what b says and returns who is there and who holds which lease, in one
	// transaction, after the nodes of Fence are fenced. It fails with ErrFenced if another node
	// has fenced this one, with ErrUnavailable while the store cannot be reached, and with ErrAgain
	// if others hold it up. It is for one goroutine at a time.
	Beat(ctx context.Context, b Beat) (Roll, error)
}

// How often a node calls Beat, and when one that does not is taken to be dead.
const (
	BeatTime = time.Second
	TermTime = 5 * time.Second
)

// ErrFenced is wrapped by the errors of a store whose node was taken to be dead and fenced:
// nothing that it has not been told to be applied is applied any more, and every call fails. Only a new
// process can help.
var ErrFenced = errors.New("store: this node was taken to be dead, and others do its work")

// Incarnation is the number of one run of a node. Later runs, of any node, have higher ones.
type Incarnation int64

// Beat is what a node has written down.
type Beat struct {
	Load     Load
	Draining bool          // it wants to be left by its devices and gives its leases up
	Take     []string      // leases that it wants to have; it gets those that are free or of a node that is dead and fenced
	Drop     []string      // leases that it gives up
	Fence    []Incarnation // nodes that are fenced if they are dead: their last commit has ended then, and they commit no more
	Drain    []Drain       // orders to other nodes, which they read in their Roll
}

// Drain orders the node called Name to drain, or no longer to.
type Drain struct {
	Name string
	Stop bool
}

// Load is what a node has to do, for people.
type Load struct {
	Connections int     `json:"connections"` // of devices
	Operations  float64 `json:"operations"`  // of devices and operators, per second
}

// Roll is the list of nodes and leases.
type Roll struct {
	Now    time.Time // by the clock of the store
	Nodes  []Member  // by name, then incarnation; those that are dead too, until they are fenced and their leases taken
	Leases map[string]Incarnation

	// Newest is the highest incarnation that a node has so far. A node with a higher one has
	// come since.
	Newest Incarnation
}

// Gone reports whether the node of an incarnation commits nothing any more: it has left, or
// was fenced.
func (r Roll) Gone(node Incarnation) bool {
	if node > r.Newest {
		return false
	}
	for _, m := range r.Nodes {
		if m.Incarnation == node {
			return m.Fenced
		}
	}
	return true
}

// Member is one node of a Roll.
type Member struct {
	Name        string
	Incarnation Incarnation
	Host        string
	Version     string
	Started     time.Time
	Expires     time.Time // it is dead then
	Fenced      bool
	Draining    bool // it says so
	Drain       bool // it is ordered to
	Load        Load
}
