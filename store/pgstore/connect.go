package pgstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muster-iot/muster/store"
)

// versionMin is the oldest PostgreSQL that has all that is used: 14.
const versionMin = 14_00_00

// connectTimeout bounds the making of a connection.
const connectTimeout = 5 * time.Second

// What begins transactions: of views, of lanes and of Apply; and if the store is shared, of these
// and of ApplyAlone. These lock the gate, which is before their snapshots: LOCK takes none. A
// transaction that must be alone waits for all that run, and those that come wait for it, also
// while it waits itself; so it does not do that for long (gateWaits).
var (
	opensView       = []request{order(-1, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")}
	beginLane       = []string{"BEGIN ISOLATION LEVEL REPEATABLE READ"}
	beginWide       = []string{"BEGIN ISOLATION LEVEL SERIALIZABLE"}
	enterGate       = "LOCK TABLE muster.gate IN ROW EXCLUSIVE MODE"
	beginSharedLane = append(slices.Clone(beginLane), enterGate)
	beginSharedWide = append(slices.Clone(beginWide), enterGate)
)

// beginAlone returns what begins a transaction that waits for the gate as long as that.
func beginAlone(wait time.Duration) []string {
	return append(slices.Clone(beginWide), "SET LOCAL lock_timeout = "+milliseconds(wait), "LOCK TABLE muster.gate IN EXCLUSIVE MODE", "SET LOCAL lock_timeout TO DEFAULT")
}

// gateWaits are how long the tries of ApplyAlone wait at the gate. The first is enough beside nodes that are near
// their database; the last is longer than a transaction may say nothing.
var gateWaits = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}

// beginWide returns what begins the transactions of Apply. If nothing else runs, a snapshot is
// all that they need.
func (s *Store) beginWide() []string {
	switch {
	case s.o.Shared:
		return beginSharedWide
	case len(s.lanes) == 0:
		return beginLane
	}
	return beginWide
}

// beginLane returns what begins the transactions of lanes.
func (s *Store) beginLane() []string {
	if s.o.Shared {
		return beginSharedLane
	}
	return beginLane
}

// For how long a transaction may say nothing before the database ends it. A view may be read
// slowly, by verification for example; a commit waits for nothing.
const viewing = time.Minute

func (o Options) committing() time.Duration {
	if o.Shared {
		return 3 * time.Second // other nodes wait for it
	}
	return 10 * time.Second
}

// settingsOf returns the settings of connections that depend on where the rows are.
func settingsOf(s *shards) map[string]string {
	if s == nil {
		return map[string]string{"plan_cache_mode": "force_generic_plan"} // the arguments do not change the plan
	}
	// The arguments say on which worker a statement runs. One that runs on several has little to do
	// on each, and to make a second connection to a worker takes longer than to wait for the first.
	return map[string]string{"citus.max_adaptive_executor_pool_size": "1"}
}

// configure returns how to connect to the database that o names. Its transactions may be idle
// for a time. more are settings besides those of all connections.
func (o Options) configure(idle time.Duration, more map[string]string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(o.Database)
	if err != nil {
		return nil, err
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	settings := map[string]string{
		// Not search_path: every statement names its schema.
		"application_name": "muster",
		"client_encoding":  "UTF8",
		// A statement that takes longer stands in a queue behind something that is stuck.
		"statement_timeout":                   milliseconds(10 * time.Second),
		"lock_timeout":                        milliseconds(2 * time.Second),
		"idle_in_transaction_session_timeout": milliseconds(idle),
		// Every statement has one good plan, by an index, whatever the statistics say; without
		// fresh ones, after a large rollout, hash joins over whole tables would be chosen.
		"jit":               "off",
		"enable_hashjoin":   "off",
		"enable_mergejoin":  "off",
		"enable_seqscan":    "off",
		"enable_bitmapscan": "off",
	}
	if o.Shared {
		// What a connection that says nothing any more holds up is held up for others too. The
		// database may be sending something to a process that reads no more.
		settings["tcp_user_timeout"] = milliseconds(store.TermTime)
	}
	maps.Copy(settings, more)
	for name, value := range settings {
		if _, given := c.RuntimeParams[name]; !given {
			c.RuntimeParams[name] = value
		}
	}
	if c.ValidateConnect == nil && !o.ReadOnly { // not a standby
		c.ValidateConnect = notReadOnly
	}
	return c, nil
}

// errReadOnlyServer is the refusal of a server that commits nothing.
var errReadOnlyServer = errors.New("it is a standby, or set to be read only: name the primary")

// notReadOnly returns an error if the server commits nothing.
func notReadOnly(ctx context.Context, conn *pgconn.PgConn) error {
	answer := conn.ExecParams(ctx, "SHOW transaction_read_only", nil, nil, nil, nil).Read()
	if answer.Err != nil {
		return answer.Err
	}
	if len(answer.Rows) == 1 && string(answer.Rows[0][0]) == "on" {
		return errReadOnlyServer
	}
	return nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// examine returns an error unless the database that conn leads to can be used, and what
// its operator should know.
func examine(ctx context.Context, conn *pgx.Conn) (warnings []string, err error) {
	var version, encoding, synchronous, fsync, standbys string
	var replicas int
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version_num'), current_setting('server_encoding'), current_setting('synchronous_commit'),
		current_setting('fsync'), current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication)`).
		Scan(&version, &encoding, &synchronous, &fsync, &standbys, &replicas)
	if err != nil {
		return nil, err
	}
	if n, _ := strconv.Atoi(version); n < versionMin {
		return nil, fmt.Errorf("the database server is PostgreSQL %d; 14 or later is needed", n/10_000)
	}
	if encoding != "UTF8" {
		return nil, fmt.Errorf("the database has the encoding %s; UTF8 is needed", encoding)
	}
	if synchronous == "off" {
		warnings = append(warnings, "the database server has synchronous_commit = off; commits of this server are synchronous nevertheless")
	}
	if fsync == "off" {
		warnings = append(warnings, "the database server has fsync = off: a crash of its machine loses what was answered, or all")
	}
	if replicas > 0 && standbys == "" {
		warnings = append(warnings, "the database has standbys, and none is synchronous: if one takes over, the last changes that were answered may be lost")
	}
	return warnings, nil
}

// synchronous makes the commits of a connection wait for the disk: what is answered must
// be there. Where the operator asks for more, that stays.
const synchronous = `SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)`
