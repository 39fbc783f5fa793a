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
// second file says what a step does besides where Citus distributes the tables. A step that
// was released is never changed.
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
			shards, err := readShards(ctx, tx)
			if err != nil {
				return err
			}
			v.schema++
			_, err = tx.Exec(ctx, stepTo(v.schema, shards != nil))
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
	statements := createVersion()
	if !schema {
		statements = createSchema + statements
	}
	_, err = tx.Exec(ctx, statements)
	return err
}

const createSchema = "CREATE SCHEMA muster;\n"

// createVersion returns the statements that make the table of versions.
func createVersion() string {
	return fmt.Sprintf(`CREATE TABLE muster.version (one boolean PRIMARY KEY DEFAULT true CHECK (one), schema integer NOT NULL, format integer NOT NULL);
INSERT INTO muster.version (schema, format) VALUES (0, %d);
`, store.Format)
}

// stepTo returns the statements that lead to a version of the schema from the one before it.
func stepTo(version int, distributed bool) string {
	step, err := schemaSteps.ReadFile(fmt.Sprintf("schema/%04d.sql", version))
	if err != nil {
		panic(err) // it is part of this program
	}
	if distributed {
		more, err := schemaSteps.ReadFile(fmt.Sprintf("schema/%04d.citus.sql", version))
		if err == nil { // most steps need nothing more
			step = append(append(step, '\n'), more...)
		}
	}
	return fmt.Sprintf("%s\nUPDATE muster.version SET schema = %d;\n", step, version)
}

// SchemaOptions say for whom and on what the tables are made.
type SchemaOptions struct {
	// Distributed has Citus distribute what belongs to things by their names.
	Distributed bool

	// User is the role of the servers, which gets the rights that they need. Empty is the role
	// that makes the tables.
	User string
}

// planByIndex sets for the role of the servers, on the workers too, what each connection sets
// for itself (configure): Citus tells the workers nothing of that.
const planByIndex = `
DO $$ DECLARE setting text; BEGIN
	FOREACH setting IN ARRAY ARRAY['jit', 'enable_hashjoin', 'enable_mergejoin', 'enable_seqscan', 'enable_bitmapscan'] LOOP
		EXECUTE format('ALTER ROLE %%I IN DATABASE %%I SET %%I = off', %s, current_database(), setting);
	END LOOP;
END $$;
`

// Schema returns the statements that make the present schema in a database that has none of
// it, in one transaction, for psql.
func Schema(o SchemaOptions) string {
	var all strings.Builder
	all.WriteString("BEGIN;\n")
	if o.Distributed {
		all.WriteString("SET LOCAL client_min_messages = error; -- Citus warns that the views are on the coordinator only, which is as it should be\n")
	}
	all.WriteString(createSchema + createVersion())
	for version := 1; version <= schemaVersion; version++ {
		all.WriteString("\n" + stepTo(version, o.Distributed))
	}
	if o.User != "" {
		user := pgx.Identifier{o.User}.Sanitize()
		fmt.Fprintf(&all, `
GRANT USAGE ON SCHEMA muster TO %[1]s;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA muster TO %[1]s;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA muster TO %[1]s;
`, user)
	}
	if o.Distributed {
		role := "current_user"
		if o.User != "" {
			role = "'" + strings.ReplaceAll(o.User, "'", "''") + "'"
		}
		fmt.Fprintf(&all, planByIndex, role)
	}
	all.WriteString("COMMIT;\n")
	return all.String()
}

// setFormat writes the format of the records.
func setFormat(ctx context.Context, conn interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}, format int) error {
	_, err := conn.Exec(ctx, `UPDATE muster.version SET format = $1`, format)
	return err
}
