// Package intake bounds the memory that HTTP listeners use for clients that are not
// authenticated yet: for the heads of requests, for bodies that must be read before
// their signature can be checked, and for the connections themselves. It does not
// authenticate: the code that does calls Known.
//
// Each connection has a small allowance, which is enough for nearly every request.
// Bytes beyond it come from pools that all connections share, so that their sum is
// bounded whatever clients send. A request for which a pool has too little left is
// refused; the client may retry.
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

// Limits bound what is held for clients that are not known. Zero means the default;
// sizes are in bytes.
type Limits struct {
	Own     int // allowance of a connection for a head, and again for a body; default 4 KiB
	Heads   int // pool for all heads beyond that; default 1 MiB
	Bodies  int // pool for all bodies beyond that; default 3 MiB
	Lines   int // of one head, since each costs memory beside its bytes; default 128
	Waiting int // connections that serve no request now; default 16,384. Beyond it the oldest is closed, first those never known
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

// Intake applies limits to all listeners of a process together. Its methods may be
// called by many goroutines.
type Intake struct {
	limits Limits

	mu        sync.Mutex // guards what follows, and some fields of connections
	heads     int        // bytes taken of Limits.Heads
	bodies    int        // bytes taken of Limits.Bodies
	strangers list.List  // of *conn that wait for a request and were never known
	known     list.List  // of *conn that wait for a request and were known once
	shed      uint64
}

// New returns an intake with limits l.
func New(l Limits) *Intake { return &Intake{limits: l.withDefaults()} }

// Stats are the counters of an Intake.
type Stats struct {
	Heads, Bodies int    // bytes taken from the pools now
	Waiting       int    // connections that are not serving a request now
	Shed          uint64 // connections and requests refused for want of room, so far
}

// Stats returns the counters.
func (i *Intake) Stats() Stats {
	i.mu.Lock()
	defer i.mu.Unlock()
	return Stats{i.heads, i.bodies, i.strangers.Len() + i.known.Len(), i.shed}
}

// Guard returns a listener that applies the limits to the connections of l, and
// prepares server, which must then serve on it: it wraps the handler, ConnContext and
// ConnState that are set. ConnContext still gets the connections of l. Call it once
// for a server.
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

// countedBody is a body whose bytes are counted while its sender is not known.
type countedBody struct {
	io.ReadCloser
	on   *conn
	read int
}

// Read implements io.Reader. It fails with ErrBusy when the pool has too little left.
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

// Known says that the sender of the request with context ctx was authenticated: what
// its connection sends for this request is no longer counted.
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
	// ErrBusy says that the pool has too little left for the body of a request whose
	// sender is not known yet.
	ErrBusy = errors.New("too much is being received from clients that are not known yet")
)

// Body reads the whole body of a request, of at most limit bytes. It fails with an
// error that wraps ErrTooLarge or ErrBusy, or with an error of the connection.
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

// Unread prepares the answer to a request that is refused before its body was read:
// unless the body is short, the connection ends with the answer, so that net/http does
// not read the body first. Call it before the answer begins.
func Unread(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength < 0 || r.ContentLength > discardMax {
		w.Header().Set("Connection", "close")
	}
}

// discardMax is the longest body, in bytes, that is read and discarded so that its
// connection can be reused.
const discardMax = 16 << 10
