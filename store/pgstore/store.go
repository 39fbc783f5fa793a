// Package pgstore is a store.Store on a PostgreSQL database, of version 14 or later. It is
// the only package that imports a PostgreSQL client.
//
// A transaction keeps its changes in memory and reads what it has not read yet, a
// snapshot of which the database takes at the first read; then all changes and the commit
// are sent in one round trip. Queues and executions have tables of their own, other
// records share one (schema/). One transaction runs at a time, and one more in each lane if
// there are lanes. A process on a database is a row of the table node, which it renews, and each
// commit checks that no other process has taken over (lane.go).
//
// Either one process works on a database at a time, or if all agree (Options.Shared), several do.
// Then a gate in the database does for transactions of all of them what a lock does within a process
// (ApplyAlone), its clock orders them (moment.go), and nodes that do not renew their rows
// are fenced (roster.go).
//
// Where Citus distributes the tables, the rows of a thing are in one shard (shards.go).
//
// A database that is restarted, or cannot be reached for a while, is waited for
// (outageMax); after that calls fail with store.ErrUnavailable, until it is there again. The
// process never has to be started anew for that.
package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Options say which database to open, and how.
type Options struct {
	// Database is a postgres:// URL or a text of "key=value" pairs, as libpq takes them.
	// What it leaves out comes from the variables of the environment, the password file and
	// the service file that libpq reads. Required.
	Database string

	// Node names the server on the database. No two processes of one name may run at a
	// time, and unless Shared is set the caller sees to that: what a process of this name left
	// is taken over at once. Empty is a random name, which waits until a former server's row
	// has expired.
	Node string

	// Lanes is how many transactions of devices may run at the same time besides that of
	// Apply, each on a connection of its own. Zero has all of them run in Apply, one after the
	// other, in larger batches; on a database that is distributed it has as many as there are
	// shards, and if Shared is set, one.
	Lanes int

	// Shared lets other processes work on the database at the same time, all of which must
	// have it set: the store is a store.Shared and a store.Roster then. Each is a node with
	// a name of its own; one whose name another live node has waits whether that ends. The clock
	// of the machine may not be wrong by more than a minute.
	Shared bool

	// Version is that of the program, for people who look at the table of servers.
	Version string

	// ReadOnly opens the database to look at it: it makes no tables, migrates nothing, and
	// every Apply fails with ErrReadOnly. A server may be working on the database.
	ReadOnly bool

	// Check looks at what is in the database before Open changes anything there. Its error is
	// that of Open, which then has changed nothing. The tables may be of a former release, so
	// it should read no more than records; r is nil if there are none yet. Nil is allowed.
	Check func(r store.Reader) error

	// Fatal is called once when the store has stopped for good, because another server has taken
	// the database over or it cannot be found out what became of a commit: every later call
	// fails with store.ErrStopped. It may end the process, which is always safe, and must not
	// wait for a call on the store. Nil is allowed.
	Fatal func(error)

	// Log receives what is tried again. Nil discards it.
	Log *slog.Logger

	// OnCommit is told of each transaction that has changed something, for metrics. Nil is
	// allowed.
	OnCommit func(Commit)

	// OnView is told of each view that has read something, before View returns, and of each
	// transaction that has read and changed nothing. Nil is allowed.
	OnView func(View)
}

// Commit is one transaction, for metrics.
type Commit struct {
	Trips      int           // round trips
	Statements int           // in all of them, those that begin and end the transaction included
	Rerun      int           // how often it ran again because the database was not there
	Took       time.Duration // of the last trip, which writes and commits
}

// View is one snapshot that was only read, for metrics. Its numbers leave out the end of the
// transaction, since no caller waits for that.
type View struct {
	Trips      int // round trips
	Statements int // in all of them, that which begins the transaction included
}

// Errors of Open and Apply; each is wrapped in an error that says more.
var (
	ErrInUse    = errors.New("another server works on the database")
	ErrReadOnly = errors.New("the database was opened to be read only")
)

// outageMax is how long calls wait for a database that is not there before they fail.
const outageMax = 10 * time.Second

// viewsMax is how many views are read at a time. More of them wait.
const viewsMax = 8

// Store is one open database. Make it with Open.
type Store struct {
	o      Options
	pool   *pgxpool.Pool // of views
	wide   *lane         // of Apply; nil when the store is read only, as are the next two
	lanes  []*lane       // of ApplyIn
	shards *shards       // nil unless the database is distributed
	node   *node
	steps  steps
	format atomic.Int64
	outage outage
	noRoom noRoom

	failure atomic.Pointer[error]

	mu     sync.Mutex // guards closed, and calls against it
	closed bool
	calls  sync.WaitGroup
}

var (
	_ store.Formatted = (*Store)(nil)
	_ store.Scattered = (*Store)(nil)
)

