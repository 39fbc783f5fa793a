package pgstore

import (
	"context"
	"fmt"

	"github.com/muster-iot/muster/store"
)

// selectMoment is the first statement of a shared transaction that reads, so the database takes
// the snapshot for it and reads the clock after that: the moment is later than those of all
// transactions that the snapshot shows. The moment of the beginning would not be, as the
// transaction waits at the gate.
const selectMoment = `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// selectSettled returns the moment before which nothing is under way: that of this statement,
// or of the beginning of the oldest transaction that commits, which is before its own moment. The
// statement has its moment before it looks for transactions, so one that it overlooks since that
// has begun later has a later moment; and a transaction is in the list until what it wrote can be
// seen. A user sees the transactions of its own sessions, and all nodes are the same user (share).
const selectSettled = `SELECT (extract(epoch FROM least(statement_timestamp(), min(xact_start))) * 1000000)::bigint
	FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '` + applicationPrefix + `%'`

// applicationPrefix begins the name that the connections of shared lanes have in the database.
const applicationPrefix = "muster:"

// application returns the name of the connection of a lane. Those of a node begin with
// applicationOf.
func (l *lane) application() string {
	return fmt.Sprintf("%s%d", applicationOf(l.incarnation), l.number)
}

func applicationOf(incarnation int64) string {
	return fmt.Sprintf("%s%d/", applicationPrefix, incarnation)
}

// Moment returns the moment of the transaction.
func (t *tx) Moment() (store.Moment, error) {
	if t.s.moment == 0 {
		if err := t.s.send(t.s.askMoment()); err != nil {
			return 0, err
		}
	}
	return t.s.moment, nil
}

func (s *session) askMoment() request {
	return ask(func(r *row) { s.moment = store.Moment(r.big()) }, selectMoment)
}

// Settled returns a moment before which all transactions have ended.
func (s *Store) Settled(ctx context.Context) (settled store.Moment, err error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.calls.Done()
	tries := s.outage.tries()
	for {
		err = s.pool.QueryRow(ctx, selectSettled).Scan(&settled)
		if err == nil {
			s.outage.over(s.o.Log)
			return settled, nil
		}
		if err = asStore(explain(err)); faultOf(err) != gone || ctx.Err() != nil || !tries.again(ctx, s.o.Log, err) {
			return 0, err
		}
	}
}
