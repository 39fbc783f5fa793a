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

// Permits reports whether a change by node may be applied to the session.
func (h Hold) Permits(c Change, node Node) bool {
	return h.By(node, c.Epoch) && (c.Kind != Release || c.Epoch == h.Epoch)
}

// SharedSessions is a SessionStore that several servers use at the same time. Package sessiontest has its contract. A
// transaction of one that fails may be repeated; it is never applied in part.
type SharedSessions interface {
	SessionStore

	// Claim makes the node by the holder of sessions, durably, and returns what became of each claim, in their order. Each
	// epoch is higher than all that the client ever had.
	Claim(ctx context.Context, by Node, claims []Claim) ([]Claimed, error)

	// WriteAs is Write for one of several servers. What concerns a session that by does not hold with the change's epoch
	// any more is left out, and a Release also if by has claimed the session again. After a change was written nobody gets
	// the session by a claim that does not see it.
	WriteAs(ctx context.Context, by Node, changes []Change) (Written, error)

	// Holds returns who holds the sessions of clients, in the same order.
	Holds(ctx context.Context, clients []string) ([]Hold, error)

	// EachHold calls each for every client that has a hold or a session, in any order, and stops at the first error.
	EachHold(ctx context.Context, each func(client string, h Hold) error) error
}

// Claim asks for the session of a client. Of one that may not be continued, record and messages are removed.
type Claim struct {
	Client    string
	Clean     bool           // it is not to be continued
	Version   byte           // MQTT protocol level and
	Principal string         // identity with which it may be continued (MQ-12)
	Begin     *SessionRecord // what is stored if there is none to be continued; nil for nothing
	Known     bool           // the claimant has one to be continued in memory. If it holds it, nothing is looked at

	Adopt bool // only if it is still held as From says; then it is continued
	From  Hold
}

// Claimed is the outcome of a Claim.
type Claimed struct {
	Hold   Hold           // now; zero if it was to be adopted and is held by somebody else than From
	Former Hold           // before
	Stored *StoredSession // what is to be continued, unless it is known
	Fresh  bool           // there is nothing to be continued
}

// Written is what WriteAs did.
type Written struct {
	Lost     map[string]Hold   // by client: who holds the sessions of which changes were left out
	Retained map[string]uint64 // by topic: revisions of the retained messages that were written or dropped
}

// Of returns the outcome of c by a node if the session is held as h says and stored as record, which is nil if it is not stored. claimed
// is false if nothing is to be changed. The new epoch is at least least, which must be higher than those that the client had before its hold
// was released. A hold of a fresh session has a new beginning, so that what was written for the one before is left out.
func (c Claim) Of(h Hold, record *SessionRecord, by Node, least uint64) (out Claimed, claimed bool) {
	out.Former = h
	if c.Adopt && h != c.From {
		return out, false
	}
	out.Hold = Hold{Node: by, Epoch: max(h.Epoch+1, least), Since: h.Since}
	out.Fresh = !c.Adopt && !c.known(h, by) && (c.Clean || record == nil || record.Version != c.Version || record.Principal != c.Principal)
	if h.Node != by || out.Fresh {
		out.Hold.Since = out.Hold.Epoch
	}
	return out, true
}

// Loads reports whether what is stored is part of the outcome.
func (c Claim) Loads(out Claimed) bool { return !out.Fresh && !c.known(out.Former, out.Hold.Node) }

func (c Claim) known(h Hold, by Node) bool { return c.Known && h.Node == by }
