package storetest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Site is one store that several processes share (Join), in memory. It promises no more than
// store.Shared does: see Skewed. Transactions of Apply of different processes run at the
// same time and are refused when they could not have run one after the other.
type Site struct {
	// Refusals, if it is not zero, has about one of so many transactions refused for no reason. It
	// is set before the first call.
	Refusals int
	// Lies are promises that the site does not keep. They are set before the first call.
	Lies Lies

	main    store.Store
	now     func() time.Time
	fork    func() store.Store
	lanes   int
	seed    uint64
	longest time.Duration
	single  bool // there is one process, and the site is not shared

	mu      sync.Mutex // guards what follows
	joined  uint64     // processes
	last    store.Moment
	applied int         // transactions
	changed map[any]int // by key: the value of applied when it was written last
	running map[*recorded]bool
	serial  serial
	gate    siteGate
}

// Lies are what a store may get wrong, so that a test can show that it would be noticed.
type Lies struct {
	Serial  bool                   // transactions of Apply are no more than snapshots, as those of lanes
	Gate    bool                   // ApplyAlone waits for nobody
	Empty   bool                   // queues without entries are forgotten
	Settled bool                   // Settled does not wait for those that run
	Clocks  bool                   // moments are of the clock of the process, and not of the store
	Stale   func(store.Table) bool // the lanes of a process go on reading these records as they have read them first
}

// errCut is the error of a process that was cut off.
var errCut = fmt.Errorf("%w: this process was cut off from it", store.ErrStopped)

// NewSite returns a site whose content is that of main and whose clock is now.
func NewSite[S Forking[S]](main S, now func() time.Time, lanes int, seed uint64, longest time.Duration) *Site {
	s := &Site{
		main: main, now: now, fork: func() store.Store { return main.Fork() }, lanes: lanes, seed: seed, longest: longest,
		changed: map[any]int{}, running: map[*recorded]bool{},
	}
	s.gate.moved = sync.NewCond(&s.mu)
	return s
}

// Process is what one process has of a site. Closing it leaves the others alone.
type Process struct {
	// Clock is that of the process, for Lies.Clocks.
	Clock func() time.Time

	site  *Site
	lanes []*skewedLane // the last one is that of Apply

	mu      sync.Mutex // guards what follows
	looking *skewedLane
	stale   map[recordKey][]byte

	cut, closed bool // site.mu guards them
}

var _ store.Shared = (*Process)(nil)

// Join returns what another process has of the site.
func (s *Site) Join() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &Process{Clock: s.now, site: s, stale: map[recordKey][]byte{}}
	for n := range uint64(s.lanes) + 1 {
		p.lanes = append(p.lanes, newSkewedLane(s.seed, s.joined<<16+n))
	}
	p.looking = newSkewedLane(s.seed, s.joined<<16+1<<15)
	s.joined++
	return p
}

// Cut ends a process as kill -9 does: what it has not committed never will be, and every call
// fails.
func (p *Process) Cut() {
	p.site.mu.Lock()
	defer p.site.mu.Unlock()
	p.cut = true
}

func (p *Process) wasCut() bool {
	p.site.mu.Lock()
	defer p.site.mu.Unlock()
	return p.cut
}

// alive returns an error if the process can do nothing any more. The caller holds mu.
func (p *Process) alive() error {
	switch {
	case p.cut:
		return errCut
	case p.closed:
		return store.ErrClosed
	}
	return nil
}

func (p *Process) check() error {
	p.site.mu.Lock()
	defer p.site.mu.Unlock()
	return p.alive()
}

// View runs fn on what there is, some time after the call.
func (p *Process) View(ctx context.Context, fn func(store.Reader) error) error {
	if err := p.check(); err != nil {
		return err
	}
	if p.site.single {
		return p.site.main.View(ctx, fn)
	}
	p.mu.Lock()
	wait := time.Duration(p.looking.rng.Int64N(int64(p.site.longest)/16 + 1))
	p.mu.Unlock()
	time.Sleep(wait)
	err := p.site.main.View(ctx, func(r store.Reader) error {
		if !p.site.Lies.Empty {
			r = keeping{r}
		}
		return fn(r)
	})
	if dead := p.check(); dead != nil {
		return dead
	}
	return err
}

