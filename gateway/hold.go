package gateway

import "context"

// Node is the number of one run of a server process, of several that share a SessionStore. Later runs have higher
// numbers. Zero is none.
type Node int64

// Hold says which server has the session of a client: it alone serves the client, keeps the session in memory and
// writes its changes.
type Hold struct {
	Node  Node   // zero: nobody
	Epoch uint64 // rises with each claim of the client
	Since uint64 // the epoch with which Node got it; it has had it without a break since then
}

// By reports whether a session that node claimed with an epoch is still its own.
func (h Hold) By(node Node, epoch uint64) bool { return h.Node == node && h.Since <= epoch }

// SharedSessions is a SessionStore that several servers use at the same time. Package sessiontest has its contract. A
// transaction of one that fails may be repeated; it is never applied in part.
type SharedSessions interface {
	SessionStore

	// Claim makes the node by the holder of sessions, durably, and returns what became of each claim, in their order. Each
	// epoch is higher than all that the client ever had.
	Claim(ctx context.Context, by Node, claims []Claim) ([]Claimed, error)

	// WriteAs is Write for one of several servers. What concerns a session that by does not hold with the change's epoch
	// any more is left out. After it was written nobody gets the session by a claim that does not see it.
	WriteAs(ctx context.Context, by Node, changes []Change) (Written, error)

	// Holds returns who holds the sessions of clients, in the same order.
	Holds(ctx context.Context, clients []string) ([]Hold, error)

	// EachHold calls each for every client that has a hold or a session, in any order, and stops at the first error.
	EachHold(ctx context.Context, each func(client string, h Hold) error) error
}

// Claim asks for the session of a client.
type Claim struct {
	Client string
	Clean  bool // its messages are not wanted
	Known  bool // the claimant has it in memory; if it holds it, nothing is to be loaded

	Adopt bool // only if it is still held as From says
	From  Hold
}

// Claimed is the outcome of a Claim.
type Claimed struct {
	Hold   Hold           // now; zero if it was to be adopted and is held by somebody else than From
	Former Hold           // before
	Stored *StoredSession // nil if there is none, or if it was not loaded
}

// Written is what WriteAs did.
type Written struct {
	Lost     map[string]Hold   // by client: who holds the sessions of which changes were left out
	Retained map[string]uint64 // by topic: revisions of the retained messages that were written or dropped
}

// Of returns the outcome of c by a node, but for what is stored, if the session is held as h says; it is nothing if claimed is false. The
// new epoch is at least least, which must be higher than those that the client had before its hold was released.
func (c Claim) Of(h Hold, by Node, least uint64) (out Claimed, claimed bool) {
	out.Former = h
	if c.Adopt && h != c.From {
		return out, false
	}
	out.Hold = Hold{Node: by, Epoch: max(h.Epoch+1, least), Since: h.Since}
	if h.Node != by {
		out.Hold.Since = out.Hold.Epoch
	}
	return out, true
}

// Loads reports whether what is stored is wanted by the claimant, if the session was held as former says.
func (c Claim) Loads(former Hold, by Node) bool { return !c.Known || former.Node != by }
