package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/pebblestore"
	"github.com/muster-iot/muster/store/storetest"
)

var (
	about  = About{Release: "1.2.3", At: time.UnixMilli(1_700_000_000_000)}
	tables = []store.Table{"history", "odd"}
	// small makes many files and transactions of little content.
	small = bounds{file: 2000, stepRows: 1, stepText: 1 << 20}
)

func inMemory(*testing.T) store.Store { return memstore.New() }

func inPebble(t *testing.T) store.Store {
	s, err := pebblestore.Open("data", pebblestore.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the store is in memory only
	return s
}

// played returns a store of that kind with the history of a seed.
func played(t *testing.T, s store.Store, seed uint64) *storetest.History {
	t.Helper()
	h := storetest.NewHistory(seed)
	for range 80 {
		if wait, err := h.Step(s); err != nil {
			t.Fatal(err)
		} else if wait != nil {
			if err := wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return h
}

// check fails t unless s holds the state after the history's last step.
func check(t *testing.T, s store.Store, h *storetest.History) {
	t.Helper()
	err := s.View(t.Context(), func(r store.Reader) error {
		if step, err := h.Check(r); err != nil || step != h.Steps() {
			return fmt.Errorf("it is at step %d, want %d: %w", step, h.Steps(), err)
		}
		return CheckFinished(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := store.Verify(t.Context(), s); err != nil || len(problems) > 0 {
		t.Fatalf("Verify() = %v, %v", problems, err)
	}
}

// exported returns an export of s, in many files.
func exported(t *testing.T, s store.Store) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "export")
	if _, err := makeBounded(t.Context(), s, tables, dir, about, twoFiles, small); err != nil {
		t.Fatal(err)
	}
	return dir
}

// twoFiles are beside the store.
func twoFiles(to string) (complete func(store.Reader) error, err error) {
	complete = func(store.Reader) error {
		return os.WriteFile(filepath.Join(to, "files", "one"), []byte("content"), 0o600)
	}
	return complete, errors.Join(os.WriteFile(filepath.Join(to, "keys.json"), []byte("{}"), 0o600), os.Mkdir(filepath.Join(to, "files"), 0o700))
}

func neverOlder(store.Writer, int) { panic("the export is not older") }

// imported imports an export into s, in many transactions.
func imported(ctx context.Context, dir string, s store.Store) error {
	x, err := Open(dir)
	if err == nil {
		err = x.Check(ctx)
	}
	if err == nil {
		err = x.importRows(ctx, s, tables, neverOlder, small)
	}
	return err
}

func TestAStoreMoves(t *testing.T) {
	for name, kinds := range map[string]struct{ from, to func(*testing.T) store.Store }{
		"from memory to Pebble":        {inMemory, inPebble},
		"from Pebble to memory":        {inPebble, inMemory},
		"from Pebble to Pebble":        {inPebble, inPebble},
		"to one that refuses a little": {inMemory, func(*testing.T) store.Store { return storetest.Twice(storetest.Refusing(memstore.New(), 1)) }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, seed := range storetest.Seeds(t, 5) {
				from, to := kinds.from(t), kinds.to(t)
				h := played(t, from, seed)
				if err := imported(t.Context(), exported(t, from), to); err != nil {
					t.Fatalf("MUSTER_SEED=%d: %v", seed, err)
				}
				check(t, to, h)
			}
		})
	}
}

// An export of the same content is the same text, whatever store it is of.
func TestExportsOfEqualContentAreEqual(t *testing.T) {
	var lists []List
	for _, kind := range []func(*testing.T) store.Store{inMemory, inPebble} {
		s := kind(t)
		played(t, s, 3)
		l, err := readList(exported(t, s))
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, l)
	}
	if !reflect.DeepEqual(lists[0], lists[1]) {
		t.Errorf("the lists are %+v and %+v", lists[0], lists[1])
	}
	if n := len(lists[0].Files); n < 5 {
		t.Errorf("there are %d files, too few for this test", n)
	}
}

func TestLines(t *testing.T) {
	running := muster.Execution{
		Thing: "pump", Job: "update", Number: 2, Namespace: "factory", Status: muster.InProgress, Version: 3, Details: map[string]string{"b": "<2>", "a": "é"},
		QueuedAt: 1, StartedAt: 2, UpdatedAt: 3, JobDeadline: 4, StepDeadline: 5, Retries: muster.Retries{Failed: 6, TimedOut: 7}, ForceCanceled: true, Windowed: true, PresignedAt: 8,
	}
	entry := muster.Entry{Job: "update", Number: 2, Version: 3, Status: muster.InProgress, QueuedAt: 1, StartedAt: 2, UpdatedAt: 3, Windowed: true, Hidden: true}
	queue := muster.Queue{Thing: "pump", Namespace: "factory", Rev: 9, Entries: []muster.Entry{entry}}
	for want, r := range map[string]row{
		`{"execution":{"status":"IN_PROGRESS","thing":"pump","job":"update","number":2,"namespace":"factory","version":3,"details":{"a":"é","b":"<2>"},"queuedAt":1,"startedAt":2,"updatedAt":3,"jobDeadline":4,"stepDeadline":5,"retries":{"failed":6,"timedOut":7},"forceCanceled":true,"windowed":true,"presignedAt":8}}`: {execution: &running},
		`{"execution":{"status":"QUEUED","thing":"pump","job":"j","number":1,"version":1,"queuedAt":1,"updatedAt":1}}`: {
			execution: &muster.Execution{Thing: "pump", Job: "j", Number: 1, Status: muster.Queued, Version: 1, QueuedAt: 1, UpdatedAt: 1},
		},
		`{"queue":{"thing":"pump","namespace":"factory","rev":9,"entries":[{"status":"IN_PROGRESS","job":"update","number":2,"version":3,"queuedAt":1,"startedAt":2,"updatedAt":3,"windowed":true,"hidden":true}]}}`: {
			queue: &queue,
		},
		`{"table":"thing","key":"a\u0000<b>","value":{"Name": "é"}}`: {table: "thing", record: store.Record{Key: "a\x00<b>", Value: []byte("\x01{\"Name\": \"é\"}")}},
		`{"table":"thing","key":"\ufffd","value":null}`:              {table: "thing", record: store.Record{Key: "\ufffd", Value: []byte("\x01null")}},
		`{"table":"thing","key64":"/w==","value64":""}`:              {table: "thing", record: store.Record{Key: "\xff", Value: []byte{}}},
		`{"table":"thing","key":"","value64":"AXsKfQ=="}`:            {table: "thing", record: store.Record{Value: []byte("\x01{\n}")}},
		`{"table":"thing","key":"k","value64":"ASB7fQ=="}`:           {table: "thing", record: store.Record{Key: "k", Value: []byte("\x01 {}")}},
		`{"table":"thing","key":"k","value64":"Ant9"}`:               {table: "thing", record: store.Record{Key: "k", Value: []byte("\x02{}")}},
		`{"table":"thing","key":"k","value64":"AXs="}`:               {table: "thing", record: store.Record{Key: "k", Value: []byte("\x01{")}},
	} {
		text, err := newEncoder().line(r)
		want = strings.ReplaceAll(want, `\ufffd`, "\ufffd")
		if err != nil || string(text) != want+"\n" {
			t.Errorf("line() = %s, %v, want %s", text, err, want)
		}
		if got, err := decode(text); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("decode(%s) = %+v, %v, want %+v", text, got, err, r)
		}
	}
	for _, v := range []reflect.Value{reflect.ValueOf(running), reflect.ValueOf(entry), reflect.ValueOf(queue), reflect.ValueOf(running.Retries)} {
		for field, value := range v.Fields() {
			if value.IsZero() {
				t.Errorf("%s has no %s, so nothing is proved of it", v.Type(), field.Name)
			}
		}
	}
}

func TestWhatIsNoLineIsRefused(t *testing.T) {
	for _, text := range []string{
		``, `{`, `[]`, `{}`, `{"key":"k"}`, `{"execution":{"thing":"t","status":"DONE"}}`, `{"queue":{"thing":"t","entries":[{"status":""}]}}`, `{"table":"t","key64":"-"}`,
	} {
		if r, err := decode([]byte(text)); err == nil {
			t.Errorf("decode(%s) = %+v, want an error", text, r)
		}
	}
	latin := muster.Execution{Thing: "t", Job: "j", Number: 1, Status: muster.Queued, Details: map[string]string{"a": "\xe9"}}
	if text, err := newEncoder().line(row{execution: &latin}); err == nil {
		t.Errorf("line() of details that are not UTF-8 = %s, want an error", text)
	}
}

// Records are moved byte for byte, whatever they are.
func TestOddRecordsMove(t *testing.T) {
	from, to := memstore.New(), inPebble(t)
	odd := map[string]string{
		"": "", "a\x00b": "\x01{\"<\":\"\\u003c\",\"n\":1e400}", "\xff\xfe": "\x01", "line": "\x01\"a\nb\"", "other": "\x07abc", "latin": "\x01\"\xe9\"",
		"large": "\x01\"" + strings.Repeat("x", 1<<20) + "\"",
	}
	err := store.Update(t.Context(), from, func(tx store.Tx) error {
		for key, value := range odd {
			tx.Put("odd", key, []byte(value))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := imported(t.Context(), exported(t, from), to); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err = to.View(t.Context(), func(r store.Reader) error {
		for record, err := range r.Scan("odd", "", "") {
			if err != nil {
				return err
			}
			got[record.Key] = string(record.Value)
		}
		return nil
	})
	if err != nil || !maps.Equal(got, odd) {
		t.Errorf("the records are %q, %v, want %q", got, err, odd)
	}
}

var errKilled = errors.New("killed")

// mortal is a store whose process is killed at one of its writes: just before, or just after
// that is durable.
type mortal struct {
	store.Store
	left  int // writes
	after bool
}

func (s *mortal) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	if s.left--; s.left < 0 || s.left == 0 && !s.after {
		return nil, errKilled
	}
	wait, err := s.Store.Apply(ctx, fn)
	if s.left == 0 && err == nil {
		return nil, errors.Join(wait(), errKilled)
	}
	return wait, err
}

// An import that is killed at any of its writes leaves a store that may not be served, and is
// continued by the next one. What was written is not written again.
func TestAKilledImportContinues(t *testing.T) {
	from := memstore.New()
	h := played(t, from, 7)
	dir := exported(t, from)
	writes := 0
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			to := memstore.New()
			err := imported(t.Context(), dir, &mortal{to, n, after})
			if err == nil {
				writes = n
				break
			}
			if !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			begun, rows := n > 1 || after, 0
			err = to.View(t.Context(), func(r store.Reader) error {
				for range content(r, tables) {
					rows++
				}
				return CheckFinished(r)
			})
			switch {
			case !begun && (err != nil || rows > 0):
				t.Errorf("killed at the first write, the store has %d rows and %v", rows, err)
			case begun && err == nil && !errors.Is(imported(t.Context(), dir, to), ErrDone):
				t.Errorf("killed at write %d, the store may be served with %d rows", n, rows)
			}
			again := &mortal{to, 1 << 30, false}
			if err := imported(t.Context(), dir, again); err != nil && !errors.Is(err, ErrDone) {
				t.Fatalf("killed at write %d and continued: %v", n, err)
			}
			check(t, to, h)
		}
	}
	if writes < 12 {
		t.Errorf("an import has %d writes, too few for this test", writes)
	}
}

// stopping is a store that cancels what it is used for, after some writes.
type stopping struct {
	store.Store
	left int // writes
	stop func()
}

func (s *stopping) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	wait, err := s.Store.Apply(ctx, fn)
	if err == nil {
		if s.left--; s.left == 0 {
			s.stop()
		}
	}
	return wait, err
}