// Close implements store.Store.
func (p *Process) Close() error {
	if p.site.single {
		return p.site.main.Close()
	}
	p.site.mu.Lock()
	defer p.site.mu.Unlock()
	err := p.alive()
	p.closed = true
	return err
}

// Shared implements store.Shared.
func (p *Process) Shared() bool { return true }

// Lanes implements store.Laned.
func (p *Process) Lanes() int { return len(p.lanes) - 1 }

// LaneOf implements store.Laned.
func (p *Process) LaneOf(thing muster.ThingName) int {
	return int(store.HashOf(thing) % uint32(p.Lanes()))
}

// ApplyIn implements store.Laned.
func (p *Process) ApplyIn(ctx context.Context, lane int, fn func(store.Tx) error) (func() error, error) {
	return p.apply(ctx, p.lanes[:p.Lanes()][lane], ofLane, fn)
}

// Apply implements store.Store.
func (p *Process) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return p.apply(ctx, p.lanes[p.Lanes()], ofWide, fn)
}

// ApplyAlone implements store.Shared.
func (p *Process) ApplyAlone(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return p.apply(ctx, p.lanes[p.Lanes()], ofAlone, fn)
}

// Settled implements store.Shared.
func (p *Process) Settled(context.Context) (store.Moment, error) {
	s := p.site
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := p.alive(); err != nil {
		return 0, err
	}
	settled := max(store.Moment(s.now().UnixMicro()), s.last+1)
	if s.Lies.Settled {
		return settled, nil
	}
	for tx := range s.running {
		settled = min(settled, tx.moment)
	}
	return settled, nil
}

// kind is the way in which a transaction runs.
type kind uint8

const (
	ofLane kind = iota
	ofWide
	ofAlone
)

func (p *Process) apply(ctx context.Context, l *skewedLane, k kind, fn func(store.Tx) error) (func() error, error) {
	s := p.site
	if err := s.main.View(ctx, func(store.Reader) error { return nil }); err != nil { // a fork does not know that its origin is closed
		return nil, err
	}
	select {
	case l.free <- struct{}{}:
		defer func() { <-l.free }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	leave := s.enter(k)
	defer leave()
	snapshot, rec, at, err := s.begin(p)
	if err != nil {
		return nil, err
	}
	defer s.end(rec)
	l.pause(s.longest)
	var reads *readSet
	if _, err := snapshot.Apply(ctx, func(tx store.Tx) error {
		if s.Lies.Stale != nil && k == ofLane {
			tx = staleTx{tx, p}
		}
		rec.Tx, rec.keys, rec.writes, rec.reread = tx, map[any]bool{}, nil, nil
		if k == ofLane || s.single {
			return fn(rec)
		}
		reads = &readSet{recorded: rec}
		return fn(reads)
	}); err != nil {
		return nil, err
	}
	l.pause(s.longest)
	if s.Refusals > 0 && l.rng.IntN(s.Refusals) == 0 {
		return nil, fmt.Errorf("%w: for no reason", store.ErrAgain)
	}
	wait, err := s.commit(ctx, p, rec, reads, at)
	if err != nil {
		return nil, err
	}
	if rec.reread != nil {
		if err := p.View(ctx, func(r store.Reader) error { rec.reread(r); return nil }); err != nil {
			return nil, err
		}
	}
	if s.single {
		return wait, nil
	}
	pause := time.Duration(l.rng.Int64N(int64(s.longest)/4 + 1))
	return func() error { // a process may die before it hears that it has committed
		if time.Sleep(pause); p.wasCut() {
			return errCut
		}
		return wait()
	}, nil
}

// begin takes the snapshot of a transaction, and its moment.
func (s *Site) begin(p *Process) (snapshot store.Store, rec *recorded, at int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := p.alive(); err != nil {
		return nil, nil, 0, err
	}
	s.last = max(store.Moment(s.now().UnixMicro()), s.last+1)
	rec = &recorded{moment: s.last, keeps: !s.single && !s.Lies.Empty}
	s.running[rec] = true
	if s.Lies.Clocks {
		rec.moment = store.Moment(p.Clock().UnixMicro())
	}
	return s.fork(), rec, s.applied, nil
}

func (s *Site) end(rec *recorded) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, rec)
}

