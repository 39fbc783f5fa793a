package pgstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muster-iot/muster/store"
)

// The steps from an empty database to the present schema, each a file with its number. A
// step that was released is never changed.
//
//go:embed schema/*.sql
var schemaSteps embed.FS

// schemaVersion is the number of the last step.
const schemaVersion = 1

// version is what the database has: the steps that were done, and the format of the
// records. Both are zero when there is nothing.
type version struct{ schema, format int }

// readVersion returns what the database has.
func readVersion(ctx context.Context, conn *pgx.Conn) (v version, err error) {
	err = conn.QueryRow(ctx, `SELECT schema, format FROM muster.version`).Scan(&v.schema, &v.format)
	if said, ok := errors.AsType[*pgconn.PgError](err); ok && (said.Code == "42P01" || said.Code == "3F000") { // no such table, no such schema
		return version{}, nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return version{}, nil
	}
	return v, err
}

// check returns an error if this release cannot work with what the database has.
func (v version) check() error {
	switch {
	case v.schema > schemaVersion:
		return fmt.Errorf("its tables have version %d; this release knows %d, so a later release of muster has worked on it", v.schema, schemaVersion)
	case v.format > store.Format:
		return fmt.Errorf("its records have format %d; this release knows %d, so a later release of muster has worked on it", v.format, store.Format)
	}
	return nil
}

// checkPresent returns an error unless a store that is read only can read what the database has.
func (v version) checkPresent() error {
	switch {
	case v == (version{}):
		return errors.New("it has no tables of muster")
	case v.schema < schemaVersion:
		return fmt.Errorf("its tables have version %d; a server of this release makes version %d of them", v.schema, schemaVersion)
	}
	return nil
}

// schemaLock is the key of the advisory lock under which the schema is made and changed.
const schemaLock = 0x6d75737465720a // "muster\n"

// migrate makes the schema, or does the steps that are missing, each in one transaction.
// Two servers that do so at the same time take turns.
func migrate(ctx context.Context, conn *pgx.Conn) (v version, err error) {
	for {
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0`); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(schemaLock)); err != nil {
				return err
			}
			if err := makeVersion(ctx, tx); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, `SELECT schema, format FROM muster.version`).Scan(&v.schema, &v.format); err != nil {
				return err
			}
			if err := v.check(); err != nil || v.schema == schemaVersion {
				return err
			}
			step, err := schemaSteps.ReadFile(fmt.Sprintf("schema/%04d.sql", v.schema+1))
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, string(step)); err != nil {
				return err
			}
			v.schema++
			_, err = tx.Exec(ctx, `UPDATE muster.version SET schema = $1`, v.schema)
			return err
		})
		if err != nil || v.schema == schemaVersion {
			return v, err
		}
	}
}

// makeVersion makes the table of versions unless it is there. An operator may have made the
// schema, for a user that may not.
func makeVersion(ctx context.Context, tx pgx.Tx) error {
	var schema, table bool
	err := tx.QueryRow(ctx, `SELECT to_regnamespace('muster') IS NOT NULL, to_regclass('muster.version') IS NOT NULL`).Scan(&schema, &table)
	if err != nil || table {
		return err
	}
	statements := []string{
		`CREATE TABLE muster.version (one boolean PRIMARY KEY DEFAULT true CHECK (one), schema integer NOT NULL, format integer NOT NULL)`,
		fmt.Sprintf(`INSERT INTO muster.version (schema, format) VALUES (0, %d)`, store.Format),
	}
	if !schema {
		statements = append([]string{`CREATE SCHEMA muster`}, statements...)
	}
	_, err = tx.Exec(ctx, strings.Join(statements, "; "))
	return err
}

// setFormat writes the format of the records.
func setFormat(ctx context.Context, conn interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}, format int) error {
	_, err := conn.Exec(ctx, `UPDATE muster.version SET format = $1`, format)
	return err
}
