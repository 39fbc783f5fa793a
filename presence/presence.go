// Package presence records which devices are connected, for the fleet index. The
// gateway reports each connect and disconnect of a client (gateway.Presence, the
// contract's word for these events); the index stores the latest state of each
// client (muster.Connectivity, the contract's word for these fields). The package
// gathers the former for a second and records only the resulting states, so a
// storm of reconnecting devices costs a few transactions. A client that was
// disconnected for less than that second may never be recorded as disconnected.
package presence

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/registry"
)

// GatherTime is how long changes are gathered before they are recorded together.
const GatherTime = time.Second

// waitingMax bounds the clients whose changes are being gathered. It is more than
// can be connected; changes of further clients are lost and counted in the log.
const waitingMax = 2_000_000

// Index stores which devices are connected; *registry.Registry implements it.
type Index interface {
	// RecordConnections stores the latest change of each client in changes.
	RecordConnections(ctx context.Context, changes []registry.ConnectionChange) error
}

// Recorder gathers the changes of connections. Make it with New and keep Run
// running.
type Recorder struct {
	index Index
	log   *slog.Logger

	mu      sync.Mutex
	waiting map[string]registry.ConnectionChange // by client id
	lost    int
	arrived chan struct{} // holds a token when waiting may be non-empty
}

// New returns a Recorder that records into index. A nil log discards.
func New(index Index, log *slog.Logger) *Recorder {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Recorder{index: index, log: log, waiting: map[string]registry.ConnectionChange{}, arrived: make(chan struct{}, 1)}
}

// Presence takes a client that connected or disconnected. It fits
// gateway.Options.Presence and never waits. Client ids that cannot name a thing
// are ignored.
func (r *Recorder) Presence(p gateway.Presence) {
	client := p.Client.ClientID
	if !muster.ValidThingName(client) {
		return
	}
	next := registry.ConnectionChange{Client: client, Epoch: p.Epoch, Connectivity: muster.Connectivity{
		Connected: p.Connected, At: muster.At(p.Time), Reason: Reason(p.Cause), Session: p.Session,
	}}
	r.mu.Lock()
	defer r.mu.Unlock()
	old, had := r.waiting[client]
	switch {
	case !had && len(r.waiting) >= waitingMax:
		r.lost++
		return
	case had:
		// A connection that began and ended while it waited is one change.
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

// Reason returns the contract's word for why a connection ended, and for none. The index has no
// word for an end that an operator asked for through the API.
func Reason(cause gateway.Cause) string {
	switch cause {
	case gateway.None:
		return muster.NoReason
	case gateway.APIInitiated:
		return string(gateway.ServerInitiated)
	}
	return string(cause)
}

// Run records changes until ctx ends, and then those that are left.
func (r *Recorder) Run(ctx context.Context) error {
	timer := time.NewTimer(GatherTime)
	defer timer.Stop()
	for {
		select {
		case <-r.arrived:
		case <-ctx.Done():
			return r.record(context.WithoutCancel(ctx))
		}
		timer.Reset(GatherTime)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		if err := r.record(ctx); err != nil && ctx.Err() == nil {
			r.log.Error("who is connected could not be stored", "error", err)
		}
	}
}

// record stores what was gathered. Changes that cannot be stored are kept for the
// next time, except those of clients that have newer ones by then.
func (r *Recorder) record(ctx context.Context) error {
	r.mu.Lock()
	gathered, lost := r.waiting, r.lost
	r.waiting, r.lost = map[string]registry.ConnectionChange{}, 0
	r.mu.Unlock()
	if lost > 0 {
		r.log.Error("too many clients came and went", "lost", lost)
	}
	if len(gathered) == 0 {
		return nil
	}
	changes := make([]registry.ConnectionChange, 0, len(gathered))
	for _, client := range slices.Sorted(maps.Keys(gathered)) { // neighbours in the store are cheaper one after the other
		changes = append(changes, gathered[client])
	}
	err := r.index.RecordConnections(ctx, changes)
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
