package operator

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/muster-iot/muster"
)

// Resets empties a test server.
type Resets interface {
	// Begin notes who is about to ask: the request that ctx belongs to. Its error refuses the reset.
	Begin(ctx context.Context) error
	// Ask takes over a connection, and answers on it with a ClockReading when the
	// server is empty and serves again.
	Ask(conn net.Conn)
}

func (p Parts) reset(ctx context.Context, c *Call) (any, error) {
	if p.Resets == nil {
		return nil, muster.Errorf(muster.NotFound, "this server is no test server; only one with --test-clock can be emptied")
	}
	if err := p.Resets.Begin(ctx); err != nil {
		return nil, err
	}
	conn, _, err := http.NewResponseController(c.Writer).Hijack() // it outlives the server that has it now
	if err != nil {
		return nil, fmt.Errorf("the connection cannot wait for a reset: %w", err)
	}
	p.Resets.Ask(conn)
	return Taken, nil
}
