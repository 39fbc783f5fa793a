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

// ConnectionChange says that a client connected or disconnected.
type ConnectionChange struct {
	Client string // the client id; ignored unless it is the name of a thing
	muster.Connectivity
	Whole bool // the connection both began and ended since the change before

	// Epoch is the number of the client's connection, of all that it has with several servers; 0 for a
	// server that is alone. Of a connection with a higher number nothing is known to this change.
	Epoch uint64
}

// connection is what is stored of a thing's connectivity. Session and Process are empty
// once the thing is disconnected: nothing asks for them any more.
type connection struct {
	muster.Connectivity
	Process string `json:",omitempty"` // the server process that wrote it
	Epoch   uint64 `json:",omitempty"` // of the connection
}

// connections stores which things are connected. A process that is killed cannot
// write that its clients are gone, so each record names the process that wrote it: once that is
// gone, the record may be out of date.
type connections struct {
	index   *index
	process string            // the name of this run of the server
	gone    func(string) bool // whether another process is
}

// isGone reports whether a process is gone that wrote that a thing is connected.
func (c *connections) isGone(process string) bool { return process != c.process && c.gone(process) }

// RecordConnections stores which clients connected and disconnected, as background
// work in transactions of at most stepMax changes. It returns when all are durable.
// Changes of one client must be passed in the order in which they happened. Clients
// that are not named like a thing are ignored.
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
	tx.Prefetch(func(w *commit.Wants) {
		w.Record(tables.absences.Table, c.process)
		for _, change := range changes {
			w.Record(tables.connections.Table, change.Client)
			w.Record(tables.things.Table, change.Client)
		}
	})
	if known, err := tables.absences.Has(tx, c.process); err != nil {
		return err
	} else if !known {
		tables.absences.Put(tx, c.process, absence{}) // others know by it that this process may leave things connected
	}
	for _, change := range changes {
		name := muster.ThingName(change.Client)
		known, err := tables.connections.Get(tx, change.Client)
		if err != nil {
			return err
		}
		var old muster.Connectivity
		if known != nil {
			if old = known.Connectivity; change.Epoch < known.Epoch && change.Epoch != 0 {
				continue // another server has told of a later connection
			}
		}
		if old == (muster.Connectivity{}) { // else the thing exists, since forget removes what is known of one that is deleted
			ok, err := tables.things.Has(tx, change.Client)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
		}
		if now := old.After(change.Connectivity, change.Whole); now != old {
			if err := c.write(tx, name, old, now, change.Epoch); err != nil {
				return err
			}
		}
	}
	return nil
}

// connectionOf returns the stored connectivity of a thing, zero if it was never
// connected. The index holds this value, also when it is out of date: what is
// removed from the index must be what was put there.
func connectionOf(r store.Reader, name muster.ThingName) (muster.Connectivity, error) {
	c, err := tables.connections.Get(r, string(name))
	if err != nil || c == nil {
		return muster.Connectivity{}, err
	}
	return c.Connectivity, nil
}

// write stores the connectivity of a thing by the connection with an epoch, replaces it in the index, and notes a recheck
// for each field that differs.
func (c *connections) write(tx *commit.Tx, name muster.ThingName, old, now muster.Connectivity, epoch uint64) error {
	stored := connection{Connectivity: now, Process: c.process, Epoch: epoch}
	if !now.Connected {
		stored.Session, stored.Process = "", ""
	}
	tables.connections.Put(tx, string(name), stored)
	if old != (muster.Connectivity{}) {
		tables.connectivity.Delete(tx, connectivityKey(name, old))
	}
	tables.connectivity.Put(tx, connectivityKey(name, now), store.Link{})
	x, err := c.index.view(tx)
	if err != nil || !x.state.Config.Things || !x.state.Config.Connectivity || len(x.dynamic) == 0 {
		return err
	}
	c.index.recheckChanged(tx, x, name, connectivityDocument(old), connectivityDocument(now))
	return nil
}

// forget removes the connectivity of a thing that is being deleted.
func (c *connections) forget(tx *commit.Tx, name muster.ThingName) error {
	old, err := connectionOf(tx, name)
	if err != nil || old == (muster.Connectivity{}) {
		return err
	}
	tables.connections.Delete(tx, string(name))
	tables.connectivity.Delete(tx, connectivityKey(name, old))
	return nil
}

// absence is the progress of a process that looks for things which are stored as
// connected by processes that are gone. Those clients are absent: they have to connect
// again. Each process has such a record, so that one is found to be gone by its record. It is
// removed when another process begins to look.
type absence struct {
	After string // the last row of the index of connectivity that was checked
	Done  bool
}

