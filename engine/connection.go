package engine

import (
	"context"
	"maps"
	"strconv"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// ConnectionChange is a client that came or went.
type ConnectionChange struct {
	Client string // the client id; it counts if it is the name of a thing
	muster.Connectivity
	Whole bool // the connection both began and ended since the change before
}

// connection is what is stored of a thing's connectivity.
type connection struct {
	muster.Connectivity
	Process string // the server process that said so
}

// RecordConnections stores who came and went, in short transactions. Changes of
// one client must come in their order.
func (e *Engine) RecordConnections(ctx context.Context, changes []ConnectionChange) error {
	var steps []func(*batch) error
	for len(changes) > 0 {
		n := min(len(changes), stepMax)
		some := changes[:n]
		changes = changes[n:]
		steps = append(steps, func(b *batch) error { return b.recordConnections(some) })
	}
	return e.background(ctx, steps)
}

func (b *batch) recordConnections(changes []ConnectionChange) error {
	for _, c := range changes {
		ok, err := things.Has(b, c.Client)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		name := muster.ThingName(c.Client)
		old, err := connectionOf(b, name)
		if err != nil {
			return err
		}
		if now := old.After(c.Connectivity, c.Whole); now != old {
			if err := b.putConnection(name, old, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// connectionOf returns what is stored of a thing's connectivity: zero for one
// that was never connected. The index goes by this.
func connectionOf(r store.Reader, name muster.ThingName) (muster.Connectivity, error) {
	c, err := connections.Get(r, string(name))
	if err != nil || c == nil {
		return muster.Connectivity{}, err
	}
	return c.Connectivity, nil
}

func (b *batch) putConnection(name muster.ThingName, old, now muster.Connectivity) error {
	x, err := b.fleet()
	if err != nil {
		return err
	}
	connections.Put(b, string(name), connection{Connectivity: now, Process: b.e.process})
	if now.Connected {
		present.Put(b, string(name), link{})
	} else {
		present.Delete(b, string(name))
	}
	if !x.state.Config.Connectivity {
		return nil
	}
	return b.reindex(name, connectivityDocument(old), connectivityDocument(now))
}

// forgetConnection drops what is known of the connectivity of a thing that is
// being deleted.
func (b *batch) forgetConnection(name muster.ThingName) error {
	old, err := connectionOf(b, name)
	if err != nil || old == (muster.Connectivity{}) {
		return err
	}
	connections.Delete(b, string(name))
	present.Delete(b, string(name))
	b.post(name, connectivityDocument(old), nil)
	return nil
}

// absence is how far a process is in its search for the things that an earlier
// one left connected.
type absence struct {
	After string // the last thing that was looked at
	Done  bool
}

// leftConnected reports whether this process has not yet looked at all things
// that an earlier one may have left connected.
func (e *Engine) leftConnected(r store.Reader) (bool, error) {
	a, err := absences.Get(r, e.process)
	return a == nil || !a.Done, err
}

// absent marks some of the things as disconnected that an earlier process left
// connected: after a restart none is until it comes back. It goes through the
// connected ones by name.
func (b *batch) absent() error {
	at, err := absences.Get(b, b.e.process)
	if err != nil {
		return err
	}
	if at == nil {
		at = &absence{}
		if err := b.dropAbsences(); err != nil {
			return err
		}
	}
	gone, next, err := b.gone(*at)
	if err != nil {
		return err
	}
	for _, name := range gone {
		old, err := connectionOf(b, name)
		if err != nil {
			return err
		}
		now := old
		now.Connected, now.At, now.Reason = false, b.Now, muster.UnknownReason
		if err := b.putConnection(name, old, now); err != nil {
			return err
		}
	}
	absences.Put(b, b.e.process, next)
	return nil
}

// gone returns the things that an earlier process left connected, of the stepMax
// connected ones that come next, and how far the search is then.
func (b *batch) gone(at absence) (names []muster.ThingName, next absence, err error) {
	from, n := "", 0
	if at.After != "" {
		from = store.After(at.After)
	}
	for row, err := range present.Scan(b, from, "") {
		if err != nil {
			return nil, at, err
		}
		if n++; n > stepMax {
			return names, at, nil
		}
		at.After = row.Key
		c, err := connections.Get(b, row.Key)
		if err != nil {
			return nil, at, err
		}
		if c != nil && c.Process != b.e.process {
			names = append(names, muster.ThingName(row.Key))
		}
	}
	return names, absence{Done: true}, nil
}

// dropAbsences forgets the searches of earlier processes.
func (b *batch) dropAbsences() error {
	for row, err := range absences.Scan(b, "", "") {
		if err != nil {
			return err
		}
		absences.Delete(b, row.Key)
	}
	return nil
}

// Connectivity returns what is known of the connection of a thing. It fails with
// NotFound when there is no such thing or it was never connected, and with
// Invalid while connectivity is not indexed.
func (e *Engine) Connectivity(ctx context.Context, name muster.ThingName) (muster.Connectivity, error) {
	var c muster.Connectivity
	err := e.view(ctx, func(r store.Reader) error {
		s, err := indexStateOf(r)
		if err != nil {
			return err
		}
		if !s.Config.Things || !s.Config.Connectivity {
			return muster.Errorf(muster.Invalid, "Connectivity is not indexed: thingConnectivityIndexingMode is OFF")
		}
		if err := mustHaveThing(r, name); err != nil {
			return err
		}
		if c, err = e.connectivity(r, name); err == nil && c == (muster.Connectivity{}) {
			err = muster.Errorf(muster.NotFound, "Thing %s has never been connected", name)
		}
		return err
	})
	return c, err
}

// connectivity returns what is known of a thing's connection, zero for nothing.
// What an earlier process left connected is not, also before the background has
// come to it.
func (e *Engine) connectivity(r store.Reader, name muster.ThingName) (muster.Connectivity, error) {
	c, err := connections.Get(r, string(name))
	if err != nil || c == nil {
		return muster.Connectivity{}, err
	}
	if c.Connected && c.Process != e.process {
		c.Connected, c.Reason = false, muster.UnknownReason
	}
	return c.Connectivity, nil
}

// addConnectivity adds what is stored of a thing's connection to its document.
func addConnectivity(r store.Reader, c muster.IndexingConfig, d fleetquery.Document, name muster.ThingName) error {
	if !c.Connectivity {
		return nil
	}
	known, err := connectionOf(r, name)
	maps.Copy(d, connectivityDocument(known))
	return err
}

func connectivityDocument(c muster.Connectivity) fleetquery.Document {
	d := fleetquery.Document{}
	if c == (muster.Connectivity{}) {
		return d
	}
	d.Add(fleetquery.Connected, strconv.FormatBool(c.Connected))
	d.Add(fleetquery.ConnectedAt, strconv.FormatInt(int64(c.At), 10))
	d.Add(fleetquery.DisconnectReason, c.Reason)
	return d
}
