package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-iot/muster/store"
)

// claimCommit is in every commit. It counts the lane's number up, and fails with a division
// by zero if the lane is not in the state in which its last commit left it: a batch of
// statements cannot be made to depend on how many rows one of them has changed. $4 is the
// number of this commit.
const claimCommit = `WITH claimed AS (
		UPDATE muster.lane SET n = $4 WHERE lane = $1 AND bucket = $2 AND incarnation = $3 AND n = $4 - 1 RETURNING 1
	) SELECT 1 / count(*) FROM claimed`

// lane is a connection on which transactions are committed, one after the other.
type lane struct {
	s           *Store
	config      *pgx.ConnConfig
	turn        chan struct{} // holds a token while a transaction runs
	number      int16
	bucket      int16 // of its row and of its counts
	slot        int16
	incarnation int64
	n           int64 // of the last commit

	conn *pgx.Conn // nil when there is none
}

// lanesOf returns the wide lane of a store, and the others.
func (s *Store) lanesOf(config *pgx.ConnConfig) (wide *lane, others []*lane) {
	lane := func(number int) *lane {
		return &lane{s: s, config: config, turn: make(chan struct{}, 1), number: int16(number)}
	}
	first := s.shards.first()
	count := s.o.Lanes
	if count == 0 {
		count = len(first) // what a lane commits is in one shard then, and on one server
	}
	if count == 0 && s.o.Shared {
		count = 1
	}
	for n := range count {
		others = append(others, lane(n+1))
		if len(first) > 0 {
			others[n].bucket = first[n%len(first)]
		}
	}
	return lane(0), others
}

// counts returns the number of the lane's rows of counts, which no lane of another node has.
func (l *lane) counts() int16 { return l.slot*(lanesMax+1) + l.number }

// take waits for the lane's turn, which release ends.
func (l *lane) take(ctx context.Context) (release func(), err error) {
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// doubtMax is how long it may be unknown whether a commit took place before the store
// stops.
const doubtMax = 5 * time.Minute

// transact runs fn on a transaction and commits it. It fails with store.ErrUnavailable if
// it can be run again as soon as the database is there; it has not taken effect then.
func (l *lane) transact(begin []string, fn func(store.Tx) error, rerun int) error {
	if err := l.connect(); err != nil {
		return err
	}
	session := &session{ctx: context.Background(), conn: l.conn}
	for _, statement := range begin {
		session.begin = append(session.begin, order(-1, statement))
	}
	if l.s.o.Shared {
		session.begin = append(session.begin, session.askMoment())
	}
	tx := newTx(session, l.s.shards, l.s.o.Shared)
	err := fn(tx)
	if err == nil {
		err = session.send(tx.own.askPlaces()...)
	}
	if session.err != nil { // whatever fn makes of it
		err = session.err
	}
	var writes []request
	if err == nil {
		writes, err = tx.writes(l.counts(), l.bucket)
	}
	if err != nil || len(writes) == 0 {
		session.tell(l.s.o.OnView)
		l.give(session)
		return err
	}
	return l.commit(session, writes, &tx.reread, rerun)
}

// give ends a transaction that is not committed, and gives up the connection if that fails.
func (l *lane) give(session *session) {
	session.end()
	if l.conn.IsClosed() {
		l.conn = nil
	}
}

func (l *lane) commit(session *session, writes []request, again *reread, rerun int) error {
	began, committed := time.Now(), false
	end := order(-1, "COMMIT")
	end.done = func() { committed = true }
	writes = append(writes, ask(func(*row) {}, claimCommit, l.number, l.bucket, l.incarnation, l.n+1), end)
	err := session.send(append(writes, again.requests()...)...)
	if committed {
		l.n++
		l.s.o.OnCommit(Commit{Trips: session.trips, Statements: session.statements, Rerun: rerun, Took: time.Since(began)})
		if err == nil {
			again.tell()
		}
		return nil
	}
	if l.s.shards != nil && lostWorker(err) {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	} else if faultOf(err) != gone { // the database has refused one of the statements
		l.give(session)
		return l.outvoted(err)
	}
	l.drop()
	return l.resolve(err)
}

// outvoted returns err, or why this process may commit nothing any more if err says so.
func (l *lane) outvoted(err error) error {
	if faultOf(err) == outvote {
		return l.s.outvoted()
	}
	return asStore(err)
}

// resolve finds out whether the commit that has failed with lost took place, and returns
// nil if so. Otherwise it has not and never will. It waits for the database far longer
// than other calls: whoever is told that the commit failed may rely on it, as do values
// in memory (commit.Tx.Adopt).
func (l *lane) resolve(lost error) error {
	l.s.o.Log.Warn("a commit was not answered; asking the database whether it took place", "error", lost)
	for began := time.Now(); ; time.Sleep(pauseMax) {
		took, err := l.tookPlace()
		switch {
		case err == nil && took:
			return nil
		case err == nil:
			return lost // which says that the database was not there
		case faultOf(err) == outvote || time.Since(began) > doubtMax:
			return fmt.Errorf("%w: %w", errDoubt, err)
		}
	}
}

// tookPlace reports whether the commit after n took place, and makes n the number that the
// lane has now. It waits for a commit that is still on its way, and moves the number on by
// two, so that a commit which reaches the database later fails. The number says by how
// much it was moved already if the answer to an earlier try was lost: it is odd, counted
// from n, if the commit took place.
func (l *lane) tookPlace() (bool, error) {
	if err := l.connect(); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), tripTimeout)
	defer cancel()
	var now int64
	err := l.conn.QueryRow(ctx, `UPDATE muster.lane SET n = n + 2 WHERE lane = $1 AND bucket = $2 AND incarnation = $3 RETURNING n`,
		l.number, l.bucket, l.incarnation).Scan(&now)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, l.s.outvoted()
	case err != nil:
		l.drop()
		return false, err
	}
	took := (now-l.n)%2 != 0
	l.n = now
	return took, nil
}

// connect makes the connection if there is none.
func (l *lane) connect() (err error) {
	if l.conn != nil && !l.conn.IsClosed() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), tripTimeout)
	defer cancel()
	if l.conn, err = pgx.ConnectConfig(ctx, l.config); err != nil {
		l.conn = nil
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if _, err = l.conn.Exec(ctx, synchronous); err == nil && l.s.o.Shared {
		_, err = l.conn.Exec(ctx, `SELECT set_config('application_name', $1, false)`, l.application())
	}
	if err != nil {
		l.drop()
		return asStore(err)
	}
	return nil
}

// drop closes a connection that is of no more use.
func (l *lane) drop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.conn.Close(ctx) // its error says nothing new
	l.conn = nil
}

func (l *lane) close() {
	if l.conn != nil {
		l.drop()
	}
}
