package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
	"github.com/muster-iot/muster/store/storetest"
)

// folderFiles are the files of a folder, by name.
type folderFiles map[string][]byte

func readFolder(t *testing.T, files vfs.FS, dir string) folderFiles {
	t.Helper()
	names, err := files.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := folderFiles{}
	for _, name := range names {
		f, err := files.Open(files.PathJoin(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		found[name] = content
	}
	return found
}

// disk returns a disk with these files in the folder "data".
func (f folderFiles) disk(t *testing.T) vfs.FS {
	t.Helper()
	disk := vfs.NewMem()
	err := disk.MkdirAll("data", 0o700)
	for name, content := range f {
		if err != nil {
			break
		}
		var file vfs.File
		if file, err = disk.Create("data/"+name, vfs.WriteCategoryUnspecified); err == nil {
			_, err = file.Write(slices.Clone(content)) // which may write into its argument
			err = errors.Join(err, file.Close())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return disk
}

// with returns the files, one of them changed; nil removes it.
func (f folderFiles) with(name string, content []byte) folderFiles {
	changed := maps.Clone(f)
	if changed[name] = content; content == nil {
		delete(changed, name)
	}
	return changed
}

// flipped returns content with one byte turned around.
func flipped(content []byte, at int) []byte {
	changed := slices.Clone(content)
	changed[at] ^= 0xff
	return changed
}

// damageSample is a folder, and what it held when it was made.
type damageSample struct {
	files   folderFiles
	history *storetest.History
	newest  string // the log whose end a crash could have torn; empty for none
}

// damageSamples returns a folder that was closed, one that was only started after
// that (so that the logs are gone), one whose process was killed, and
// one that was killed while nothing could be written into tables, so that there are
// several logs.
func damageSamples(t *testing.T) map[string]damageSample {
	t.Helper()
	disk, h := vfs.NewCrashableMem(), storetest.NewHistory(3)
	s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: crashMemTable})
	play(t, h, s, 100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, "data", pebblestore.Options{FS: disk})
	play(t, h, s, 150)
	s.Vouch()
	killed := kill(t, disk, h)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	closed := damageSample{files: readFolder(t, disk, "data"), history: h}
	s = open(t, "data", pebblestore.Options{FS: disk})
	started := kill(t, disk, h)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	disk, h = vfs.NewCrashableMem(), storetest.NewHistory(4)
	s = open(t, "data", pebblestore.Options{FS: noTables{disk}, MemTableBytes: crashMemTable, Fatal: func(error) {}})
	several := damageSample{}
	for len(several.logs()) < 3 { // one more, and writers would wait for tables
		if play(t, h, s, 3); h.Steps() > 1000 {
			t.Fatalf("after %d steps there are the logs %v, want 3", h.Steps(), several.logs())
		}
		s.Vouch()
		several = kill(t, disk, h)
	}
	// The store is left open: it has no table to write its log into.
	return map[string]damageSample{"closed": closed, "started": started, "killed": killed, "several logs": several}
}

// play applies steps of a history, each durable before the next.
func play(t *testing.T, h *storetest.History, s store.Store, steps int) {
	t.Helper()
	for range steps {
		wait, err := h.Step(s)
		if err == nil && wait != nil {
			err = wait()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// kill returns what is in the folder of a process that runs, at one instant: tables
// may be written and removed meanwhile.
func kill(t *testing.T, disk *vfs.MemFS, h *storetest.History) damageSample {
	t.Helper()
	all := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))} // nothing is lost by chance
	then := disk.CrashClone(all)
	d := damageSample{files: readFolder(t, then, "data"), history: h.Clone()}
	logs := d.logs()
	d.newest = logs[len(logs)-1]
	return d
}

// logs returns the names of the logs, the newest last.
func (d damageSample) logs() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(d.files)), func(name string) bool { return !strings.HasSuffix(name, ".log") })
}

// noTables is a disk on which no table can be made.
type noTables struct{ vfs.FS }

func (n noTables) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") {
		return nil, errors.New("no room for a table")
	}
	return n.FS.Create(name, c)
}

// outcome is what became of a damaged folder.
type outcome struct {
	noticed string // a sentence; empty when nothing was said
	step    int    // of the history that the folder shows
}

