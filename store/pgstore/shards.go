package pgstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/muster-iot/muster"
)

// shards says which buckets are kept together where the tables of things are distributed by
// bucket, as Citus does it: it has the number of each bucket's shard. Nil is a database that
// is not distributed.
//
// It is as it was when the store was opened. If shards are moved or split later, statements
// remain right and may become slower.
type shards [buckets]int16

// selectDistributed says whether there is Citus and has distributed the tables.
const selectDistributed = `SELECT count(*) > 0 FROM pg_catalog.pg_dist_partition WHERE logicalrelid = to_regclass('muster.queue') AND partmethod = 'h'`

// querier is a connection or a transaction on one.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readShards returns how the database is distributed.
func readShards(ctx context.Context, conn querier) (*shards, error) {
	var citus, distributed bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL`).Scan(&citus); err != nil || !citus {
		return nil, err
	}
	if err := conn.QueryRow(ctx, selectDistributed).Scan(&distributed); err != nil || !distributed {
		return nil, err
	}
	s := &shards{}
	numbers := map[int64]int16{}
	rows, err := conn.Query(ctx, `SELECT get_shard_id_for_distribution_column('muster.queue', b::smallint) FROM generate_series(0, $1 - 1) AS b ORDER BY b`, buckets)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	for bucket, id := range ids {
		if _, known := numbers[id]; !known {
			numbers[id] = int16(len(numbers))
		}
		s[bucket] = numbers[id]
	}
	return s, err
}

// lostWorker reports whether an error may be that of a commit during which a worker went away:
// Citus gives it no code of its own. The commit may have taken place.
func lostWorker(err error) bool {
	said, ok := errors.AsType[*pgconn.PgError](err)
	return ok && said.Code == "XX000" // internal error
}

// first returns the first bucket of each shard. Without shards there are none.
func (s *shards) first() (all []int16) {
	if s == nil {
		return nil
	}
	for bucket, shard := range s {
		if int(shard) == len(all) {
			all = append(all, int16(bucket))
		}
	}
	return all
}

// pick returns a statement in the form that the database needs: whole, or that for rows of
// one shard, which says so in a way that is seen when it is planned.
func (s *shards) pick(whole, ofShard string) string {
	if s == nil {
		return whole
	}
	return ofShard
}

// rowsMax is how many rows a statement with VALUES has at most. Each number of rows is a
// statement of its own, which a connection prepares once.
const rowsMax = 64

// insert returns the requests that insert n rows. With shards they have VALUES, since a
// SELECT would be run by the coordinator, which loses what is wrong: ofShard is the statement up
// to there. args are the columns.
func (s *shards) insert(n int64, whole, ofShard string, args []any) (all []request) {
	if s == nil {
		return []request{order(n, whole, args...)}
	}
	for from := 0; from < int(n); from += rowsMax {
		count := min(rowsMax, int(n)-from)
		rows := make([]any, 0, count*len(args))
		for n := range count {
			for _, column := range args {
				rows = append(rows, elementOf(column, from+n))
			}
		}
		all = append(all, order(int64(count), ofShard+values(count, len(args)), rows...))
	}
	return all
}

// values returns the VALUES of rows, with their parameters.
func values(rows, columns int) string {
	text := strings.Builder{}
	text.WriteString("VALUES ")
	for n := range rows * columns {
		switch {
		case n == 0:
			text.WriteString("(")
		case n%columns == 0:
			text.WriteString("), (")
		default:
			text.WriteString(", ")
		}
		text.WriteString("$" + strconv.Itoa(n+1))
	}
	return text.String() + ")"
}

// elementOf returns an element of a column.
func elementOf(column any, n int) any {
	switch c := column.(type) {
	case []string:
		return c[n]
	case []int16:
		return c[n]
	case []int64:
		return c[n]
	case [][]byte:
		return c[n]
	case []json.RawMessage:
		return c[n]
	}
	panic(fmt.Sprintf("pgstore: a column of %T", column)) // there is none
}

// place returns the place by which a row is found. With shards it is none.
func (s *shards) place(place pgtype.TID) pgtype.TID {
	if s != nil {
		return pgtype.TID{}
	}
	return place
}

// parts are the columns of a statement by the shard of their rows. Without shards there is
// one part.
type parts[T any] struct {
	shards *shards
	all    []*T // nil where there are no rows
}

// of returns the part of a thing, to which a row may be added.
func (p *parts[T]) of(thing muster.ThingName) *T {
	shard := 0
	if p.shards != nil {
		shard = int(p.shards[bucketOf(thing)])
	}
	for len(p.all) <= shard {
		p.all = append(p.all, nil)
	}
	if p.all[shard] == nil {
		p.all[shard] = new(T)
	}
	return p.all[shard]
}

// each yields the parts that have rows.
func (p *parts[T]) each() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, part := range p.all {
			if part != nil && !yield(part) {
				return
			}
		}
	}
}