// commit applies a transaction whose snapshot was taken when at were applied, or refuses it.
func (s *Site) commit(ctx context.Context, p *Process, rec *recorded, reads *readSet, at int) (func() error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := p.alive(); err != nil {
		return nil, err
	}
	for key := range rec.keys {
		if s.changed[key] > at {
			return nil, fmt.Errorf("%w: %v was changed meanwhile", store.ErrAgain, key)
		}
	}
	if reads != nil && !s.Lies.Serial && !s.serial.add(reads, at, s.applied+1) {
		return nil, fmt.Errorf("%w: it depends on one that depends on it", store.ErrAgain)
	}
	wait, err := s.main.Apply(ctx, rec.replay)
	if err != nil {
		return nil, err
	}
	s.applied++
	for key := range rec.keys {
		s.changed[key] = s.applied
	}
	delete(s.running, rec)
	return wait, nil
}

// siteGate lets transactions run, of all processes, or one that runs alone. site.mu guards it.
type siteGate struct {
	moved  *sync.Cond
	inside int  // transactions that do not run alone
	alone  int  // that run alone, or wait for that
	taken  bool // one of them runs
}

// enter waits until a transaction may begin, and returns a function to be called at its end.
func (s *Site) enter(k kind) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &s.gate
	if k != ofAlone {
		for g.alone > 0 && !s.Lies.Gate {
			g.moved.Wait()
		}
		g.inside++
	} else {
		g.alone++
		for (g.inside > 0 || g.taken) && !s.Lies.Gate {
			g.moved.Wait()
		}
		g.taken = true
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if k != ofAlone {
			g.inside--
		} else {
			g.alone--
			g.taken = false
		}
		g.moved.Broadcast()
	}
}

// keptRevisions are the revisions of queues without entries. Key: thing and namespace.
const keptRevisions store.Table = "storetest.empty"

func keepRevision(tx store.Tx, q muster.Queue) {
	key := store.JoinKey(string(q.Thing), string(q.Namespace))
	if len(q.Entries) == 0 {
		tx.Put(keptRevisions, key, strconv.AppendInt(nil, q.Rev, 10))
	} else {
		tx.Delete(keptRevisions, key)
	}
}

// keeping is a Reader that knows the revisions of queues without entries.
type keeping struct{ store.Reader }

func (k keeping) Queues(keys ...store.QueueKey) ([]muster.Queue, error) {
	queues, err := k.Reader.Queues(keys...)
	for i, q := range queues {
		if len(q.Entries) > 0 {
			continue
		}
		rev, err := k.Reader.Get(keptRevisions, store.JoinKey(string(q.Thing), string(q.Namespace)))
		if err != nil {
			return nil, err
		}
		queues[i].Rev, _ = strconv.ParseInt(string(rev), 10, 64)
	}
	return queues, err
}

// staleTx reads some records as its process has read them first (Lies.Stale).
type staleTx struct {
	store.Tx
	p *Process
}

func (t staleTx) Get(table store.Table, key string) ([]byte, error) {
	value, err := t.Tx.Get(table, key)
	if err != nil || value == nil || !t.p.site.Lies.Stale(table) {
		return value, err
	}
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	of := recordKey{table, key}
	if first, known := t.p.stale[of]; known {
		return append([]byte{}, first...), nil
	}
	t.p.stale[of] = value
	return append([]byte{}, value...), nil
}
