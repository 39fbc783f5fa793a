package pgstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-iot/muster/store"
)

// A node is a server on the database. Its row expires store.TermTime after it was renewed last,
// which is done every store.BeatTime: by itself, or if there may be several nodes, by Beat.
// Safety does not rest on that, but on claimCommit: the row keeps a second server from taking
// over from one that works.
type node struct {
	s           *Store
	name        string
	incarnation int64
	slot        int16 // no other node that is there has the same
	config      *pgx.ConnConfig

	conn *pgx.Conn // to renew the row; nil when there is none

	forgetting forgetting

	stop    context.CancelFunc // ends the renewal by itself
	stopped chan struct{}      // closed when it has ended
}

// slotsMax is how many nodes there may be at a time, and lanesMax how many lanes each of them
// may have: both are in one number of 16 bits (lane.counts).
const (
	slotsMax = 128
	lanesMax = 255
)

// other is a node that has not expired.
type other struct {
	name, host     string
	incarnation    int64
	expires        time.Time
	left           time.Duration // until then, by the clock of the database
	shared         bool
	slot           int16
	tables, format int // that its release knows
	role           string
}

// selectOthers works on the tables of all versions.
const selectOthers = `SELECT n.name, n.host, n.incarnation, n.expires, extract(epoch FROM n.expires - clock_timestamp())::float8,
		coalesce((x ->> 'shared')::boolean, false), coalesce((x ->> 'slot')::smallint, 0), coalesce((x ->> 'tables')::integer, 1),
		coalesce((x ->> 'format')::integer, 0), coalesce(x ->> 'role', '')
	FROM muster.node n CROSS JOIN LATERAL to_jsonb(n) x
	WHERE n.expires > clock_timestamp() AND NOT coalesce((x ->> 'fenced')::boolean, false) ORDER BY n.expires DESC`

// readOthers returns the nodes that have not expired.
func readOthers(ctx context.Context, conn querier) ([]other, error) {
	rows, err := conn.Query(ctx, selectOthers)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (o other, err error) {
		left := 0.0
		err = row.Scan(&o.name, &o.host, &o.incarnation, &o.expires, &left, &o.shared, &o.slot, &o.tables, &o.format, &o.role)
		o.left = time.Duration(left * float64(time.Second))
		return o, err
	})
}

// rivalError is that of joining while a node is there beside which this one may not work.
type rivalError struct {
	other
	why string
}

func (e *rivalError) Error() string { return fmt.Sprintf("%v: %s", ErrInUse, e.why) }

func (e *rivalError) Unwrap() error { return ErrInUse }

// beside returns an error if n may not work beside others, on a database of version v.
func (n *node) beside(others []other, v version) error {
	for _, o := range others {
		why := ""
		switch shared := n.s.o.Shared; {
		case !shared && !o.shared && o.name == n.name: // which is over: no two processes of one name run
			continue
		case !shared && !o.shared:
			why = fmt.Sprintf("node %s on host %s", o.name, o.host)
		case !shared:
			why = fmt.Sprintf("node %s on host %s, which is one of several (--bus): this one may only be one of them too", o.name, o.host)
		case !o.shared:
			why = fmt.Sprintf("node %s on host %s, which works alone: it must be stopped, or started with --bus", o.name, o.host)
		case o.name == n.name:
			why = fmt.Sprintf("a node of the same name, %s, on host %s: each needs a name of its own", o.name, o.host)
		default:
			if err := beside(o, v); err != nil {
				return err
			}
			continue
		}
		return &rivalError{o, why}
	}
	return nil
}

// beside returns an error if a node of this release may not work beside o because their
// releases are too far from each other. It says what to do, since waiting is of no use.
func beside(o other, v version) error {
	switch {
	case v.format < store.Format:
		return fmt.Errorf("its records have format %d, and this release makes format %d of them, which no other node may see: stop node %s on host %s and all others first", v.format, store.Format, o.name, o.host)
	case v.format < o.format:
		return fmt.Errorf("node %s on host %s is of a later release and makes format %d of the records, which have %d: it must be done before others start", o.name, o.host, o.format, v.format)
	}
	return nil
}

