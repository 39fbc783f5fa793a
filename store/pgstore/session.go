package pgstore

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-iot/muster/store"
)

// tripTimeout bounds one round trip, in case the database or the network says nothing at
// all. The database gives up a statement earlier by itself (settings).
const tripTimeout = 20 * time.Second

// session is one transaction on a connection. It begins with the first request, in the
// same round trip, so it costs nothing when nothing is read.
type session struct {
	ctx   context.Context // of the one call that this lives in
	conn  *pgx.Conn
	begin []request // what begins the transaction
	begun bool
	take  func(first []request) error // takes a connection and sends the first requests; nil if there is one from the start
	err   error                       // the first error of the connection or the database; all later requests fail with it
	trips int

	statements int // in all trips

	moment store.Moment // of the transaction; zero if it is not known
}

// request is one statement and what to do with its rows. Rows are read by row, which
// returns the values in the binary form of the protocol, valid until the next row; nil row
// expects none. count is the number of rows that the statement must change, unless negative.
type request struct {
	sql   string
	args  []any
	row   func(*row)
	count int64
	done  func() // called when it was answered without an error; may be nil
}

// ask is a request for rows.
func ask(row func(*row), sql string, args ...any) request {
	return request{sql: sql, args: args, row: row, count: -1}
}

// order is a request that changes n rows, or any number of them if n is negative.
func order(n int64, sql string, args ...any) request {
	return request{sql: sql, args: args, count: n}
}

// send sends requests in one round trip, after the beginning of the transaction if that
// is due, and reads their results.
func (s *session) send(requests ...request) error {
	if s.err != nil || len(requests) == 0 {
		return s.err
	}
	if s.take != nil {
		take := s.take
		s.take = nil
		s.err = asStore(take(requests))
	} else {
		s.err = asStore(s.exchange(requests))
	}
	return s.err
}

func (s *session) exchange(requests []request) error {
	ctx, cancel := context.WithTimeout(s.ctx, tripTimeout)
	defer cancel()
	s.trips++
	batch := &pgx.Batch{}
	if !s.begun {
		s.begun = true
		requests = slices.Concat(s.begin, requests)
	}
	for _, r := range requests {
		batch.Queue(r.sql, r.args...)
	}
	s.statements += batch.Len()
	results := s.conn.SendBatch(ctx, batch)
	err := receive(results, requests)
	if closed := results.Close(); err == nil {
		err = closed
	}
	return explain(err)
}

// receive reads the results of requests.
func receive(results pgx.BatchResults, requests []request) error {
	for _, r := range requests {
		if r.row == nil {
			done, err := results.Exec()
			if err == nil && r.count >= 0 && done.RowsAffected() != r.count {
				err = &mismatchError{r.sql, done.RowsAffected(), r.count}
			}
			if err != nil {
				return err
			}
			if r.done != nil {
				r.done()
			}
			continue
		}
		rows, err := results.Query()
		if err != nil {
			return err
		}
		values := row{}
		for rows.Next() {
			values.rest = rows.RawValues()
			r.row(&values)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
		if values.err != nil {
			return values.err
		}
	}
	return nil
}

// tell tells onView of a session that has changed nothing.
func (s *session) tell(onView func(View)) {
	if s.trips > 0 {
		onView(View{Trips: s.trips, Statements: s.statements})
	}
}

// end ends a transaction without its changes. The connection is closed if that fails.
func (s *session) end() {
	if !s.begun {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), tripTimeout)
	defer cancel()
	if _, err := s.conn.Exec(ctx, "ROLLBACK"); err != nil {
		_ = s.conn.Close(ctx) // it is of no more use; the error says nothing new
	}
}
