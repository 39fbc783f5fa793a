package datafolder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/sessionstore"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
)

// damageError is damage that --accept-loss overrides.
type damageError struct{ what string }

func (e *damageError) Error() string {
	return e.what + ". Restore a backup of it, or start once with --accept-loss to go on with what is there (see \"Damage\" in the operator's guide)"
}

// brokenError is damage that only a backup mends.
type brokenError struct{ what string }

func (e *brokenError) Error() string {
	return e.what + ". Restore a backup of it (see \"Damage\" in the operator's guide)"
}

// Explain adds to an error of the store its reason and what to do about it.
func (f Folder) Explain(err error) error {
	switch d := damageOf(err); {
	case errors.Is(err, ErrInUse):
		by := "another process"
		if r, err := ReadReady(f.ReadyFile()); err == nil {
			by = fmt.Sprintf("a muster server (process %d, %s)", r.PID, r.APIURL)
		}
		return fmt.Errorf("the data folder %s is in use by %s: %w", string(f), by, ErrInUse)
	case d == nil:
		return err
	case d.Tail != nil:
		return &damageError{fmt.Sprintf("%s is damaged: %s", string(f), d.What)}
	default:
		return &brokenError{fmt.Sprintf("%s is damaged: %s", string(f), d.What)}
	}
}

// damageOf returns the damage in an error of the store, nil for none.
func damageOf(err error) *pebblestore.DamageError {
	d, _ := errors.AsType[*pebblestore.DamageError](err)
	return d
}

// Verify looks at all of a data folder, or of a backup, and calls problem for each thing that
// is damaged or missing. It changes nothing. A database is as in StoreOptions, and a server may
// be working on it. It fails when f is no data folder.
func (f Folder) Verify(ctx context.Context, database string, problem func(string)) error {
	return (&verifier{ctx: ctx, data: f, database: database, problem: problem}).all()
}

// verifier checks a data folder. It continues after each problem as far as that is possible.
type verifier struct {
	ctx      context.Context // of the one call that this lives in
	data     Folder
	database string
	problem  func(string)
}

func (v *verifier) all() error {
	backup, err := backup(v.data).check(v.ctx, v.problem)
	if err != nil {
		return err
	}
	if !backup && !v.data.known() {
		return fmt.Errorf("%s is not a data folder: it has neither a store nor anything else of a server's", string(v.data))
	}
	v.data.verifyBesides(v.problem)
	s, err := v.open()
	if err != nil || s == nil {
		return err
	}
	executions := func(ctx context.Context, s store.Store) ([]store.Problem, error) { return store.Verify(ctx, s) }
	v.sideBySide(s, v.parts, v.tables, v.records(service.VerifyRecords), v.records(executions), v.records(service.VerifyAgreement), v.sessions, v.jobFiles)
	return errors.Join(v.ctx.Err(), s.Close())
}

// check is one of the independent checks of the store. It calls problem from one goroutine.
type check func(s *Store, problem func(string)) error

// sideBySide runs checks at the same time, since each keeps one core busy. It reports their
// problems when all are done, in the order of the checks.
func (v *verifier) sideBySide(s *Store, checks ...check) {
	found := make([][]string, len(checks))
	var all sync.WaitGroup
	for i, check := range checks {
		all.Go(func() {
			unbroken(check, s, func(p string) { found[i] = append(found[i], p) })
		})
	}
	all.Wait()
	for _, problems := range found {
		for _, p := range problems {
			v.problem(p)
		}
	}
}

// open opens the store, without the end of its log when that is damaged. It returns nil when
// nothing can be read.
func (v *verifier) open() (*Store, error) {
	if _, err := os.Lstat(v.data.NodeFile()); err == nil && v.database == "" { // in use or not
		return nil, elsewhere(v.data)
	}
	o := StoreOptions{Database: v.database, ReadOnly: true}
	s, err := v.data.OpenStore(v.ctx, o)
	if damage := damageOf(err); damage != nil && damage.Tail != nil {
		v.problem(damage.Error())
		o.AcceptLoss = true
		s, err = v.data.OpenStore(v.ctx, o)
	}
	switch damage := damageOf(err); {
	case damage != nil:
		v.problem(damage.Error())
		return nil, nil
	case errors.Is(err, pebblestore.ErrUnmade), errors.Is(err, fs.ErrNotExist):
		if v.data.served() {
			v.problem("its store, the folder db, is missing or empty")
		}
		return nil, nil
	}
	return s, err
}

// unbroken runs a check. Damage that makes the check itself fail is a problem and ends only
// this check.
func unbroken(check check, s *Store, problem func(string)) {
	defer func() {
		if r := recover(); r != nil {
			problem(fmt.Sprintf("what is stored cannot be read any further: %v", r))
		}
	}()
	if err := check(s, problem); err != nil {
		problem(fmt.Sprintf("what is stored cannot be read any further: %v", err))
	}
}

func (v *verifier) parts(s *Store, problem func(string)) error {
	if s.database != nil {
		known, err := knownParts(v.ctx, s)
		if err == nil && known == nil && v.data.served() {
			problem("its store, the database, is empty")
		}
		if err != nil {
			return err
		}
	}
	problems, err := v.data.missingParts(v.ctx, s)
	for _, p := range problems {
		problem(p)
	}
	return err
}

// tables is for a store in the folder: a database checks its pages itself.
func (v *verifier) tables(s *Store, problem func(string)) error {
	if s.pebble == nil {
		return nil
	}
	return s.pebble.CheckTables(v.ctx, problem)
}

// records is the check that verify makes.
func (v *verifier) records(verify func(context.Context, store.Store) ([]store.Problem, error)) check {
	return func(s *Store, problem func(string)) error {
		problems, err := verify(v.ctx, s)
		for _, p := range problems {
			problem(p.String())
		}
		return err
	}
}

func (v *verifier) sessions(s *Store, problem func(string)) error {
	return sessionstore.Verify(v.ctx, s, func(err error) { problem(err.Error()) })
}

func (v *verifier) jobFiles(s *Store, problem func(string)) error {
	look := func() ([]string, error) { return diskstore.Verify(v.ctx, s, v.data.Files()) }
	if s.database != nil { // a server may be working
		look = twice(look)
	}
	problems, err := look()
	for _, p := range problems {
		problem(p)
	}
	return err
}

// twice returns the problems that look finds two times: what is deleted while it looks is still in
// the snapshot of the first time, and in none of a later one.
func twice(look func() ([]string, error)) func() ([]string, error) {
	return func() ([]string, error) {
		problems, err := look()
		if err != nil || len(problems) == 0 {
			return problems, err
		}
		again, err := look()
		return slices.DeleteFunc(problems, func(p string) bool { return !slices.Contains(again, p) }), err
	}
}