// mayMigrate returns an error if n may not change the tables because of the others that work on
// them. No other one comes meanwhile (claim).
func (n *node) mayMigrate(ctx context.Context, tx pgx.Tx, v version) error {
	if v.schema == 0 {
		return nil
	}
	others, err := readOthers(ctx, tx)
	if err == nil {
		err = n.beside(others, v)
	}
	if err != nil {
		return err
	}
	return knowing(others, n.s.steps.last)
}

// knowing returns an error if one of others could not work on the tables of a version.
func knowing(others []other, version int) error {
	for _, o := range others {
		if o.shared && o.tables < leastOf(version) {
			return fmt.Errorf("node %s on host %s is of a release that knows version %d of the tables, and this one makes version %d, which is too far from it: update it to a release between the two first, or stop it", o.name, o.host, o.tables, version)
		}
	}
	return nil
}

// newNode returns this process as a node that has not joined.
func (s *Store) newNode() *node {
	name := s.o.Node
	if name == "" {
		name = rand.Text()
	}
	return &node{s: s, name: name, stopped: make(chan struct{})}
}

// await tries to do something that other nodes may stand against. While the row of such a one has
// not expired it waits, and fails with ErrInUse if that is renewed meanwhile.
func (n *node) await(ctx context.Context, try func() error) error {
	var first *rivalError
	for {
		err := try()
		rival, ok := errors.AsType[*rivalError](err)
		switch {
		case !ok:
			return err
		case first == nil:
			first = rival
			n.s.o.Log.Info("another server has worked on the database until now; waiting whether it is gone", "host", rival.host, "node", rival.name, "seconds", rival.left.Seconds())
		case rival.incarnation != first.incarnation || rival.expires.After(first.expires):
			return err
		}
		select {
		case <-time.After(min(rival.left, store.TermTime) + 10*time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look returns an error if n may not join now.
func (n *node) look(ctx context.Context, conn *pgx.Conn, v version) error {
	if v.schema == 0 {
		return nil
	}
	others, err := readOthers(ctx, conn)
	if err != nil {
		return err
	}
	return n.beside(others, v)
}

// join makes this process a node on the database. It waits for a commit of the server that it
// takes over from, which may be on its way; later ones fail.
func (n *node) join(ctx context.Context, conn *pgx.Conn, config *pgx.ConnConfig) error {
	s := n.s
	n.config = config
	wide, lanes := s.lanesOf(config)
	err := n.await(ctx, func() error {
		if err := n.fenceFormer(ctx, conn); err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return n.claim(ctx, tx, append([]*lane{wide}, lanes...)) })
	})
	if err != nil {
		return err
	}
	s.node, s.wide, s.lanes = n, wide, lanes
	running, stop := context.WithCancel(context.Background())
	n.stop = stop
	go n.renew(running)
	return nil
}

// claim writes the row of n and those of its lanes.
func (n *node) claim(ctx context.Context, tx pgx.Tx, lanes []*lane) error {
	for _, statement := range []string{
		`SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0`, // another server may be migrating
		fmt.Sprintf(`SELECT pg_advisory_xact_lock_shared(%d)`, int64(schemaLock)),
		`LOCK TABLE muster.node IN SHARE ROW EXCLUSIVE MODE`, // no other one comes or renews its row meanwhile
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	others, err := readOthers(ctx, tx)
	if err != nil {
		return err
	}
	v, err := readVersion(ctx, tx) // another server may have migrated it since
	if err == nil {
		err = v.check(n.s.steps.last)
	}
	if err == nil {
		err = n.beside(others, v)
	}
	if err != nil {
		return err
	}
	var role string
	if err := tx.QueryRow(ctx, `SELECT session_user`).Scan(&role); err != nil {
		return err
	}
	if n.s.o.Shared {
		if err = n.share(ctx, tx, others, role); err != nil {
			return err
		}
	} else if _, err := tx.Exec(ctx, `DELETE FROM muster.lease; DELETE FROM muster.node; DELETE FROM muster.lane`); err != nil {
		return err
	}
	host, _ := os.Hostname() // for people; empty if it is not known
	if err := tx.QueryRow(ctx, `INSERT INTO muster.node (name, incarnation, expires, started, steady, version, host, shared, slot, tables, format, role)
		VALUES ($1, nextval('muster.incarnation'), clock_timestamp() + $2, clock_timestamp(), clock_timestamp(), $3, $4, $5, $6, $7, $8, $9) RETURNING incarnation`,
		n.name, store.TermTime, n.s.o.Version, host, n.s.o.Shared, n.slot, n.s.steps.last, store.Format, role).Scan(&n.incarnation); err != nil {
		return err
	}
	for _, l := range lanes {
		l.incarnation, l.slot, l.n = n.incarnation, n.slot, 0
		if _, err := tx.Exec(ctx, `INSERT INTO muster.lane (lane, bucket, node, incarnation, n) VALUES ($1, $2, $3, $4, 0)`,
			l.number, l.bucket, n.name, n.incarnation); err != nil {
			return err
		}
	}
	return nil
}

// share checks what nodes need that work beside each other, and takes a slot.
func (n *node) share(ctx context.Context, tx pgx.Tx, others []other, role string) error {
	var seen bool // how long its own transaction has run: see selectSettled
	if err := tx.QueryRow(ctx, `SELECT xact_start IS NOT NULL FROM pg_stat_activity WHERE pid = pg_backend_pid()`).Scan(&seen); err != nil {
		return err
	}
	if !seen {
		return errors.New("several nodes need to see what transactions they have: set track_activities = on, and let the user be itself (no SET ROLE)")
	}
	for _, o := range others {
		if o.role != role {
			return fmt.Errorf("node %s on host %s is there as the user %s, and this one as %s: nodes that work together must be the same user", o.name, o.host, o.role, role)
		}
	}
	for slices.ContainsFunc(others, func(o other) bool { return o.slot == n.slot }) {
		if n.slot++; n.slot == slotsMax {
			return fmt.Errorf("there are %d nodes already, and no more than that may be", slotsMax)
		}
	}
	return nil
}

// renewNode renews the row of the node $1 for $2, and says since when it was renewed in time.
const renewNode = `UPDATE muster.node SET expires = clock_timestamp() + $2, steady = CASE WHEN expires < clock_timestamp() THEN clock_timestamp() ELSE steady END`

// renew renews the row until ctx ends. That fails while the database is not there, and for
// good when another server has taken over.
func (n *node) renew(ctx context.Context) {
	defer close(n.stopped)
	ticker := time.NewTicker(store.BeatTime)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		trip, cancel := context.WithTimeout(ctx, store.TermTime)
		err := n.connect(trip)
		if err == nil {
			err = n.renewed(trip)
		}
		cancel()
		if err != nil && faultOf(err) == outvote {
			_ = n.s.stop(err)
			return
		}
	}
}

func (n *node) renewed(ctx context.Context) error {
	done, err := n.conn.Exec(ctx, renewNode+` WHERE incarnation = $1 AND NOT fenced`, n.incarnation, store.TermTime)
	if err == nil && done.RowsAffected() == 0 {
		return n.s.outvoted()
	}
	return err
}

// connect makes the connection if there is none.
func (n *node) connect(ctx context.Context) (err error) {
	if n.conn != nil && !n.conn.IsClosed() {
		return nil
	}
	if n.conn, err = pgx.ConnectConfig(ctx, n.config); err != nil {
		n.conn = nil
	}
	return err
}

// drop closes the connection, which may be of no more use.
func (n *node) drop() {
	if n.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = n.conn.Close(ctx) // its error says nothing new
	n.conn = nil
}

// rest ends the renewal by itself.
func (n *node) rest() {
	n.stop()
	<-n.stopped
}

// leave stops renewing and removes the rows, so that nobody need wait for this node.
func (n *node) leave() {
	n.rest()
	n.drop()
	ctx, cancel := context.WithTimeout(context.Background(), store.TermTime)
	defer cancel()
	// If that fails, the row expires.
	_ = pgx.BeginFunc(ctx, n.s.pool, func(tx pgx.Tx) error {
		for _, statement := range []string{
			`DELETE FROM muster.node WHERE incarnation = $1`,
			`DELETE FROM muster.lease WHERE incarnation = $1`,
			`DELETE FROM muster.lane WHERE incarnation = $1`,
		} {
			if _, err := tx.Exec(ctx, statement, n.incarnation); err != nil {
				return err
			}
		}
		return nil
	})
}
