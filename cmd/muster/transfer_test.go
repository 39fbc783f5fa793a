package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/internal/former"
	"github.com/muster-iot/muster/internal/postgres"
)

// place is a data folder and the database that has its store, "" for none.
type place struct{ data, database string }

// with returns the arguments of a command with the flags of the store.
func (p place) with(args ...string) []string { return append(args, storeFlags(p.database)...) }

// newPlace returns a place for a folder that is to be made.
func newPlace(t *testing.T, inDatabase bool) place {
	t.Helper()
	p := place{data: filepath.Join(t.TempDir(), "data")}
	if inDatabase {
		p.database = postgres.Shared(t).Database(t)
	}
	return p
}

// eachKind runs a test for a store in the folder and for one in a database.
func eachKind(t *testing.T, test func(t *testing.T, inDatabase bool)) {
	t.Helper()
	t.Run("in the folder", func(t *testing.T) { test(t, false) })
	t.Run("in a database", func(t *testing.T) { test(t, true) })
}

// move exports a data folder and imports it into another.
func move(t *testing.T, from, to place) {
	t.Helper()
	export := filepath.Join(t.TempDir(), "export")
	succeed(t, from.with("admin", "export", from.data, export)...)
	succeed(t, to.with("admin", "import", export, to.data)...)
}

// succeed runs a command of the program, which must succeed, and returns what it prints.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("muster", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("muster %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// What a former release left moves to another place, and is served there as in its own.
func TestAFormerFolderMovesAndIsServed(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and migrations are one goroutine")
	}
	eachKind(t, func(t *testing.T, inDatabase bool) {
		for _, format := range formerFormats {
			t.Run(fmt.Sprint("format ", format), func(t *testing.T) {
				from, to := newPlace(t, false), newPlace(t, inDatabase)
				if err := former.Unpack(format, from.data); err != nil {
					t.Fatal(err)
				}
				move(t, from, to)
				askFormer(t, format, to.data, to.database)
			})
		}
	})
}

// A folder is exported while it is served and a device works on a job, and the device ends the
// job where the folder was moved to. What happened after the export is not there.
func TestAServedFolderMoves(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and hardly anything runs at the same time")
	}
	eachKind(t, func(t *testing.T, inDatabase bool) {
		eachKind(t, func(t *testing.T, toDatabase bool) {
			moveServed(t, newPlace(t, inDatabase), newPlace(t, toDatabase))
		})
	})
}

func moveServed(t *testing.T, from, to place) {
	ctx := t.Context()
	before := startServer(t, from.data, from.with()...)
	before.fill(t)
	lamp, err := before.device(ctx, "lamp1", true)
	if err != nil {
		t.Fatal(err)
	}
	if j, err := lamp.Next(ctx); err != nil || j.JobID != "fw" {
		t.Fatalf("Next() = %+v, %v", j, err)
	}
	if err := lamp.Close(); err != nil {
		t.Fatal(err)
	}
	move(t, from, to)
	if _, err := os.Stat(filepath.Join(from.data, exporting)); err == nil {
		t.Error("the backup that was exported is still there")
	}
	if err := before.CreateThing(ctx, "later"); err != nil {
		t.Fatal(err)
	}
	before.kill(t)

	verified(t, to.data, to.with()...)
	after := startServer(t, to.data, to.with()...)
	if after.Credential != before.Credential {
		t.Error("the key is another one")
	}
	if got := after.census(t); got != fullCensus {
		t.Errorf("after the move there are %s, want %s", got, fullCensus)
	}
	if lamp, err = after.device(ctx, "lamp1", true); err != nil {
		t.Fatal(err)
	}
	defer lamp.Close()
	told, err := lamp.Update(ctx, "fw", device.Update{Status: device.Succeeded, WithState: true})
	if err != nil || told.State == nil || told.State.Version != 3 {
		t.Fatalf("the end of the job: %+v, %v", told, err)
	}
	other, err := after.device(ctx, "lamp2", true)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Next(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Update(ctx, "fw", device.Update{Status: device.Succeeded}); err != nil {
		t.Fatal(err)
	}
	if j, err := after.DescribeJob(ctx, "fw"); err != nil || j.Status != "COMPLETED" {
		t.Errorf("the job is %+v, %v", j, err)
	}
	after.stop(t)
	verified(t, to.data, to.with()...)
}

// An export is text: its lines are JSON.
func TestAnExportCanBeRead(t *testing.T) {
	sound := makeSoundFolder(t)
	export := filepath.Join(t.TempDir(), "export")
	told := succeed(t, "admin", "export", string(sound.data), export)
	if !strings.HasPrefix(told, "exported ") || !strings.HasSuffix(told, " to "+export+"\n") {
		t.Errorf("it says %q", told)
	}
	text, err := exec.Command("sh", "-c", `zcat "$0"/rows/*.gz`, export).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if !json.Valid(line) {
			t.Errorf("there is a line %q", line)
		}
	}
	if !bytes.Contains(text, []byte(`{"table":"thing","key":"pump-07","value":{"`)) {
		t.Error("there is no thing")
	}
	err = filepath.WalkDir(export, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "moved")
	succeed(t, "admin", "import", export, to)
	if err := sound.holds(t, datafolder.Folder(to)); err != nil {
		t.Errorf("the moved folder: %v", err)
	}
}

