// Package pgstore is a store.Store on a PostgreSQL database, of version 13 or later. It is
// the only package that imports a PostgreSQL client.
package pgstore

import (
	"context"
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/muster-iot/muster/store"
)

// Options say which database to open, and how.
type Options struct {
	// Database is a postgres:// URL or a text of "key=value" pairs, as libpq takes them.
	// What it leaves out comes from the variables of the environment, the password file and
	// the service file that libpq reads. Required.
	Database string

	// Node names the server on the database. No two processes of one name may run at a
	// time, and the caller sees to that: what a process of this name left is taken over at
	// once. Empty is a random name, which waits until a former server's lease has expired.
	Node string

	// ReadOnly opens the database to look at it: it makes no tables, migrates nothing, and
	// every Apply fails with ErrReadOnly. A server may be working on the database.
	ReadOnly bool

	// Log receives what is tried again. Nil discards it.
	Log *slog.Logger
}

// Errors of Open; each is wrapped in an error that says more.
var (
	ErrInUse    = errors.New("another server works on the database")
	ErrReadOnly = errors.New("the database was opened to be read only")
)

// Store is one open database. Make it with Open.
type Store struct{ store.Formatted }

// Open opens the database, and makes or migrates its schema.
func Open(ctx context.Context, o Options) (*Store, error) {
	_, err := pgx.ParseConfig(o.Database)
	return nil, err
}
