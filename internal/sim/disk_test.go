package sim

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// disk is what outlives the process: a store whose durability the simulation
// decides. It keeps a separate state for every transaction that was applied and is
// not durable yet, so that after a crash any of them can be the last one that is
// on the platter. What became durable is kept for audit.
//
// With a database in place of memory it decides less: what was applied is durable, and
// survives a crash whether it was answered or not.
type disk struct {
	database string // its URL; empty: in memory

	mu      sync.Mutex
	platter *memstore.Store // the state that will survive, in memory
	tail    []*transaction  // applied, in order, and not durable
	durable []*transaction  // durable, and not yet audited
}

// transaction is what one Apply wrote, in the order in which it did.
type transaction struct {
	at     muster.Instant
	writes []write
	fork   *memstore.Store // the state with it, in memory
	synced chan struct{}   // closed once it is durable
}

// write is a change of an execution, or a job that was put or deleted.
type write struct {
	before, after *muster.Execution

	job  *muster.Job // nil when it was deleted
	gone muster.JobID
}

// power is the disk for one process, until that process is killed. It is a
// store.Store.
type power struct {
	disk  *disk
	now   func() muster.Instant
	inner store.Store

	mu      sync.Mutex
	gate    chan struct{} // closed when transactions may begin; nil: they may
	holding bool          // nothing becomes durable any more
	fuse    int           // transactions until the process dies; zero: it lives on
	early   bool          // it dies before the last of them, else after it
	dead    bool
	death   chan struct{}
}

var _ store.Store = (*power)(nil)

func newDisk(database string) *disk { return &disk{database: database, platter: memstore.New()} }

// on starts a process on the disk.
func (d *disk) on(t *testing.T, now func() muster.Instant) *power {
	p := &power{disk: d, now: now, death: make(chan struct{})}
	if d.database != "" {
		p.inner = teststore.Open(t, d.database)
	} else {
		p.inner = d.platter.Fork()
	}
	return p
}

// audit returns what became durable since the last call.
func (d *disk) audit() []*transaction {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.durable
	d.durable = nil
	return all
}

var errPower = fmt.Errorf("sim: the power is out: %w", store.ErrStopped)

func (p *power) View(ctx context.Context, fn func(store.Reader) error) error {
	if p.isDead() {
		return errPower
	}
	err := p.inner.View(ctx, fn)
	if waited := p.await(p.last()); waited != nil {
		return waited
	}
	return err
}

func (p *power) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	p.pass()
	if p.burn(true) {
		return nil, errPower
	}
	t := &transaction{at: p.now(), synced: make(chan struct{})}
	_, err := p.inner.Apply(ctx, func(tx store.Tx) error {
		t.writes = nil
		return fn(recording{tx, t})
	})
	if err != nil {
		return nil, err
	}
	p.settle(t)
	p.burn(false)
	return func() error { return p.await(t) }, nil
}

// Close is called when nothing of the process is left.
func (p *power) Close() error { return p.inner.Close() }

// shut keeps the next transaction from beginning until open is called.
func (p *power) shut() (open func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gate := make(chan struct{})
	p.gate = gate
	return func() { close(gate) }
}

func (p *power) pass() {
	p.mu.Lock()
	gate := p.gate
	p.mu.Unlock()
	if gate != nil {
		<-gate
	}
}

// settle takes a transaction that was applied.
func (p *power) settle(t *transaction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	if memory, ok := p.inner.(*memstore.Store); ok {
		t.fork = memory.Fork()
	}
	if p.holding || p.dead {
		p.disk.tail = append(p.disk.tail, t)
		return
	}
	p.disk.platter = t.fork
	p.disk.durable = append(p.disk.durable, t)
	close(t.synced)
}

// last returns the newest transaction that is not durable, or nil.
func (p *power) last() *transaction {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	if n := len(p.disk.tail); n > 0 {
		return p.disk.tail[n-1]
	}
	return nil
}

// await returns once t is durable, or an error when that will never be.
func (p *power) await(t *transaction) error {
	if t == nil {
		return nil
	}
	select {
	case <-t.synced:
		return nil
	case <-p.death:
		return errPower
	}
}

// burn shortens the fuse and reports whether the process is dead. If it dies early,
// the transaction that was about to be applied is lost.
func (p *power) burn(before bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if before && p.fuse > 0 {
		p.fuse--
	}
	if p.fuse == 0 && p.early == before && p.armed() {
		p.die()
	}
	return p.dead
}

func (p *power) armed() bool { return p.holding && !p.dead }

// arm kills the process within the next n transactions. None of them is durable
// until crash decides which ones are.
func (p *power) arm(n int, early bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holding, p.fuse, p.early = true, n, early
}

// kill ends the process now.
func (p *power) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead {
		p.die()
	}
}

func (p *power) die() { p.dead = true; close(p.death) }

func (p *power) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// crash makes the first keep of the transactions that were not durable yet durable,
// and discards the others. It returns how many there were of each. A database has them
// all.
func (d *disk) crash(keep func(n int) int) (kept, lost int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if kept = len(d.tail); d.database == "" {
		kept = keep(kept)
	}
	lost = len(d.tail) - kept
	for _, t := range d.tail[:kept] {
		d.platter = t.fork
		d.durable = append(d.durable, t)
	}
	d.tail = nil
	return kept, lost
}

// recording is a transaction whose writes are recorded.
type recording struct {
	store.Tx
	t *transaction
}

func (r recording) Change(before, after *muster.Execution) {
	r.t.writes = append(r.t.writes, write{before: copied(before), after: copied(after)})
	r.Tx.Change(before, after)
}

func copied(x *muster.Execution) *muster.Execution {
	if x == nil {
		return nil
	}
	c := *x
	return &c
}

// jobTable is where package jobs keeps jobs. It is the only table that the
// simulation knows.
var jobTable = store.Of[muster.Job]{Table: "job"}

func (r recording) Put(table store.Table, key string, value []byte) {
	r.Tx.Put(table, key, value)
	if table == jobTable.Table {
		j, err := jobTable.Get(r.Tx, key)
		if err != nil || j == nil {
			panic(fmt.Sprintf("sim: job %q was put and is not there: %v", key, err))
		}
		r.t.writes = append(r.t.writes, write{job: j})
	}
}

func (r recording) Delete(table store.Table, key string) {
	r.Tx.Delete(table, key)
	if table == jobTable.Table {
		r.t.writes = append(r.t.writes, write{gone: muster.JobID(key)})
	}
}