// An import that is cancelled says so, stores nothing more, although it has read more, and is
// continued by the next one.
func TestACancelledImportContinues(t *testing.T) {
	from := memstore.New()
	h := played(t, from, 7)
	dir := exported(t, from)
	for n := 1; n < 8; n++ {
		to := memstore.New()
		ctx, cancel := context.WithCancel(t.Context())
		s := &stopping{to, n, cancel}
		if err := imported(ctx, dir, s); !errors.Is(err, context.Canceled) || s.left < 0 {
			t.Errorf("cancelled at write %d it writes %d times more and says %v", n, -s.left, err)
		}
		cancel()
		if err := imported(t.Context(), dir, to); err != nil {
			t.Fatal(err)
		}
		check(t, to, h)
	}
}

// An interrupted export is refused, and made again from scratch by the next one.
func TestAnInterruptedExportBeginsAgain(t *testing.T) {
	s := memstore.New()
	h := played(t, s, 7)
	whole := exported(t, s)
	for n := 0; ; n += 7 {
		dir := filepath.Join(t.TempDir(), "export")
		_, err := makeBounded(t.Context(), &unreadable{s, n}, tables, dir, about, twoFiles, small)
		if err == nil {
			if n < 20 {
				t.Errorf("the export reads %d executions, too few for this test", n)
			}
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if err := imported(t.Context(), dir, memstore.New()); err == nil || !strings.Contains(err.Error(), "incomplete") {
			t.Fatalf("an import of an interrupted export: %v", err)
		}
		if n == 7 { // as by a process that was killed at its first file
			if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, listName+beingWritten), nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(filepath.Join(dir, rowsName, "00099.jsonl.gz"), []byte("of the first attempt"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := makeBounded(t.Context(), s, tables, dir, about, twoFiles, small); err != nil {
			t.Fatal(err)
		}
		if got, want := filesIn(t, dir), filesIn(t, whole); !maps.Equal(got, want) {
			t.Fatal("an export after an interrupted one is not like one at once")
		}
		to := memstore.New()
		if err := imported(t.Context(), dir, to); err != nil {
			t.Fatal(err)
		}
		check(t, to, h)
	}
}

// unreadable is a store of which so many executions can be read.
type unreadable struct {
	store.Store
	left int
}

func (s *unreadable) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.Store.View(ctx, func(r store.Reader) error { return fn(unreadableReader{r, s}) })
}

type unreadableReader struct {
	store.Reader
	of *unreadable
}

func (r unreadableReader) AllExecutions() iter.Seq2[muster.Execution, error] {
	return func(yield func(muster.Execution, error) bool) {
		for e, err := range r.Reader.AllExecutions() {
			if r.of.left--; r.of.left < 0 {
				err = errKilled
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// filesIn returns all files of a folder with their content.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Nothing is written into a store from an export that is damaged in any file.
func TestADamagedExportIsRefused(t *testing.T) {
	s := memstore.New()
	played(t, s, 5)
	dir := exported(t, s)
	for name, content := range filesIn(t, dir) {
		flipped := []byte(content)
		flipped[len(flipped)/2] ^= 1
		for what, damage := range map[string]func(path string) error{
			"is missing":       os.Remove,
			"is empty":         func(path string) error { return os.WriteFile(path, nil, 0o600) },
			"is truncated":     func(path string) error { return os.WriteFile(path, []byte(content[:len(content)-1]), 0o600) },
			"is longer":        func(path string) error { return os.WriteFile(path, []byte(content+"}"), 0o600) },
			"has other bytes":  func(path string) error { return os.WriteFile(path, flipped, 0o600) },
			"is another's":     func(path string) error { return os.WriteFile(path, []byte("{}"), 0o600) },
			"is a folder":      func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
			"leads nowhere":    func(path string) error { return errors.Join(os.Remove(path), os.Symlink("nowhere", path)) },
			"is all there was": func(path string) error { return removeBut(dir, path) },
		} {
			if content == "{}" && what == "is another's" || name == "/"+listName && (what == "is longer" || what == "is truncated") {
				continue // is the same, or the same JSON
			}
			copied := filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			if what == "is all there was" {
				damage = func(path string) error { return removeBut(copied, path) }
			}
			if err := damage(filepath.Join(copied, name)); err != nil {
				t.Fatal(err)
			}
			to := memstore.New()
			if err := imported(t.Context(), copied, to); err == nil {
				t.Errorf("%s %s, and the export is imported", name, what)
			}
			if sections, err := sectionsOf(t.Context(), to, append(tables, imports.Table)); err != nil || len(sections) > 0 {
				t.Errorf("%s %s, and the store has %v, %v", name, what, sections, err)
			}
		}
	}
}

// removeBut removes all files of a folder but one.
func removeBut(dir, but string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == but {
			return err
		}
		return os.Remove(path)
	})
}

func TestWhatCannotBeImportedIsRefused(t *testing.T) {
	s := memstore.New()
	played(t, s, 5)
	for _, c := range []struct {
		name, want string
		change     func(dir string, l *List) error
	}{
		{"no export", "no export", func(dir string, _ *List) error { return os.Remove(filepath.Join(dir, listName)) }},
		{"a newer form", "newer release", func(dir string, l *List) error { l.Version++; return l.rewrite(dir) }},
		{"a newer format", "newer release", func(dir string, l *List) error { l.Format = store.Format + 1; return l.rewrite(dir) }},
		{"a table of a newer release", "newer release", func(dir string, l *List) error {
			l.Content = append(l.Content, Section{Name: "future", Rows: 1})
			return l.rewrite(dir)
		}},
		{"a list that was changed", "checksum", func(dir string, l *List) error { l.Files = l.Files[1:]; return l.write(dir) }},
		{"a file elsewhere", "elsewhere", func(dir string, l *List) error { l.Files[0].Name = "../x"; return l.rewrite(dir) }},
		{"other content than the list says", "it has", func(dir string, l *List) error { l.Content[0].Rows++; return l.rewrite(dir) }},
		{"other rows than the list says", "not the same", func(dir string, l *List) error { l.Content[1].SHA256 = ""; return l.rewrite(dir) }},
		{"without a file of rows", "instead of", func(dir string, l *List) error { l.Files = l.Files[1:]; return l.rewrite(dir) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := exported(t, s)
			l, err := readList(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.change(dir, &l); err != nil {
				t.Fatal(err)
			}
			to := memstore.New()
			if err := imported(t.Context(), dir, to); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the import says %v, want a sentence with %q", err, c.want)
			}
		})
	}
}

// rewrite writes a list with its checksum.
func (l *List) rewrite(dir string) (err error) {
	if l.SHA256, err = l.sum(); err != nil {
		return err
	}
	return l.write(dir)
}

// An import fills an empty store only.
func TestAStoreInUseIsRefused(t *testing.T) {
	from := memstore.New()
	played(t, from, 5)
	dir := exported(t, from)
	put := func(tx store.Tx) error { tx.Put("odd", "k", nil); return nil }
	for name, c := range map[string]struct {
		want string
		fill func(s store.Store) error
	}{
		"with a record":    {"not empty: it has records of table odd", func(s store.Store) error { return store.Update(t.Context(), s, put) }},
		"with work":        {"not empty: it has ", func(s store.Store) error { played(t, s, 1); return nil }},
		"that was moved":   {ErrDone.Error(), func(s store.Store) error { return imported(t.Context(), dir, s) }},
		"of another's":     {"not empty", func(s store.Store) error { return imported(t.Context(), otherExport(t), s) }},
		"half of anothers": {"another export", func(s store.Store) error { return half(t, otherExport(t), s) }},
	} {
		t.Run(name, func(t *testing.T) {
			to := memstore.New()
			if err := c.fill(to); err != nil {
				t.Fatal(err)
			}
			before := to.Fork()
			if err := imported(t.Context(), dir, to); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the import says %v, want a sentence with %q", err, c.want)
			}
			is, err := sectionsOf(t.Context(), to, append(tables, imports.Table))
			was, err2 := sectionsOf(t.Context(), before, append(tables, imports.Table))
			if err != nil || err2 != nil || !slices.Equal(is, was) {
				t.Error("the store was changed")
			}
		})
	}
}

func otherExport(t *testing.T) string {
	s := memstore.New()
	played(t, s, 9)
	return exported(t, s)
}

// half imports a part of an export.
func half(t *testing.T, dir string, s store.Store) error {
	if err := imported(t.Context(), dir, &mortal{s, 3, true}); !errors.Is(err, errKilled) {
		return fmt.Errorf("half an import says %w", err)
	}
	return nil
}

// A folder with anything else in it is left alone, and so is an export that is complete.
func TestAnExportNeedsAFolderOfItsOwn(t *testing.T) {
	s := memstore.New()
	for name, c := range map[string]struct {
		want string
		make func(dir string) error
	}{
		"with another file":     {"not empty", func(dir string) error { return os.WriteFile(filepath.Join(dir, "x"), nil, 0o600) }},
		"with a damaged export": {"another export", func(dir string) error { return os.WriteFile(filepath.Join(dir, listName), []byte("{"), 0o600) }},
		"with another export":   {"another export", func(dir string) error { return os.CopyFS(dir, os.DirFS(exported(t, s))) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			before := filesIn(t, dir)
			if _, err := Make(t.Context(), s, tables, dir, about, twoFiles); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the export says %v, want a sentence with %q", err, c.want)
			}
			if !maps.Equal(filesIn(t, dir), before) {
				t.Error("the folder was changed")
			}
		})
	}
	if _, err := Make(t.Context(), s, tables, filepath.Join(os.DevNull, "x"), about, twoFiles); err == nil {
		t.Error("an export below a file is made")
	}
}

// A store that is half imported is not exported.
func TestHalfAStoreIsNotExported(t *testing.T) {
	s := memstore.New()
	if err := half(t, otherExport(t), s); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(t.Context(), s, tables, t.TempDir(), about, twoFiles); !errors.Is(err, errUnfinished) {
		t.Errorf("an export of half a store says %v", err)
	}
}

// formerStore is a store in a former format.
type formerStore struct{ store.Store }

func (formerStore) Format() int                          { return store.Format - 1 }
func (formerStore) SetFormat(context.Context, int) error { return nil }

// An export of a store in a former format is imported as it is, and what migrates it is
// written in the transaction that ends the import.
func TestAFormerFormatIsMigratedLater(t *testing.T) {
	from, to := memstore.New(), memstore.New()
	h := played(t, from, 2)
	x, err := Open(exported(t, formerStore{from}))
	if err != nil || x.Format != store.Format-1 {
		t.Fatalf("Open() = %+v, %v", x, err)
	}
	older := func(w store.Writer, format int) { w.Put("older", "format", []byte{byte(format)}) }
	if err := x.Import(t.Context(), to, tables, older); err != nil {
		t.Fatal(err)
	}
	check(t, to, h)
	err = to.View(t.Context(), func(r store.Reader) error {
		value, err := r.Get("older", "format")
		if !bytes.Equal(value, []byte{store.Format - 1}) {
			t.Errorf("older wrote %v", value)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What is beside the store is restored, also by a call that continues an interrupted one, and
// nothing is replaced.
func TestRestore(t *testing.T) {
	x, err := Open(exported(t, memstore.New()))
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	want := map[string]string{"/keys.json": "{}", "/files/one": "content"}
	for _, before := range []func() error{
		func() error { return nil },
		func() error { return nil }, // all is there already
		func() error { return os.Remove(filepath.Join(to, "files", "one")) },
		func() error { return os.RemoveAll(filepath.Join(to, "files")) },
	} {
		if err := before(); err != nil {
			t.Fatal(err)
		}
		if err := x.Restore(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if got := filesIn(t, to); !maps.Equal(got, want) {
			t.Errorf("the folder has %v, want %v", got, want)
		}
	}
	if err := os.WriteFile(filepath.Join(to, "keys.json"), []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := x.Restore(t.Context(), to); err == nil || !strings.Contains(err.Error(), "keys.json is there already") {
		t.Errorf("Restore() over another file = %v", err)
	}
}

// Who stops an export or an import, stops it.
func TestAStoppedTransferEnds(t *testing.T) {
	s := memstore.New()
	played(t, s, 5)
	dir := exported(t, s)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := imported(stopped, dir, memstore.New()); !errors.Is(err, context.Canceled) {
		t.Errorf("a stopped import says %v", err)
	}
	if _, err := Make(stopped, s, tables, t.TempDir(), about, twoFiles); !errors.Is(err, context.Canceled) {
		t.Errorf("a stopped export says %v", err)
	}
}
