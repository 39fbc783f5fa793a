// Package intake bounds what HTTP listeners keep of what clients have sent before
// it is known who they are: the heads of requests, bodies that a signature covers
// and that must be read before it can be checked, and the connections themselves.
// It does not authenticate: the code that does calls Known.
//
// A connection has a small allowance of its own, enough for nearly every request.
// What goes beyond it comes from pools that all connections share, so that the
// sum is bounded whatever strangers do: a request for which a pool has nothing
// left is refused, and may come again.
package intake

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// Limits bound what is kept for clients that are not known. Zero means the
// default; sizes are in bytes.
type Limits struct {
	Own     int // of a head, and again of a body, that a connection may have without asking; 4 KiB
	Heads   int // of all heads beyond that; 1 MiB
	Bodies  int // of all bodies beyond that; 3 MiB
	Lines   int // of one head; 128. Each costs memory beside its bytes
	Waiting int // connections that are not serving a request; 16,384. The oldest gives way, one that was never known first
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		limit *int
		value int
	}{{&l.Own, 4 << 10}, {&l.Heads, 1 << 20}, {&l.Bodies, 3 << 20}, {&l.Lines, 128}, {&l.Waiting, 16384}} {
		if *d.limit == 0 {
			*d.limit = d.value
		}
	}
	return l
}

// Intake is the limits of one process for any number of listeners. Its methods
// may be called by many goroutines.
type Intake struct {
	limits Limits

	mu        sync.Mutex // guards what follows, and the fields of connections that say so
	heads     int        // taken of Limits.Heads
	bodies    int        // taken of Limits.Bodies
	strangers list.List  // of *conn: waiting, and never known
	known     list.List  // of *conn: waiting, and known once
	shed      uint64
}

// New returns an intake with limits.
func New(l Limits) *Intake { return &Intake{limits: l.withDefaults()} }

// Stats are the counters of an Intake.
type Stats struct {
	Heads, Bodies int    // bytes taken from the pools now
	Waiting       int    // connections that are not serving a request now
	Shed          uint64 // connections and requests refused for want of room, so far
}

// Stats returns the counters as of now.
func (i *Intake) Stats() Stats {
	i.mu.Lock()
	defer i.mu.Unlock()
	return Stats{i.heads, i.bodies, i.strangers.Len() + i.known.Len(), i.shed}
}

// Guard returns l with the limits put on its connections, and prepares server,
// which is to serve on it, with the handler and the hooks that it has. Its
// ConnContext is given the connection as l accepted it. Call it once for a server.
func (i *Intake) Guard(server *http.Server, l net.Listener) net.Listener {
	contextOf, state := server.ConnContext, server.ConnState
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		guarded, ok := c.(*conn)
		if !ok {
			return ctx
		}
		if contextOf != nil {
			ctx = contextOf(ctx, guarded.Conn)
		}
		return context.WithValue(ctx, connKey{}, guarded)
	}
	server.ConnState = func(c net.Conn, s http.ConnState) {
		if guarded, ok := c.(*conn); ok {
			guarded.entered(s)
		}
		if state != nil {
			state(c, s)
		}
	}
	handler := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok && r.Body != http.NoBody {
			r = r.WithContext(r.Context()) // a copy: net/http looks at the type of the body that it made
			r.Body = &countedBody{ReadCloser: r.Body, on: c}
		}
		handler.ServeHTTP(w, r)
	})
	return guard{l, i}
}

// countedBody is a body that counts as long as its sender is not known, however
// it is read.
type countedBody struct {
	io.ReadCloser
	on   *conn
	read int
}

// Read implements io.Reader. It fails with ErrBusy when there is no room.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += n
	if n > 0 && !b.on.takeBody(b.read) {
		return 0, ErrBusy
	}
	return n, err
}

type connKey struct{}

type guard struct {
	net.Listener
	in *Intake
}

func (g guard) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	guarded := &conn{Conn: c, in: g.in}
	guarded.wait()
	return guarded, nil
}

// Known tells that the sender of a request is known: from now on nothing that
// the connection has sent counts.
func Known(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		c.in.mu.Lock()
		defer c.in.mu.Unlock()
		c.isKnown, c.serving = true, true
		c.giveBack()
	}
}

var (
	// ErrTooLarge says that a body is longer than it may be.
	ErrTooLarge = errors.New("the request body is too large")
	// ErrBusy says that there is no room for the body of a request whose sender is
	// not known yet.
	ErrBusy = errors.New("too much is being received from clients that are not known yet")
)

// Body reads the whole body of a request, of at most limit bytes. It fails with an
// error that wraps ErrTooLarge or ErrBusy, or with that of the connection.
func Body(r *http.Request, limit int) ([]byte, error) {
	if r.ContentLength > int64(limit) {
		return nil, fmt.Errorf("%w: it has %d bytes and may have %d", ErrTooLarge, r.ContentLength, limit)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	if err == nil && len(body) > limit {
		err = fmt.Errorf("%w: it may have %d bytes", ErrTooLarge, limit)
	}
	if err != nil {
		return nil, err
	}
	return body, nil
}

// Unread tells that a request is refused before its body was read: unless that
// is short, the connection ends with the answer, rather than be read on for it.
// It must be called before the answer begins.
func Unread(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength < 0 || r.ContentLength > discardMax {
		w.Header().Set("Connection", "close")
	}
}

// discardMax is how much of a body is read for nothing, in bytes, for the sake
// of a connection that can be used again.
const discardMax = 16 << 10
