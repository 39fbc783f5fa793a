package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Open opens the database. Unless it is to be read only, Open makes or migrates the schema
// and becomes the one server on it; it fails with ErrInUse if another one works there. Its
// errors have no password in them.
func Open(ctx context.Context, o Options) (*Store, error) { return open(ctx, o, present) }

// open is Open for a release whose steps lead to other tables.
func open(ctx context.Context, o Options, steps steps) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnCommit == nil {
		o.OnCommit = func(Commit) {}
	}
	if o.OnView == nil {
		o.OnView = func(View) {}
	}
	if o.Fatal == nil {
		o.Fatal = func(error) {}
	}
	s := &Store{o: o, steps: steps}
	if err := s.open(ctx); err != nil {
		if s.pool != nil {
			s.pool.Close()
		}
		return nil, fmt.Errorf("database %w", err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	config, err := s.o.configure(s.o.committing(), nil)
	if err != nil {
		return err
	}
	where := fmt.Sprintf("%s on %s", config.Database, config.Host)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("%s: %w", where, inWords(err, config))
	}
	defer conn.Close(context.WithoutCancel(ctx)) // nothing is left to do on it
	if err := s.settle(ctx, conn); err != nil {
		return fmt.Errorf("%s: %w", where, inWords(err, config))
	}
	return nil
}

// settle examines the database, makes its schema, and makes this process its server.
func (s *Store) settle(ctx context.Context, conn *pgx.Conn) error {
	warnings, err := examine(ctx, conn)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		s.o.Log.Warn(w)
	}
	if s.o.Shared {
		if err := s.checkShared(ctx, conn); err != nil {
			return err
		}
	}
	v, err := readVersion(ctx, conn)
	if err == nil {
		err = v.check(s.steps.last)
	}
	if err == nil && s.o.ReadOnly {
		err = v.checkPresent()
	}
	if err == nil {
		s.shards, err = readShards(ctx, conn)
	}
	if err == nil {
		err = s.connectViews(ctx)
	}
	if err == nil {
		err = s.checkContent(ctx, v)
	}
	if err != nil {
		return err
	}
	if s.o.ReadOnly {
		s.format.Store(int64(v.format))
		return nil
	}
	n := s.newNode()
	if err = n.await(ctx, func() error { return n.look(ctx, conn, v) }); err != nil {
		return err
	}
	if v, err = s.steps.migrate(ctx, conn, n.mayMigrate); err != nil {
		return err
	}
	s.format.Store(int64(v.format))
	if s.shards != nil {
		s.o.Log.Info("Citus distributes the tables of things", "shards", len(s.shards.first()))
	}
	committers, err := s.o.configure(s.o.committing(), settingsOf(s.shards))
	if err != nil {
		return err
	}
	return n.join(ctx, conn, committers)
}

// skewMax is how much the clock of a node may be wrong.
const skewMax = time.Minute

// checkShared returns an error if this process cannot be one of several nodes, whatever the
// database has.
func (s *Store) checkShared(ctx context.Context, conn *pgx.Conn) error {
	if s.o.Lanes > lanesMax {
		return fmt.Errorf("%d lanes are too many for one of several nodes, which may have %d", s.o.Lanes, lanesMax)
	}
	var theirs time.Time
	asked := time.Now()
	if err := conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&theirs); err != nil {
		return err
	}
	return checkClock(asked, time.Since(asked), theirs)
}

// checkClock returns an error if a clock shows another time than the database said, which was
// asked at an instant of that clock, and took a while to answer.
func checkClock(asked time.Time, took time.Duration, theirs time.Time) error {
	skew, side := asked.Add(took/2).Sub(theirs), "ahead of"
	if skew < 0 {
		skew, side = -skew, "behind"
	}
	if skew <= skewMax+took/2 {
		return nil
	}
	return fmt.Errorf("the clock of this machine is %v %s the database's, and those of several nodes may be wrong by %v at most: set it right", skew.Round(time.Second), side, skewMax)
}

// connectViews makes the pool of connections for views.
func (s *Store) connectViews(ctx context.Context) error {
	views, err := s.o.configure(viewing, settingsOf(s.shards))
	if err != nil {
		return err
	}
	pool, err := pgxpool.ParseConfig("")
	if err != nil {
		return err
	}
	pool.ConnConfig, pool.MaxConns = views, viewsMax
	s.pool, err = pgxpool.NewWithConfig(ctx, pool)
	return err
}

// checkContent asks the check of the options.
func (s *Store) checkContent(ctx context.Context, v version) error {
	switch {
	case s.o.Check == nil:
		return nil
	case v.schema == 0:
		return s.o.Check(nil)
	}
	return s.View(ctx, s.o.Check)
}

// inWords adds to an error at the start what its operator can do about it.
func inWords(err error, c *pgx.ConnConfig) error {
	said, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	hint := ""
	switch said.Code {
	case "42501": // insufficient privilege
		hint = fmt.Sprintf("the user %q needs the right to make tables: GRANT CREATE ON DATABASE %s TO %s", c.User, pgx.Identifier{c.Database}.Sanitize(), pgx.Identifier{c.User}.Sanitize())
	case "3D000": // no such database
		hint = fmt.Sprintf("make it first: CREATE DATABASE %s ENCODING 'UTF8' TEMPLATE template0", pgx.Identifier{c.Database}.Sanitize())
	case "28P01", "28000": // wrong password, not authorized
		hint = "the password comes from PGPASSFILE, the service file or --store-file"
	case "25006": // read only
		hint = "it is a standby, or set to be read only: name the primary"
	case "53100":
		hint = "its disk is full"
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w (%s)", err, hint)
}