// A backup that was not served yet can be exported, unless it is damaged.
func TestABackupIsExported(t *testing.T) {
	sound := makeSoundFolder(t)
	to := newPlace(t, false)
	move(t, place{data: string(sound.backup)}, to)
	if err := sound.holds(t, datafolder.Folder(to.data)); err != nil {
		t.Errorf("the moved backup: %v", err)
	}
	if _, err := os.Stat(sound.backup.BackupList()); err != nil {
		t.Error("the backup is none any more")
	}
	if err := os.Remove(sound.backup.FilesKey()); err != nil {
		t.Fatal(err)
	}
	err := inProcess(t.Context(), "admin", "export", string(sound.backup), filepath.Join(t.TempDir(), "export"))
	if err == nil || !strings.Contains(err.Error(), "damaged backup") {
		t.Errorf("an export of a damaged backup says %v", err)
	}
}

// A process that is killed while it imports leaves a folder that is refused by all who would use
// it, until the same command has finished it.
func TestAnUnfinishedImportIsRefused(t *testing.T) {
	sound := makeSoundFolder(t)
	export, to := filepath.Join(t.TempDir(), "export"), datafolder.Folder(filepath.Join(t.TempDir(), "moved"))
	succeed(t, "admin", "export", string(sound.data), export)
	half(t, export, to)
	for _, args := range [][]string{
		{"serve", "--data", string(to), "--api", "127.0.0.1:0"}, {"admin", "verify", string(to)},
		{"admin", "export", string(to), filepath.Join(t.TempDir(), "again")}, {"admin", "import", export, string(sound.data)},
		{"serve", "--data", export, "--api", "127.0.0.1:0"},
	} {
		err := inProcess(t.Context(), args...)
		if err == nil || !strings.Contains(err.Error(), "unfinished") && !strings.Contains(err.Error(), "not empty") && !strings.Contains(err.Error(), "is an export") {
			t.Errorf("muster %q says %v", args, err)
		}
	}
	if out := succeed(t, "admin", "import", export, string(to)); !strings.HasPrefix(out, "imported ") {
		t.Errorf("the import says %q", out)
	}
	if err := sound.holds(t, to); err != nil {
		t.Errorf("the moved folder: %v", err)
	}
	verified(t, string(to))
}

// An import that is killed at any moment is continued by the next one.
func TestAnImportSurvivesKills(t *testing.T) {
	sound := makeSoundFolder(t)
	export := filepath.Join(t.TempDir(), "export")
	succeed(t, "admin", "export", string(sound.data), export)
	eachKind(t, func(t *testing.T, inDatabase bool) {
		to, back := newPlace(t, inDatabase), newPlace(t, false)
		t.Logf("the import was killed %d times", killImports(t, export, to))
		verified(t, to.data, to.with()...)
		move(t, to, back)
		if err := sound.holds(t, datafolder.Folder(back.data)); err != nil {
			t.Errorf("the folder that has moved and come back: %v", err)
		}
	})
}

// killImports imports in processes that are killed, each later than the one before, until one of
// them has finished, and returns how many were killed.
func killImports(t *testing.T, export string, to place) (killed int) {
	t.Helper()
	for after := time.Millisecond; ; after += after / 3 {
		cmd := exec.Command("muster", to.with("admin", "import", export, to.data)...)
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		kill.Stop()
		if err == nil {
			return killed
		}
		if cmd.ProcessState.Exited() {
			t.Fatalf("after %d kills an import says %v: %s", killed, err, &said)
		}
		killed++
		left, err := os.ReadDir(to.data)
		if err == nil && len(left) > 0 && !slices.ContainsFunc(left, func(d os.DirEntry) bool { return d.Name() == "import-unfinished" }) {
			return killed // it was at its end
		}
	}
}

// A full disk ends an export and an import with a sentence. When there is room, the export begins
// again and the import continues.
func TestATransferMeetsAFullDisk(t *testing.T) {
	sound, disk := makeSoundFolder(t), smallDisk(t)
	export, to := filepath.Join(disk, "export"), datafolder.Folder(filepath.Join(disk, "moved"))
	for _, args := range [][]string{
		{"admin", "export", string(sound.data), export}, {"admin", "import", export, string(to)},
	} {
		empty := stuff(t, disk)
		out, err := exec.Command("muster", args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "is full") || strings.Count(string(out), "\n") != 1 {
			t.Errorf("muster %q on a full disk: %v, %s", args, err, out)
		}
		empty()
		succeed(t, args...)
	}
	if err := sound.holds(t, to); err != nil {
		t.Errorf("the moved folder: %v", err)
	}
	verified(t, string(to))
}

// half is an import into a database that cannot be reached: everything but the rows is there.
func half(t *testing.T, export string, to datafolder.Folder) {
	t.Helper()
	if _, err := to.Import(t.Context(), export, datafolder.StoreOptions{Database: "postgres://muster@127.0.0.1:1/muster"}, func() error { return nil }); err == nil {
		t.Fatal("a database that is not there can be filled")
	}
}