// look opens a damaged folder and reads all of it.
func (d damageSample) look(t *testing.T, files folderFiles) (o outcome) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("a panic: %v", r)
		}
	}()
	ctx := context.Background()
	s, err := pebblestore.Open("data", pebblestore.Options{FS: files.disk(t)})
	if err != nil {
		return outcome{noticed: err.Error()}
	}
	var problems []string
	err = s.CheckTables(ctx, func(p string) { problems = append(problems, p) })
	if err == nil {
		var found []store.Problem
		if found, err = store.Verify(ctx, s); err == nil && len(found) > 0 {
			problems = append(problems, found[0].String())
		}
	}
	if err == nil && len(problems) == 0 {
		err = s.View(ctx, func(r store.Reader) (err error) { o.step, err = d.history.Check(r); return err })
	}
	if err := errors.Join(err, s.Close()); err != nil {
		problems = append(problems, err.Error())
	}
	o.noticed = strings.Join(problems, "; ")
	return o
}

// regionStride is how far apart the bytes are that TestDamageIsNoticed turns
// around: a prime, so that all parts of the structures in a file are met.
// MUSTER_DAMAGE=all turns around every byte.
func regionStride(t *testing.T, size int) int {
	t.Helper()
	if os.Getenv("MUSTER_DAMAGE") == "all" {
		return 1
	}
	for _, stride := range []int{7, 31, 97, 211, 499} {
		if size/stride < 60 {
			return stride
		}
	}
	return 997
}

// Whatever happens to one file of a folder, it is noticed, with a sentence, or
// everything is there. The one exception is what a crash does as well: the newest
// log of a process that was killed may be cut short.
func TestDamageIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and one goroutine")
	}
	for kind, sample := range damageSamples(t) {
		last := sample.history.Steps()
		for _, name := range slices.Sorted(maps.Keys(sample.files)) {
			content := sample.files[name]
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				check := func(what string, files folderFiles, atLeast int) {
					switch o := sample.look(t, files); {
					case o.noticed != "" && !strings.Contains(o.noticed, " "):
						t.Errorf("%s: said %q, which is no sentence", what, o.noticed)
					case o.noticed == "" && o.step < atLeast:
						t.Errorf("%s: not noticed, and the folder is back at step %d of %d", what, o.step, last)
					}
				}
				torn := last
				if name == sample.newest {
					torn = 0
				}
				for at := 0; at < len(content); at += regionStride(t, len(content)) {
					check(fmt.Sprintf("byte %d", at), sample.files.with(name, flipped(content, at)), last)
				}
				for _, n := range []int{0, 1, len(content) / 3, len(content) / 2, len(content) - 1} {
					if n >= 0 && n < len(content) {
						check(fmt.Sprintf("cut to %d bytes", n), sample.files.with(name, slices.Clone(content[:n:n])), torn)
					}
				}
				check("removed", sample.files.with(name, nil), last)
			})
		}
	}
}

// AcceptLoss opens what is left of a damaged log, which is whole as far as it
// goes, keeps the files that it gave up, and says what they held. Reading only, it
// shows the same and changes nothing.
func TestAcceptLoss(t *testing.T) {
	ctx := context.Background()
	sample := damageSamples(t)["killed"]
	log := sample.files[sample.newest]
	for _, part := range []int{10, 4, 2} {
		files := sample.files.with(sample.newest, flipped(log, len(log)/part))
		disk := files.disk(t)
		_, err := pebblestore.Open("data", pebblestore.Options{FS: disk})
		var damage *pebblestore.DamageError
		if !errors.As(err, &damage) || damage.Tail == nil || damage.Tail.Changes == 0 || damage.Tail.Log != sample.newest {
			t.Fatalf("Open() = %v, want a DamageError that names %s and changes after the damage", err, sample.newest)
		}
		shows := map[bool]int{}
		for _, readOnly := range []bool{true, false} {
			s := open(t, "data", pebblestore.Options{FS: disk, AcceptLoss: true, ReadOnly: readOnly})
			problems, err := store.Verify(ctx, s)
			if err != nil || len(problems) > 0 {
				t.Errorf("Verify() = %v, %v", problems, err)
			}
			err = s.View(ctx, func(r store.Reader) (err error) { shows[readOnly], err = sample.history.Check(r); return err })
			if err := errors.Join(err, s.Close()); err != nil {
				t.Error(err)
			}
			if now := readFolder(t, disk, "data"); readOnly && !maps.EqualFunc(files, now, slices.Equal) {
				t.Error("reading only changed the folder")
			} else if !readOnly && !slices.Equal(now[sample.newest+".lost"], files[sample.newest]) {
				t.Error("the damaged log was not kept")
			}
		}
		if shows[true] != shows[false] || shows[true]+damage.Tail.Changes > sample.history.Steps() || shows[true] == 0 {
			t.Errorf("the folder shows steps %v, with %d of %d changes after the damage", shows, damage.Tail.Changes, sample.history.Steps())
		}
		if err := open(t, "data", pebblestore.Options{FS: disk}).Close(); err != nil {
			t.Errorf("Close() after the next start = %v", err)
		}
	}
}
