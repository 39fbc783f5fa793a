package pgstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muster-iot/muster/store"
)

// mismatchError is a statement that has changed another number of rows than it must: what a
// Change was said to replace is not what is stored.
type mismatchError struct {
	sql        string
	rows, want int64
}

func (e *mismatchError) Error() string {
	return fmt.Sprintf("pgstore: %d rows were changed instead of %d: %.60s", e.rows, e.want, e.sql)
}

// errOutvoted is a commit whose lane is not that of this process any more, or not in the
// state in which this process left it.
var errOutvoted = errors.New("pgstore: the lane of commits was taken over")

// errDoubt is a commit that may or may not have taken place: the database does not say.
var errDoubt = errors.New("pgstore: whether a commit took place is not known")

// fault is what an error of the database means for a transaction.
type fault int

const (
	broken  fault = iota // it will not pass if it is tried again
	refused              // another one has changed what it read
	gone                 // the connection or the database is not there now
	full                 // the database has no room
	outvote              // errOutvoted, or store.ErrFenced
)

// faultOf returns what err means. Errors that do not come from the database itself are of
// the connection: it is closed, or silent. A database that accepts none is not there, whatever
// it says: one whose disk is full, for example, has reasons of many kinds.
func faultOf(err error) fault {
	var mismatch *mismatchError
	if errors.Is(err, errForm) || errors.As(err, &mismatch) {
		return broken
	}
	if errors.Is(err, errOutvoted) || errors.Is(err, store.ErrFenced) {
		return outvote
	}
	said, ok := errors.AsType[*pgconn.PgError](err)
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting || !ok {
		return gone
	}
	switch said.Code {
	case "40001", "40P01", "23505", lockNotHad: // serialization failure, deadlock, a key twice
		return refused
	case "22012": // divided by zero: see claimCommit
		return outvote
	case "53100": // disk full
		return full
	case "25006", "57014", "58030", "25P03": // read only since it became a standby, statement too slow, its disk, idle too long
		return gone
	}
	switch said.Code[:2] {
	case "08", "53", "57": // connection, resources, stopped by its operator
		return gone
	}
	return broken
}

// lockNotHad is the code of an error because a lock was not had in time.
const lockNotHad = "55P03"

// isLate reports whether a lock was not had in time.
func isLate(err error) bool {
	said, ok := errors.AsType[*pgconn.PgError](err)
	return ok && said.Code == lockNotHad
}

// explain adds to an error of the database what its message leaves out.
func explain(err error) error {
	said, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || said.Detail == "" || strings.Contains(said.Message, said.Detail) {
		return err
	}
	return fmt.Errorf("%w (%s)", err, said.Detail)
}

// asStore wraps an error in the one of package store that says what a caller may do about
// it.
func asStore(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrStopped), errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrAgain), errors.Is(err, store.ErrFull):
		return err
	}
	switch faultOf(err) {
	case refused:
		return fmt.Errorf("%w: %w", store.ErrAgain, err)
	case gone:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	case full:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case outvote, broken:
	}
	return err
}
