package service

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/transfer"
)

// moved exports a store and imports it into another.
func moved(t *testing.T, from, to store.Store) error {
	t.Helper()
	tables := FormerTables()
	for _, table := range Tables() {
		if table.Name() != "import" {
			tables = append(tables, table.Name())
		}
	}
	dir := filepath.Join(t.TempDir(), "export")
	nothing := func(string) (func(store.Reader) error, error) { return func(store.Reader) error { return nil }, nil }
	_, err := transfer.Make(t.Context(), from, tables, dir, transfer.About{}, nothing)
	noErr(t, "Make", err)
	x, err := transfer.Open(dir)
	noErr(t, "Open", err)
	return x.Import(t.Context(), to, tables, MigrateLater)
}

// A store of a former format that has moved is migrated into what it would have become in its
// place.
func TestAFormerFormatIsMigratedAfterItsMove(t *testing.T) {
	for _, format := range formerFormats {
		t.Run(fmt.Sprint(format), func(t *testing.T) {
			inPlace, to := openPebble(t, formerStore(t, format)), memstore.New()
			defer inPlace.Close()
			noErr(t, "import", moved(t, inPlace, to))
			if err := CheckFormat(t.Context(), to); err == nil {
				t.Error("the store may be served before it is migrated")
			}
			noErr(t, "Migrate", Migrate(t.Context(), to, nil))
			noErr(t, "CheckFormat", CheckFormat(t.Context(), to))
			noErr(t, "Migrate", Migrate(t.Context(), inPlace, nil))
			wantContents(t, "moved and then migrated", contentsOf(t, to), contentsOf(t, inPlace))
			wantNoProblems(t, "moved and then migrated", to)
		})
	}
}

// A store into which an import is unfinished is neither migrated nor served, and verification
// says so.
func TestAnUnfinishedImportIsNotServed(t *testing.T) {
	s := memstore.New()
	noErr(t, "Update", store.Update(t.Context(), s, func(tx store.Tx) error {
		records("import").Put(tx, "import", fields{"Export": "x"})
		return nil
	}))
	for name, err := range map[string]error{
		"Migrate": Migrate(t.Context(), s, nil), "CheckFormat": CheckFormat(t.Context(), s), "Run": New(Options{Store: s}).Run(t.Context()),
	} {
		if err == nil || !strings.Contains(err.Error(), "unfinished") {
			t.Errorf("%s() = %v, want a sentence about the import", name, err)
		}
	}
	problems, err := Verify(t.Context(), s)
	if err != nil || len(problems) != 1 || problems[0].Invariant != ImportsAreFinished {
		t.Errorf("Verify() = %v, %v", problems, err)
	}
	if err := moved(t, memstore.New(), s); err == nil || errors.Is(err, transfer.ErrDone) {
		t.Errorf("the import of another export says %v", err)
	}
}
