package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-iot/muster/store"
)

var _ store.Roster = (*Store)(nil)

const (
	// beat is in every Beat. It fails as claimCommit does if the node was fenced.
	beat = `WITH renewed AS (
			` + renewNode + `, connections = $3, operations = $4, draining = $5
			WHERE incarnation = $1 AND NOT fenced RETURNING 1
		) SELECT 1 / count(*) FROM renewed`
	dropLeases = `DELETE FROM muster.lease WHERE incarnation = $1 AND name = ANY($2::text[])`
	takeLeases = `INSERT INTO muster.lease AS l (name, incarnation) SELECT t.name, $1 FROM unnest($2::text[]) AS t(name)
		ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation
		WHERE NOT EXISTS (SELECT 1 FROM muster.node n WHERE n.incarnation = l.incarnation AND NOT n.fenced)`
	orderDrain = `UPDATE muster.node n SET drain = NOT t.stop FROM unnest($1::text[], $2::boolean[]) AS t(name, stop) WHERE n.name = t.name AND NOT n.fenced`
	// Rows of nodes that are fenced are there as long as they have leases.
	dropFenced = `DELETE FROM muster.node n WHERE n.fenced AND NOT EXISTS (SELECT 1 FROM muster.lease l WHERE l.incarnation = n.incarnation)`

	// No node joins between the beat of a transaction and its end, so this is of all that have
	// an incarnation.
	selectNewest = `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, pg_sequence_last_value('muster.incarnation')`
	selectNodes  = `SELECT name, incarnation, host, version, (extract(epoch FROM started) * 1000000)::bigint, (extract(epoch FROM expires) * 1000000)::bigint,
			fenced, draining, drain, connections, operations
		FROM muster.node ORDER BY name, incarnation`
	selectLeases = `SELECT name, incarnation FROM muster.lease`
)

// Me returns the incarnation of this node.
func (s *Store) Me() store.Incarnation { return store.Incarnation(s.node.incarnation) }

// errAlone is that of Beat on a store that other processes do not share.
var errAlone = errors.New("pgstore: a store that is not shared has no other nodes")

// Beat renews the row of this node, and does and returns what else Roster says. It does not wait for a database
// that is not there.
func (s *Store) Beat(ctx context.Context, b store.Beat) (roll store.Roll, err error) {
	if !s.o.Shared {
		return roll, errAlone
	}
	if err := s.begin(ctx); err != nil {
		return roll, err
	}
	defer s.calls.Done()
	n := s.node
	n.rest() // from now on the caller sees to it
	ctx, cancel := context.WithTimeout(ctx, store.TermTime)
	defer cancel()
	again := n.conn != nil // the connection may be one that has broken since it was used last
	if roll, err = n.try(ctx, b); err != nil && again && faultOf(err) == gone {
		n.drop()
		roll, err = n.try(ctx, b)
	}
	switch {
	case err == nil:
		n.forget(ctx, roll)
		return roll, nil
	case faultOf(err) == outvote:
		return store.Roll{}, s.stop(s.outvoted())
	}
	n.drop()
	return store.Roll{}, asStore(err)
}

// try is Beat, on the connection that there is or on a new one.
func (n *node) try(ctx context.Context, b store.Beat) (store.Roll, error) {
	if err := n.connect(ctx); err != nil {
		return store.Roll{}, err
	}
	if err := n.fenceAll(ctx, b.Fence); err != nil {
		return store.Roll{}, err
	}
	return n.beat(ctx, b)
}

// beat is the transaction of Beat, in one round trip.
func (n *node) beat(ctx context.Context, b store.Beat) (store.Roll, error) {
	requests := []request{
		ask(func(*row) {}, beat, n.incarnation, store.TermTime, int64(b.Load.Connections), b.Load.Operations, b.Draining),
	}
	if len(b.Drop) > 0 {
		requests = append(requests, order(-1, dropLeases, n.incarnation, b.Drop))
	}
	if len(b.Take) > 0 {
		names := slices.Sorted(slices.Values(b.Take))
		requests = append(requests, order(-1, takeLeases, n.incarnation, slices.Compact(names)))
	}
	for _, d := range b.Drain {
		requests = append(requests, order(-1, orderDrain, []string{d.Name}, []bool{d.Stop}))
	}
	roll := store.Roll{Leases: map[string]store.Incarnation{}}
	requests = append(requests, order(-1, dropFenced),
		ask(func(r *row) { roll.Now, roll.Newest = r.time(), store.Incarnation(r.big()) }, selectNewest),
		ask(func(r *row) { roll.Nodes = append(roll.Nodes, r.member()) }, selectNodes),
		ask(func(r *row) { roll.Leases[r.text()] = store.Incarnation(r.big()) }, selectLeases),
		order(-1, "COMMIT"))
	return roll, n.transact(ctx, "BEGIN", requests...)
}

