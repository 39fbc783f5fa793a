package registry

import (
	"context"
	"maps"
	"strconv"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
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

// connections keeps which things are connected.
type connections struct {
	index   *index
	process string // names this run of the server
}

// RecordConnections stores who came and went, in short transactions. Changes of
// one client must come in their order.
func (s *Registry) RecordConnections(ctx context.Context, changes []ConnectionChange) error {
	var steps []func(*commit.Tx) error
	for len(changes) > 0 {
		n := min(len(changes), stepMax)
		some := changes[:n]
		changes = changes[n:]
		steps = append(steps, func(tx *commit.Tx) error { return s.connections.record(tx, some) })
	}
	return s.commits.Background(ctx, steps)
}

func (c *connections) record(tx *commit.Tx, changes []ConnectionChange) error {
	for _, change := range changes {
		ok, err := tables.things.Has(tx, change.Client)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		name := muster.ThingName(change.Client)
		old, err := connectionOf(tx, name)
		if err != nil {
			return err
		}
		if now := old.After(change.Connectivity, change.Whole); now != old {
			if err := c.put(tx, name, old, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// connectionOf returns what is stored of a thing's connectivity: zero for one
// that was never connected. The index goes by this.
func connectionOf(r store.Reader, name muster.ThingName) (muster.Connectivity, error) {
	c, err := tables.connections.Get(r, string(name))
	if err != nil || c == nil {
		return muster.Connectivity{}, err
	}
	return c.Connectivity, nil
}

func (c *connections) put(tx *commit.Tx, name muster.ThingName, old, now muster.Connectivity) error {
	x, err := c.index.read(tx)
	if err != nil {
		return err
	}
	tables.connections.Put(tx, string(name), connection{Connectivity: now, Process: c.process})
	if now.Connected {
		tables.connected.Put(tx, string(name), store.Link{})
	} else {
		tables.connected.Delete(tx, string(name))
	}
	if !x.state.Config.Connectivity {
		return nil
	}
	return c.index.reindex(tx, name, connectivityDocument(old), connectivityDocument(now))
}

// forgetConnection drops what is known of the connectivity of a thing that is
// being deleted.
func (c *connections) forget(tx *commit.Tx, name muster.ThingName) error {
	old, err := connectionOf(tx, name)
	if err != nil || old == (muster.Connectivity{}) {
		return err
	}
	tables.connections.Delete(tx, string(name))
	tables.connected.Delete(tx, string(name))
	post(tx, name, connectivityDocument(old), nil)
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
func (c *connections) left(r store.Reader) (bool, error) {
	a, err := tables.absences.Get(r, c.process)
	return a == nil || !a.Done, err
}

// absent marks some of the things as disconnected that an earlier process left
// connected: after a restart none is until it comes back. It goes through the
// connected ones by name.
func (c *connections) absent(tx *commit.Tx) error {
	at, err := tables.absences.Get(tx, c.process)
	if err != nil {
		return err
	}
	if at == nil {
		at = &absence{}
		if err := dropAbsences(tx); err != nil {
			return err
		}
	}
	gone, next, err := c.gone(tx, *at)
	if err != nil {
		return err
	}
	for _, name := range gone {
		old, err := connectionOf(tx, name)
		if err != nil {
			return err
		}
		now := old
		now.Connected, now.At, now.Reason = false, tx.Now, muster.UnknownReason
		if err := c.put(tx, name, old, now); err != nil {
			return err
		}
	}
	tables.absences.Put(tx, c.process, next)
	return nil
}

// gone returns the things that an earlier process left connected, of the stepMax
// connected ones that come next, and how far the search is then.
func (c *connections) gone(tx *commit.Tx, at absence) (names []muster.ThingName, next absence, err error) {
	from, n := "", 0
	if at.After != "" {
		from = store.After(at.After)
	}
	for row, err := range tables.connected.Scan(tx, from, "") {
		if err != nil {
			return nil, at, err
		}
		if n++; n > stepMax {
			return names, at, nil
		}
		at.After = row.Key
		known, err := tables.connections.Get(tx, row.Key)
		if err != nil {
			return nil, at, err
		}
		if known != nil && known.Process != c.process {
			names = append(names, muster.ThingName(row.Key))
		}
	}
	return names, absence{Done: true}, nil
}

// dropAbsences forgets the searches of earlier processes.
func dropAbsences(tx *commit.Tx) error {
	for row, err := range tables.absences.Scan(tx, "", "") {
		if err != nil {
			return err
		}
		tables.absences.Delete(tx, row.Key)
	}
	return nil
}

// Connectivity returns what is known of the connection of a thing. It fails with
// NotFound when there is no such thing or it was never connected, and with
// Invalid while connectivity is not indexed.
func (s *Registry) Connectivity(ctx context.Context, name muster.ThingName) (muster.Connectivity, error) {
	var c muster.Connectivity
	err := s.commits.View(ctx, func(r store.Reader) error {
		state, err := indexStateOf(r)
		if err != nil {
			return err
		}
		if !state.Config.Things || !state.Config.Connectivity {
			return muster.Errorf(muster.Invalid, "Connectivity is not indexed: thingConnectivityIndexingMode is OFF")
		}
		if err := mustHaveThing(r, name); err != nil {
			return err
		}
		if c, err = s.connections.of(r, name); err == nil && c == (muster.Connectivity{}) {
			err = muster.Errorf(muster.NotFound, "Thing %s has never been connected", name)
		}
		return err
	})
	return c, err
}

// connectivity returns what is known of a thing's connection, zero for nothing.
// What an earlier process left connected is not, also before the background has
// come to it.
func (cs *connections) of(r store.Reader, name muster.ThingName) (muster.Connectivity, error) {
	c, err := tables.connections.Get(r, string(name))
	if err != nil || c == nil {
		return muster.Connectivity{}, err
	}
	if c.Connected && c.Process != cs.process {
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
