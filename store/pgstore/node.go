package pgstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// A node is a server on the database. Its row expires leaseTime after it was renewed last,
// which is done every leaseRenewal. Safety does not rest on that, but on claimCommit: the
// row keeps a second server from taking over from one that works.
const (
	leaseTime    = 5 * time.Second
	leaseRenewal = time.Second
)

// node renews the row of this process.
type node struct {
	s           *Store
	name        string
	incarnation int64
	config      *pgx.ConnConfig

	stop    context.CancelFunc
	stopped chan struct{}
}

// join makes this process the server on the database. While another one's row has not
// expired it waits, and fails with ErrInUse if that is renewed meanwhile.
func (s *Store) join(ctx context.Context, conn *pgx.Conn, config *pgx.ConnConfig) error {
	name := s.o.Node
	if name == "" {
		name = rand.Text()
	}
	n := &node{s: s, name: name, config: config, stopped: make(chan struct{})}
	l := &lane{s: s, config: config}
	host, _ := os.Hostname() // for people; empty if it is not known
	var first *other
	for {
		rival, err := s.claim(ctx, conn, n, l, host)
		if err != nil {
			return err
		}
		if rival == nil {
			break
		}
		if first == nil {
			first = rival
			s.o.Log.Info("another server has worked on the database until now; waiting whether it is gone", "host", rival.host, "node", rival.name, "seconds", rival.left.Seconds())
		} else if rival.name != first.name || rival.expires.After(first.expires) {
			return fmt.Errorf("%w: node %s on host %s", ErrInUse, rival.name, rival.host)
		}
		select {
		case <-time.After(min(rival.left, leaseTime) + 10*time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.node, s.lane = n, l
	running, stop := context.WithCancel(context.Background())
	n.stop = stop
	go n.renew(running)
	return nil
}

// other is a node that is not this one.
type other struct {
	name, host string
	expires    time.Time
	left       time.Duration // until then, by the clock of the database
}

// claim takes the database over and returns nil, unless another node's row has not expired.
// It waits for a commit of the former server that is on its way; later ones fail.
func (s *Store) claim(ctx context.Context, conn *pgx.Conn, n *node, l *lane, host string) (rival *other, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `LOCK TABLE muster.node IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		o, left := other{}, 0.0
		err := tx.QueryRow(ctx, `SELECT name, host, expires, extract(epoch FROM expires - clock_timestamp())::float8 FROM muster.node
			WHERE name <> $1 AND expires > clock_timestamp() ORDER BY expires DESC LIMIT 1`, n.name).Scan(&o.name, &o.host, &o.expires, &left)
		if err == nil {
			o.left = time.Duration(left * float64(time.Second))
			rival = &o
			return nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM muster.node`); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `INSERT INTO muster.node (name, incarnation, expires, started, version, host)
			VALUES ($1, nextval('muster.incarnation'), clock_timestamp() + $2, clock_timestamp(), $3, $4) RETURNING incarnation`,
			n.name, leaseTime, s.o.Version, host).Scan(&n.incarnation); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM muster.lane`); err != nil {
			return err
		}
		l.incarnation, l.n = n.incarnation, 0
		_, err = tx.Exec(ctx, `INSERT INTO muster.lane (lane, bucket, node, incarnation, n) VALUES ($1, $2, $3, $4, 0)`, l.number, l.bucket, n.name, n.incarnation)
		return err
	})
	return rival, err
}

// renew renews the row until ctx ends. That fails while the database is not there, and for
// good when another server has taken over.
func (n *node) renew(ctx context.Context) {
	defer close(n.stopped)
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.Background())
		}
	}()
	ticker := time.NewTicker(leaseRenewal)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		trip, cancel := context.WithTimeout(ctx, leaseTime)
		err := error(nil)
		if conn == nil || conn.IsClosed() {
			conn, err = pgx.ConnectConfig(trip, n.config)
		}
		if err == nil {
			err = n.renewed(trip, conn)
		}
		cancel()
		if errors.Is(err, errOutvoted) {
			_ = n.s.stop(err)
			return
		}
	}
}

func (n *node) renewed(ctx context.Context, conn *pgx.Conn) error {
	done, err := conn.Exec(ctx, `UPDATE muster.node SET expires = clock_timestamp() + $3 WHERE name = $1 AND incarnation = $2`, n.name, n.incarnation, leaseTime)
	if err == nil && done.RowsAffected() == 0 {
		return fmt.Errorf("%w by another server", errOutvoted)
	}
	return err
}

// leave stops renewing and removes the row, so that the next server need not wait.
func (n *node) leave() {
	n.stop()
	<-n.stopped
	ctx, cancel := context.WithTimeout(context.Background(), leaseTime)
	defer cancel()
	// If that fails, the row expires.
	_, _ = n.s.pool.Exec(ctx, `DELETE FROM muster.node WHERE name = $1 AND incarnation = $2`, n.name, n.incarnation)
}
