package datafolder

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/transfer"
)

// nothing is left to do when an import is whole.
func nothing() error { return nil }

// Every table that the source declares is exported, but for that of imports.
func TestEveryTableIsExported(t *testing.T) {
	declaration := regexp.MustCompile(`\bOf\[[^\n{}]*\]\{Table: "([a-z]+)"\}`)
	var declared []store.Table
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range declaration.FindAllSubmatch(source, -1) {
			declared = append(declared, store.Table(match[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(declared) < 60 {
		t.Fatalf("there are only the tables %v", declared)
	}
	all := exportedTables()
	for _, table := range transfer.Tables() {
		all = append(all, table.Name())
	}
	slices.Sort(declared)
	slices.Sort(all)
	if !slices.Equal(declared, all) {
		t.Errorf("the tables are %v, and exported are %v", declared, all)
	}
}

// worked returns a data folder with a job file, and its store in memory.
func worked(t *testing.T) (Folder, *memstore.Store) {
	t.Helper()
	f, s := Folder(filepath.Join(t.TempDir(), "data")), memstore.New()
	for _, file := range []string{f.Keys(), f.CA().Certificate, f.CA().Key, filepath.Join(string(f.Signing()), "release.pem"), f.ReadyFile()} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(filepath.Base(file)), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	objects, err := diskstore.Open(ctx, diskstore.Options{Dir: f.Files(), Index: s, Now: time.Now})
	if err == nil {
		err = objects.CreateBucket(ctx, "lab")
	}
	if err == nil {
		_, err = objects.Put(ctx, "lab", "firmware", diskstore.Content{Body: strings.NewReader("bytes"), Size: 5}, diskstore.Attributes{}, diskstore.Precondition{})
	}
	if err != nil {
		t.Fatal(err)
	}
	err = store.Update(ctx, s, func(tx store.Tx) error {
		e := muster.Execution{Thing: "pump", Job: "update", Number: 1, Status: muster.Queued, Version: 1, QueuedAt: 1, UpdatedAt: 1}
		tx.PutQueue(muster.Queue{Thing: "pump"}.With(e).Revised(0))
		tx.Change(nil, &e)
		store.Settings.Put(tx, "name", "value")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return f, s
}

// exported returns an export of a data folder.
func exported(t *testing.T, f Folder, s store.Store) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "export")
	if _, err := f.Export(t.Context(), s, to, transfer.About{}); err != nil {
		t.Fatal(err)
	}
	return to
}

// within returns the files of a folder by their names in it, with their content.
func within(t *testing.T, f Folder) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(string(f), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, string(f))] = string(text)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

// equal fails t unless a data folder has all that another has, and the job file.
func equal(t *testing.T, from, to Folder, s store.Store) {
	t.Helper()
	want, got := within(t, from), within(t, to)
	delete(want, "/ready.json")
	if !maps.Equal(got, want) {
		t.Errorf("the folder has %v, want %v", got, want)
	}
	if problems, err := diskstore.Verify(t.Context(), s, to.Files()); err != nil || len(problems) > 0 {
		t.Errorf("the job files: %v, %v", problems, err)
	}
	if err := to.Adopt(t.Context(), false, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("the folder is not served: %v", err)
	}
	if err := service.CheckFormat(t.Context(), s); err != nil {
		t.Errorf("the store is not served: %v", err)
	}
}

func TestADataFolderMoves(t *testing.T) {
	from, s := worked(t)
	to, into := Folder(filepath.Join(t.TempDir(), "data")), memstore.New()
	l, err := importInto(t.Context(), nothing, exported(t, from, s), to, func() (store.Store, error) { return lasting{into}, nil })
	if err != nil {
		t.Fatal(err)
	}
	if records, queued, executed := l.Rows(); records < 4 || queued != 1 || executed != 1 {
		t.Errorf("there are %d records, %d queues and %d executions", records, queued, executed)
	}
	equal(t, from, to, into)
	if known, err := knownParts(t.Context(), into); err != nil || known == nil || len(known.Files) != 3 {
		t.Errorf("the store knows of the files %v, %v", known, err)
	}
}

// lasting is a store that keeps its content in memory when it is closed, as on a disk.
type lasting struct{ store.Store }

func (lasting) Close() error { return nil }

var errKilled = errors.New("killed")

// mortal is a store whose process is killed at one of its writes, which is done or not.
type mortal struct {
	store.Store
	left int
	done bool
}

func (s *mortal) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	if s.left--; s.left > 0 {
		return s.Store.Apply(ctx, fn)
	}
	if s.done {
		return nil, errors.Join(store.Update(ctx, s.Store, fn), errKilled)
	}
	return nil, errKilled
}

// An import that is killed leaves a folder that is not served, and the next one continues.
func TestAKilledImportOfAFolderContinues(t *testing.T) {
	from, s := worked(t)
	export := exported(t, from, s)
	for name, kill := range map[string]struct {
		left int
		done bool
	}{
		"before the store is open": {}, "before the first write": {1, false}, "after the first write": {1, true},
		"before the rows": {2, false}, "after the rows": {2, true}, "before the end": {3, false}, "at the end": {3, true},
	} {
		t.Run(name, func(t *testing.T) {
			to, into := Folder(filepath.Join(t.TempDir(), "data")), memstore.New()
			_, err := importInto(t.Context(), nothing, export, to, func() (store.Store, error) {
				if kill.left == 0 {
					return nil, errKilled
				}
				return &mortal{lasting{into}, kill.left, kill.done}, nil
			})
			if !errors.Is(err, errKilled) {
				t.Fatalf("a killed import says %v", err)
			}
			if err := to.Adopt(t.Context(), true, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "unfinished") {
				t.Errorf("a half imported folder: %v", err)
			}
			other, otherStore := worked(t)
			if err := store.Update(t.Context(), otherStore, func(tx store.Tx) error { store.Settings.Put(tx, "other", ""); return nil }); err != nil {
				t.Fatal(err)
			}
			if _, err := importInto(t.Context(), nothing, exported(t, other, otherStore), to, nil); err == nil || !strings.Contains(err.Error(), "another export") {
				t.Errorf("an import of another export says %v", err)
			}
			if _, err := importInto(t.Context(), nothing, export, to, func() (store.Store, error) { return lasting{into}, nil }); err != nil {
				t.Fatal(err)
			}
			equal(t, from, to, into)
		})
	}
}

func TestAFolderInUseIsNoPlaceForAnImport(t *testing.T) {
	from, s := worked(t)
	export := exported(t, from, s)
	open := func() (store.Store, error) { t.Error("the store is opened"); return nil, errKilled }
	before := within(t, from)
	if _, err := importInto(t.Context(), nothing, export, from, open); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("an import into a data folder says %v", err)
	}
	if !maps.Equal(within(t, from), before) {
		t.Error("the data folder was changed")
	}
	if _, err := importInto(t.Context(), nothing, string(from), Folder(filepath.Join(t.TempDir(), "x")), open); err == nil || !strings.Contains(err.Error(), "no export") {
		t.Errorf("an import of a data folder says %v", err)
	}
	if err := Folder(export).Adopt(t.Context(), true, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "is an export") {
		t.Errorf("an export is served: %v", err)
	}
}

// A database that has an export already may have changed since. So what is beside it is not
// restored.
func TestAnExportIsImportedOnceIntoAStore(t *testing.T) {
	from, s := worked(t)
	export, into := exported(t, from, s), memstore.New()
	open := func() (store.Store, error) { return lasting{into}, nil }
	if _, err := importInto(t.Context(), nothing, export, Folder(filepath.Join(t.TempDir(), "a")), open); err != nil {
		t.Fatal(err)
	}
	again := Folder(filepath.Join(t.TempDir(), "b"))
	for range 2 {
		if _, err := importInto(t.Context(), nothing, export, again, open); !errors.Is(err, transfer.ErrDone) {
			t.Errorf("the second import says %v", err)
		}
		if left := within(t, again); len(left) > 0 {
			t.Errorf("the second import leaves %v", left)
		}
	}
}

// uploading is a store into which a file is uploaded before the snapshot of an export is taken,
// and from which one is deleted after that.
type uploading struct {
	store.Store
	upload, remove func()
}

func (s *uploading) View(ctx context.Context, fn func(store.Reader) error) error {
	s.upload()
	return s.Store.View(ctx, func(r store.Reader) error {
		if _, err := r.Get("setting", "name"); err != nil {
			return err
		}
		s.remove()
		return fn(r)
	})
}

// Job files may come and go while a server works and its database is exported. All that the
// snapshot has are in the export.
func TestJobFilesComeAndGoDuringAnExport(t *testing.T) {
	f, s := worked(t)
	objects, err := diskstore.Open(t.Context(), diskstore.Options{Dir: f.Files(), Index: s, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	busy := &uploading{s, func() {
		if _, err := objects.Put(t.Context(), "lab", "late", diskstore.Content{Body: strings.NewReader("late"), Size: 4}, diskstore.Attributes{}, diskstore.Precondition{}); err != nil {
			t.Error(err)
		}
	}, func() {
		if _, err := objects.Delete(t.Context(), "lab", "firmware", ""); err != nil {
			t.Error(err)
		}
	}}
	to, into := Folder(filepath.Join(t.TempDir(), "data")), memstore.New()
	if _, err := importInto(t.Context(), nothing, exported(t, f, busy), to, func() (store.Store, error) { return lasting{into}, nil }); err != nil {
		t.Fatal(err)
	}
	contents, err := filepath.Glob(filepath.Join(to.Files(), "*", "*"))
	if err != nil || len(contents) != 2 {
		t.Errorf("the contents are %v, %v, want both files", contents, err)
	}
	if problems, err := diskstore.Verify(t.Context(), into, to.Files()); err != nil || len(problems) > 0 {
		t.Errorf("the job files: %v, %v", problems, err)
	}
}

// A content that the store names and that is not there is not left out silently.
func TestAJobFileThatIsLostIsNotLeftOut(t *testing.T) {
	for name, lose := range map[string]func(content string) error{
		"missing": os.Remove, "truncated": func(content string) error { return os.Truncate(content, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			f, s := worked(t)
			contents, err := filepath.Glob(filepath.Join(f.Files(), "*", "*"))
			if err != nil || len(contents) != 1 {
				t.Fatalf("the contents are %v, %v", contents, err)
			}
			if err := lose(contents[0]); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Export(t.Context(), s, t.TempDir(), transfer.About{}); err == nil || !strings.Contains(err.Error(), filepath.Base(contents[0])) {
				t.Errorf("the export says %v", err)
			}
		})
	}
}
