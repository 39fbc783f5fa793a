package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/sstable"
)

// CheckTables reads every block of every table and compares it with its checksum,
// including blocks that reading all records does not touch. It calls problem, with
// a sentence, for each table that is damaged, and returns an error when it could
// not finish.
func (s *Store) CheckTables(ctx context.Context, problem func(string)) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	levels, err := s.db.SSTables()
	if err != nil {
		return fmt.Errorf("pebblestore: list the tables: %w", err)
	}
	o := s.pebble()
	o.EnsureDefaults()
	for _, level := range levels {
		for _, table := range level {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := fmt.Sprintf("%06d%s", uint64(table.BackingSSTNum), tableSuffix)
			if err := s.checkTable(ctx, name, o.MakeReaderOptions()); err != nil {
				problem(fmt.Sprintf("table %s is damaged: %s", name, strings.TrimPrefix(sentence(err), unnamedFile)))
			}
		}
	}
	return nil
}

// unnamedFile begins the errors of a table that is read outside a database.
const unnamedFile = "pebble: file 000000: "

func (s *Store) checkTable(ctx context.Context, name string, o sstable.ReaderOptions) (err error) {
	defer func() {
		if r := recover(); r != nil { // Pebble may panic at a block with a valid checksum and wrong content
			err = fmt.Errorf("%v", r)
		}
	}()
	f, err := s.o.FS.Open(s.o.FS.PathJoin(s.dir, name))
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r, err := sstable.NewReader(ctx, readable, o) // closes readable if it fails
	if err != nil {
		return err
	}
	return errors.Join(r.ValidateBlockChecksums(), r.Close())
}
