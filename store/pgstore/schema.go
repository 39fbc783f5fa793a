package pgstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muster-iot/muster/store"
)

// The steps from an empty database to the present schema, each a file with its number. A
// second file says what a step does besides where Citus distributes the tables. A step that
// was released is never changed.
//
// A release works with the tables that it makes, and with those that the next one makes, so
// that nodes are updated one after the other. So a step adds what it needs, and what is not
// needed any more goes with a later step; one that cannot keep to that says so in least.
//
//go:embed schema/*.sql
var schemaFiles embed.FS

// schemaVersion is the number of the last step.
const schemaVersion = 2

// present are the steps of this release.
var present = steps{files: schemaFiles, last: schemaVersion}

// steps lead to the tables of a release.
type steps struct {
	files fs.FS
	last  int
}

// leastOf returns which version a server must know to work on the tables of a version.
func leastOf(version int) int { return max(version-1, 2) }

// version is what the database has: the steps that were done, the version that a server must
// know, and the format of the records. All are zero when there is nothing.
type version struct{ schema, least, format int }

// selectVersion works on the tables of all versions.
const selectVersion = `SELECT schema, coalesce((to_jsonb(v) ->> 'least')::integer, schema), format FROM muster.version v`

// readVersion returns what the database has.
func readVersion(ctx context.Context, conn querier) (v version, err error) {
	err = conn.QueryRow(ctx, selectVersion).Scan(&v.schema, &v.least, &v.format)
	if said, ok := errors.AsType[*pgconn.PgError](err); ok && (said.Code == "42P01" || said.Code == "3F000") { // no such table, no such schema
		return version{}, nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return version{}, nil
	}
	return v, err
}

// check returns an error if a release that makes tables of version known cannot work with what
// the database has.
func (v version) check(known int) error {
	switch {
	case v.least > known:
		return fmt.Errorf("its tables have version %d; this release knows %d, so a later release of muster has worked on it", v.schema, known)
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

// A step waits for transactions that use the tables, and meanwhile others wait for it. So it
// waits for a short time only, and is tried again.
const (
	stepWait  = time.Second
	stepTries = 30
)

// migrate makes the schema, or does the steps that are missing, each in one transaction.
// Servers that do so at the same time take turns. If others work on the database that must
// not see this, nothing is done: may is asked.
func (s steps) migrate(ctx context.Context, conn *pgx.Conn, may func(ctx context.Context, tx pgx.Tx, v version) error) (v version, err error) {
	for tries := 0; ; {
		v, err = s.step(ctx, conn, may)
		said, failed := errors.AsType[*pgconn.PgError](err)
		switch {
		case isLate(err) && tries < stepTries:
			tries++
			select {
			case <-time.After(stepWait):
			case <-ctx.Done():
				return v, ctx.Err()
			}
		case failed && said.Code == "42501" && v.schema > 0:
			return v, fmt.Errorf("its tables have version %d, and the user may not change them: have their owner run what muster admin schema --from %d prints: %w", v.schema, v.schema, err)
		case err != nil || v.schema >= s.last:
			return v, err
		default:
			tries = 0
		}
	}
}

// step does the next step if one is missing, and returns what the database has then.
func (s steps) step(ctx context.Context, conn *pgx.Conn, may func(context.Context, pgx.Tx, version) error) (v version, err error) {
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
		if v, err = readVersion(ctx, tx); err != nil {
			return err
		}
		if err := v.check(s.last); err != nil || v.schema >= s.last {
			return err
		}
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = `+milliseconds(stepWait)); err != nil {
			return err
		}
		if err := may(ctx, tx, v); err != nil {
			return err
		}
		shards, err := readShards(ctx, tx)
		if err != nil {
			return err
		}
		if _, err = tx.Exec(ctx, s.to(v.schema+1, shards != nil)); err == nil {
			v, err = readVersion(ctx, tx)
		}
		return err
	})
	return v, err
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

// to returns the statements that lead to a version of the schema from the one before it.
func (s steps) to(version int, distributed bool) string {
	step, err := fs.ReadFile(s.files, fmt.Sprintf("schema/%04d.sql", version))
	if err != nil {
		panic(err) // it is part of this program
	}
	if distributed {
		more, err := fs.ReadFile(s.files, fmt.Sprintf("schema/%04d.citus.sql", version))
		if err == nil { // most steps need nothing more
			step = append(append(step, '\n'), more...)
		}
	}
	set := fmt.Sprintf("schema = %d", version)
	if version > 1 { // the first one has no least
		set += fmt.Sprintf(", least = %d", leastOf(version))
	}
	return fmt.Sprintf("%s\nUPDATE muster.version SET %s;\n", step, set)
}

// SchemaOptions say for whom and on what the tables are made.
type SchemaOptions struct {
	// Distributed has Citus distribute what belongs to things by their names.
	Distributed bool

	// User is the role of the servers, which gets the rights that they need. Empty is the role
	// that makes the tables.
	User string

	// From is the version of tables that are there, which get what they lack. Zero is for a
	// database without any.
	From int
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

// checkFrom ends the transaction unless the tables have the version that they should have.
const checkFrom = `DO $$ BEGIN
	IF (SELECT schema FROM muster.version) <> %[1]d THEN RAISE 'the tables do not have version %[1]d'; END IF;
END $$;
`

// Schema returns the statements that make the present schema in a database that has none of
// it, or what it lacks, in one transaction, for psql.
func Schema(o SchemaOptions) (string, error) {
	if o.From < 0 || o.From >= schemaVersion {
		return "", fmt.Errorf("there are no tables of version %d that lack something: this release makes version %d", o.From, schemaVersion)
	}
	var all strings.Builder
	all.WriteString("BEGIN;\n")
	if o.Distributed {
		all.WriteString("SET LOCAL client_min_messages = error; -- Citus warns that the views are on the coordinator only, which is as it should be\n")
	}
	if o.From == 0 {
		all.WriteString(createSchema + createVersion())
	} else {
		fmt.Fprintf(&all, checkFrom, o.From)
	}
	for version := o.From + 1; version <= present.last; version++ {
		all.WriteString("\n" + present.to(version, o.Distributed))
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
	return all.String(), nil
}

// setFormat writes the format of the records, unless another server has taken over.
const setFormat = `UPDATE muster.version SET format = $1 WHERE EXISTS (SELECT 1 FROM muster.node WHERE incarnation = $2 AND NOT fenced)`
