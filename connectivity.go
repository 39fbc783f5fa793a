package muster

// Connectivity is the state of the latest known connection whose client ID is the
// name of a thing (registry.md section 6.2).
type Connectivity struct {
	Connected bool
	At        Instant // when it connected or disconnected
	Reason    string  // the contract's word for why it ended; NoReason while connected
	Session   string  `json:",omitempty"` // identifies the connection; empty once it has ended and is stored
}

// Reasons other than those for which connections end.
const (
	NoReason      = "NONE"
	UnknownReason = "UNKNOWN" // the server stopped before it could record one
)

// After returns the state after the report next. The report that a connection ended
// is ignored while another one is known to be open, which took over in the meantime.
// whole says that the connection of next both began and ended since the report
// before, so that it is newer than the known one and always counts.
func (c Connectivity) After(next Connectivity, whole bool) Connectivity {
	if !next.Connected && !whole && c.Connected && c.Session != next.Session {
		return c
	}
	return next
}
