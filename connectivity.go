package muster

// Connectivity is what is known of the connection whose client id is a thing's
// name (registry.md section 6.2).
type Connectivity struct {
	Connected bool
	At        Instant // since when
	Reason    string  // why it ended, in the contract's word; NoReason while connected
	Session   string  // which connection that is or was
}

// The reasons that do not come from the end of a connection.
const (
	NoReason      = "NONE"
	UnknownReason = "UNKNOWN" // the server stopped before it could tell
)

// After returns what is known after next. The end of a connection counts only if
// it is the one that is known: another may have taken over by then. With whole,
// nothing came between the begin of that connection and its end.
func (c Connectivity) After(next Connectivity, whole bool) Connectivity {
	if !next.Connected && !whole && c.Connected && c.Session != next.Session {
		return c
	}
	return next
}
