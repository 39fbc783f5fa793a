// Package presence tells the engine which devices are connected: it gathers what
// the gateway says of clients that come and go and hands over, a moment later,
// what became of each. A storm of reconnecting devices so becomes a few
// transactions, and who was away for less than that moment was never away.
package presence

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/gateway"
)

// Moment is how long changes are gathered before they are handed over.
const Moment = time.Second

// waitingMax bounds the clients whose changes are being gathered. Changes of
// further ones are lost, and the log says so: it is more than can be connected.
const waitingMax = 2_000_000

// Connections is what a Recorder asks of the engine.
type Connections interface {
	RecordConnections(ctx context.Context, changes []engine.ConnectionChange) error
}

// Recorder gathers who is connected. Make it with New and keep Run running.
type Recorder struct {
	engine Connections
	log    *slog.Logger

	mu      sync.Mutex
	waiting map[string]engine.ConnectionChange // by client id
	lost    int
	arrived chan struct{} // holds a token when waiting may be non-empty
}

// New returns a Recorder that hands over to e. A nil log discards.
func New(e Connections, log *slog.Logger) *Recorder {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Recorder{engine: e, log: log, waiting: map[string]engine.ConnectionChange{}, arrived: make(chan struct{}, 1)}
}

// Presence takes a client that came or went. It fits gateway.Options.Presence
// and never waits.
func (r *Recorder) Presence(p gateway.Presence) {
	client := p.Client.ClientID
	if !muster.ValidThingName(client) {
		return
	}
	next := engine.ConnectionChange{Client: client, Connectivity: muster.Connectivity{
		Connected: p.Connected, At: muster.At(p.Time), Reason: reason(p), Session: p.Session,
	}}
	r.mu.Lock()
	defer r.mu.Unlock()
	old, had := r.waiting[client]
	switch {
	case !had && len(r.waiting) >= waitingMax:
		r.lost++
		return
	case had:
		// What began and ended while it waited is told as one.
		next.Whole = !p.Connected && old.Connected && old.Session == p.Session
		if old.Connectivity.After(next.Connectivity, next.Whole) != next.Connectivity {
			return
		}
	}
	r.waiting[client] = next
	select {
	case r.arrived <- struct{}{}:
	default:
	}
}

// reason is the contract's word for why a connection ended; its list for this
// purpose lacks that an operator asked for it.
func reason(p gateway.Presence) string {
	switch {
	case p.Connected:
		return muster.NoReason
	case p.Cause == gateway.APIInitiated:
		return string(gateway.ServerInitiated)
	}
	return string(p.Cause)
}

// Run hands over until ctx ends, then what is left.
func (r *Recorder) Run(ctx context.Context) error {
	moment := time.NewTimer(Moment)
	defer moment.Stop()
	for {
		select {
		case <-r.arrived:
		case <-ctx.Done():
			return r.handOver(context.WithoutCancel(ctx))
		}
		moment.Reset(Moment)
		select {
		case <-moment.C:
		case <-ctx.Done():
		}
		if err := r.handOver(ctx); err != nil && ctx.Err() == nil {
			r.log.Error("who is connected could not be stored", "error", err)
		}
	}
}

// handOver hands over what waits. What could not be stored waits on, unless
// there is newer by then.
func (r *Recorder) handOver(ctx context.Context) error {
	r.mu.Lock()
	gathered, lost := r.waiting, r.lost
	r.waiting, r.lost = map[string]engine.ConnectionChange{}, 0
	r.mu.Unlock()
	if lost > 0 {
		r.log.Error("too many clients came and went", "lost", lost)
	}
	if len(gathered) == 0 {
		return nil
	}
	changes := make([]engine.ConnectionChange, 0, len(gathered))
	for _, c := range gathered {
		changes = append(changes, c)
	}
	err := r.engine.RecordConnections(ctx, changes)
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for client, c := range gathered {
		if _, newer := r.waiting[client]; !newer {
			r.waiting[client] = c
		}
	}
	select {
	case r.arrived <- struct{}{}:
	default:
	}
	return err
}