// transact sends the requests of a transaction.
func (n *node) transact(ctx context.Context, begin string, requests ...request) error {
	session := session{ctx: ctx, conn: n.conn, begin: []request{order(-1, begin)}}
	return session.exchange(requests)
}

func (r *row) time() time.Time { return time.UnixMicro(r.big()) }

func (r *row) member() store.Member {
	m := store.Member{
		Name: r.text(), Incarnation: store.Incarnation(r.big()), Host: r.text(), Version: r.text(), Started: r.time(), Expires: r.time(),
		Fenced: r.flag(), Draining: r.flag(), Drain: r.flag(),
	}
	m.Load.Connections, m.Load.Operations = int(r.big()), r.float()
	return m
}

// fenceWait is how long the fencing of a node waits for its last commit. If that takes longer it
// is for the next Beat.
const fenceWait = time.Second

// fenceAll fences those of nodes that are dead.
func (n *node) fenceAll(ctx context.Context, nodes []store.Incarnation) error {
	for _, other := range nodes {
		if int64(other) == n.incarnation {
			continue
		}
		if err := n.renewed(ctx); err != nil { // each may take a while
			return err
		}
		if err := n.s.fence(ctx, n.conn, int64(other), n.incarnation); err != nil && faultOf(err) != refused {
			return err
		}
	}
	return nil
}

// fence fences a node if it is dead: what it has begun ends, its last commit has ended, and no
// later one takes place. Nobody is dead yet for a node whose own row has lapsed not long ago: the
// database may have been away for all of them.
func (s *Store) fence(ctx context.Context, conn *pgx.Conn, incarnation, by int64) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = `+milliseconds(fenceWait)); err != nil {
			return err
		}
		dead, err := tx.Exec(ctx, `SELECT 1 FROM muster.node WHERE incarnation = $1 AND expires < clock_timestamp() AND NOT fenced
			AND NOT EXISTS (SELECT 1 FROM muster.node me WHERE me.incarnation = $2 AND me.steady > clock_timestamp() - $3::interval) FOR UPDATE SKIP LOCKED`,
			incarnation, by, store.TermTime)
		if err != nil || dead.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND starts_with(application_name, $1)`,
			applicationOf(incarnation)); err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM muster.lane WHERE incarnation = $1`,
			`UPDATE muster.node SET fenced = true WHERE incarnation = $1`,
		} {
			if _, err := tx.Exec(ctx, statement, incarnation); err != nil {
				return err
			}
		}
		s.o.Log.Warn("a node was taken to be dead; it is fenced", "incarnation", incarnation)
		return nil
	})
}

// fenceFormer fences nodes of the same name, which a new one must not meet.
func (n *node) fenceFormer(ctx context.Context, conn *pgx.Conn) error {
	if !n.s.o.Shared {
		return nil // claim removes them
	}
	rows, err := conn.Query(ctx, `SELECT incarnation FROM muster.node WHERE name = $1 AND NOT fenced ORDER BY incarnation`, n.name)
	if err != nil {
		return err
	}
	former, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	for _, f := range former {
		if err == nil {
			err = n.s.fence(ctx, conn, f, 0) // this process has no row yet
		}
	}
	if err != nil && faultOf(err) == refused { // others will do it
		err = nil
	}
	return err
}

// outvoted returns why this process may commit nothing any more.
func (s *Store) outvoted() error {
	if s.o.Shared {
		return store.ErrFenced
	}
	return fmt.Errorf("%w by another server", errOutvoted)
}