// View runs fn on one snapshot. If the database goes away before the first read has
// succeeded, that is tried again; later the error is that of fn, which is not run again,
// because it may have kept something of what it has read.
func (s *Store) View(ctx context.Context, fn func(store.Reader) error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	v := &view{s: s, session: session{ctx: ctx, begin: opensView}}
	v.take = v.takeConn
	defer v.end()
	return fn(&reader{s: &v.session, own: &changes{shards: s.shards}, view: true})
}

// Apply runs fn on a serializable transaction and commits it. Without lanes nothing runs at
// the same time, so a snapshot is all that it needs. The wait that it returns does not block.
func (s *Store) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return s.applyOn(ctx, s.wide, s.beginWide(), fn)
}

// Lanes returns how many transactions run at the same time besides that of Apply.
func (s *Store) Lanes() int { return len(s.lanes) }

// LaneOf returns the lane of a thing. On a database that is distributed, the things of a shard
// have the same lane.
func (s *Store) LaneOf(thing muster.ThingName) int {
	n := bucketOf(thing)
	if s.shards != nil {
		n = s.shards[n]
	}
	return int(n) % len(s.lanes)
}

// ApplyIn is Apply in a lane, at snapshot isolation.
func (s *Store) ApplyIn(ctx context.Context, n int, fn func(store.Tx) error) (func() error, error) {
	if s.o.ReadOnly {
		return nil, ErrReadOnly
	}
	return s.applyOn(ctx, s.lanes[n], s.beginLane(), fn)
}

// Shared reports whether other processes may work on the database.
func (s *Store) Shared() bool { return s.o.Shared }

// ApplyAlone is Apply while there is no other transaction in any process.
func (s *Store) ApplyAlone(ctx context.Context, fn func(store.Tx) error) (wait func() error, err error) {
	for _, longest := range gateWaits {
		if wait, err = s.applyOn(ctx, s.wide, beginAlone(longest), fn); !isLate(err) {
			return wait, err
		}
	}
	return nil, err
}

// applyOn runs a transaction on l, which begins as statements say.
func (s *Store) applyOn(ctx context.Context, l *lane, begin []string, fn func(store.Tx) error) (func() error, error) {
	if s.o.ReadOnly {
		return nil, ErrReadOnly
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	release, err := l.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.stopped(); err != nil { // while this call waited for its turn
		return nil, err
	}
	if err := s.transact(l, begin, fn); err != nil {
		return nil, err
	}
	return durable, nil
}

// durable is the wait of every transaction: a commit is answered when it is on the disk.
func durable() error { return nil }

// transact runs fn until the database has said what became of its transaction.
func (s *Store) transact(l *lane, begin []string, fn func(store.Tx) error) error {
	tries := s.outage.tries()
	for rerun := 0; ; rerun++ {
		err := l.transact(begin, fn, rerun)
		switch {
		case err == nil:
			s.outage.over(s.o.Log)
			return nil
		case faultOf(err) == outvote, errors.Is(err, errDoubt):
			return s.stop(err)
		case errors.Is(err, store.ErrFull):
			s.noRoom.say(s.o.Log, err)
			return err
		case !errors.Is(err, store.ErrUnavailable):
			return err
		}
		if !tries.again(context.Background(), s.o.Log, err) {
			return err
		}
	}
}

// Scattered reports whether the tables of things are distributed over several servers.
func (s *Store) Scattered() bool { return s.shards != nil }

// Format returns the format of what is in the database.
func (s *Store) Format() int { return int(s.format.Load()) }

// SetFormat changes it and returns when that is durable.
func (s *Store) SetFormat(ctx context.Context, format int) error {
	if s.o.ReadOnly {
		return ErrReadOnly
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	done, err := s.pool.Exec(ctx, setFormat, format, s.node.incarnation)
	switch {
	case err != nil:
		return asStore(err)
	case done.RowsAffected() == 0:
		return s.stop(s.outvoted())
	}
	s.format.Store(int64(format))
	return nil
}

// Close waits for running calls, gives the database up to other servers, and closes the
// connections.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return store.ErrClosed
	}
	s.calls.Wait()
	if s.node != nil {
		s.node.leave()
		for _, l := range s.all() {
			l.close()
		}
	}
	s.pool.Close()
	return nil
}

// all returns all lanes.
func (s *Store) all() []*lane { return append([]*lane{s.wide}, s.lanes...) }

// begin enters a call, which must end with s.calls.Done.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	if err := s.stopped(); err != nil {
		return err
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) stopped() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// stop stops the store for good, with the reason cause, unless it has stopped already.
func (s *Store) stop(cause error) error {
	err := fmt.Errorf("%w: %w", store.ErrStopped, cause)
	if s.failure.CompareAndSwap(nil, &err) {
		s.o.Log.Error("store stopped", "error", cause.Error())
		s.o.Fatal(err)
	}
	return s.stopped()
}
