package gateway

// SessionStore keeps persistent sessions. Its methods are settled with persistent sessions themselves; until then nil is
// the only useful value.
type SessionStore interface{}