// mayBeLeft reports whether there may still be things that a process which is gone left
// stored as connected: this process has not checked all of them since.
func (c *connections) mayBeLeft(r store.Reader) (bool, error) {
	a, err := tables.absences.Get(r, c.process)
	if err != nil || a == nil || !a.Done {
		return true, err
	}
	gone, err := c.goneProcesses(r)
	return len(gone) > 0, err
}

// goneProcesses returns the processes that are gone and may have left things connected.
func (c *connections) goneProcesses(r store.Reader) (gone []string, err error) {
	for row, err := range tables.absences.Scan(r, "", "") {
		if err != nil {
			return nil, err
		}
		if c.isGone(row.Key) {
			gone = append(gone, row.Key)
		}
	}
	return gone, nil
}

// disconnectLeft marks some of the things as disconnected that processes which are gone
// left stored as connected: no connection survives its process. It goes through those that are
// connected, stepMax of them in one step, and stores how far it is. If a process turns out to be
// gone meanwhile it begins anew.
func (c *connections) disconnectLeft(tx *commit.Tx) error {
	at, err := tables.absences.Get(tx, c.process)
	if err != nil {
		return err
	}
	gone, err := c.goneProcesses(tx)
	if err != nil {
		return err
	}
	for _, process := range gone {
		tables.absences.Delete(tx, process)
	}
	if at == nil || len(gone) > 0 {
		at = &absence{}
	}
	left, next, err := c.nextLeftConnected(tx, *at)
	if err != nil {
		return err
	}
	for _, name := range left {
		old, err := tables.connections.Get(tx, string(name))
		if err != nil {
			return err
		}
		now := old.Connectivity
		now.Connected, now.At, now.Reason = false, tx.Now, muster.UnknownReason
		if err := c.write(tx, name, old.Connectivity, now, old.Epoch); err != nil {
			return err
		}
	}
	tables.absences.Put(tx, c.process, next)
	return nil
}

// nextLeftConnected checks the next stepMax connected things. It returns those that
// a process wrote which is gone, and the progress after them.
func (c *connections) nextLeftConnected(tx *commit.Tx, at absence) (names []muster.ThingName, next absence, err error) {
	from, to := store.Under(strconv.FormatBool(true))
	if at.After != "" {
		from = store.After(at.After)
	}
	var connected []muster.ThingName
	next = absence{Done: true}
	for row, err := range tx.Scan(tables.connectivity.Table, from, to) {
		if err != nil {
			return nil, at, err
		}
		if len(connected) == stepMax {
			next = at
			break
		}
		at.After = row.Key
		name, _, err := connectivityIn(row.Key)
		if err != nil {
			return nil, at, err
		}
		connected = append(connected, name)
	}
	tx.Prefetch(func(w *commit.Wants) {
		for _, name := range connected {
			w.Record(tables.connections.Table, string(name))
		}
	})
	for _, name := range connected {
		known, err := tables.connections.Get(tx, string(name))
		if err != nil {
			return nil, at, err
		}
		if known != nil && c.isGone(known.Process) {
			names = append(names, name)
		}
	}
	return names, next, nil
}

// Connectivity returns the connectivity of a thing. It fails with NotFound if the
// thing does not exist or was never connected, and with Invalid while connectivity
// is not indexed.
func (s *Registry) Connectivity(ctx context.Context, name muster.ThingName) (muster.Connectivity, error) {
	var c muster.Connectivity
	err := s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) {
			w.Record(tables.indexStates.Table, theIndex)
			wantThing(name)(w)
			w.Record(tables.connections.Table, string(name))
		})
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
		if c, err = s.connections.shown(r, name); err == nil && c == (muster.Connectivity{}) {
			err = muster.Errorf(muster.NotFound, "Thing %s has never been connected", name)
		}
		return err
	})
	return c, err
}

// shown returns the connectivity of a thing as callers see it, zero if it was never
// connected. A record that a process which is gone left as connected is shown as
// disconnected, even before disconnectLeft has reached it.
func (c *connections) shown(r store.Reader, name muster.ThingName) (muster.Connectivity, error) {
	stored, err := tables.connections.Get(r, string(name))
	if err != nil || stored == nil {
		return muster.Connectivity{}, err
	}
	if stored.Connected && c.isGone(stored.Process) {
		stored.Connected, stored.Reason = false, muster.UnknownReason
	}
	return stored.Connectivity, nil
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
