package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-iot/muster/datafolder"
)

// A backup is for its owner only, whatever the folder was before, and the same
// folder is refused for another, with an answer that says so.
func TestBackupIsPrivateAndOnce(t *testing.T) {
	dir := t.TempDir()
	startServer(t, filepath.Join(dir, "data"))
	to := filepath.Join(dir, "to")
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := orderBackup(t.Context(), datafolder.Folder(filepath.Join(dir, "data")), to); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{to, filepath.Join(dir, "data"), file, filepath.Join(file, "below")} {
		err := orderBackup(t.Context(), datafolder.Folder(filepath.Join(dir, "data")), to)
		if err == nil || !strings.Contains(err.Error(), "ConflictException") || !strings.Contains(err.Error(), to) {
			t.Errorf("a backup to %s: %v, want a conflict and the folder's name", to, err)
		}
	}
}

// A backup that was broken off is refused by all who would use it, and nothing is
// made in the place of what it lacks.
func TestAnIncompleteBackupIsRefused(t *testing.T) {
	sound := makeSoundFolder(t)
	for name, breakOff := range map[string]func(t *testing.T, f datafolder.Folder) error{
		"before its list was complete": func(t *testing.T, f datafolder.Folder) error {
			return os.WriteFile(f.BackupList(), []byte(`{"version":1}`), 0o600)
		},
		"with nothing but its list": func(t *testing.T, f datafolder.Folder) error { return os.RemoveAll(f.DB()) },
		"without its keys":          func(t *testing.T, f datafolder.Folder) error { return os.Remove(f.Keys()) },
		"without its authority": func(t *testing.T, f datafolder.Folder) error {
			_ = os.Remove(f.CA().Key)
			return os.Remove(f.CA().Certificate)
		},
		"without its authority and its list": func(t *testing.T, f datafolder.Folder) error {
			_, _ = os.Remove(f.CA().Key), os.Remove(f.BackupList())
			return os.Remove(f.CA().Certificate)
		},
		"without its store and its list": func(t *testing.T, f datafolder.Folder) error {
			_ = os.Remove(f.BackupList())
			return os.RemoveAll(f.DB())
		},
	} {
		t.Run(name, func(t *testing.T) {
			copied := datafolder.Folder(filepath.Join(t.TempDir(), "copy"))
			copyFolder(t, sound.backup, string(copied))
			if err := breakOff(t, copied); err != nil {
				t.Fatal(err)
			}
			before := folderSum(t, string(copied))
			if err := inProcess(t.Context(), "admin", "verify", string(copied)); err == nil {
				t.Error("verify takes it")
			}
			if folderSum(t, string(copied)) != before {
				t.Error("verify changed it")
			}
			if err := start(t, copied); err == nil || !strings.Contains(err.Error(), "--accept-loss") {
				t.Errorf("a server that starts with it says %v, want a refusal that names --accept-loss", err)
			}
			if _, err := os.Stat(copied.CA().Key); err == nil && strings.Contains(name, "authority") {
				t.Error("another authority was made")
			}
			c := defaultConfig()
			c.Data, c.API, c.Metrics, c.MQTTS, c.HTTPS, c.Files.Address, c.AcceptLoss = string(copied), "127.0.0.1:0", "", "", "", "", true
			if err := startWith(t, c); err != nil {
				t.Errorf("with --accept-loss: %v", err)
			}
			if err := start(t, copied); err != nil {
				t.Errorf("the start after it: %v", err)
			}
		})
	}
}

// A backup is a data folder once it is used as one, and can then no longer be
// compared with its list. Before that, only what was checked may change it.
func TestABackupBecomesADataFolder(t *testing.T) {
	sound := makeSoundFolder(t)
	list := func(f datafolder.Folder) bool { _, err := os.Stat(f.BackupList()); return err == nil }
	copied := func() datafolder.Folder {
		f := datafolder.Folder(filepath.Join(t.TempDir(), "copy"))
		copyFolder(t, sound.backup, string(f))
		return f
	}

	served := copied()
	if err := start(t, served); err != nil || list(served) {
		t.Errorf("a server starts with %v, and the list is there: %v", err, list(served))
	}
	if err := inProcess(t.Context(), "admin", "verify", string(served)); err != nil {
		t.Errorf("verify after that: %v", err)
	}

	looked := copied()
	for _, args := range [][]string{
		{"admin", "verify", string(looked)},
		{"admin", "keys", "list", string(looked)},
		{"admin", "dead-letters", string(looked)},
		{"admin", "signing-profile", "list", string(looked)},
	} {
		if err := inProcess(t.Context(), args...); err != nil || !list(looked) {
			t.Errorf("muster %v: %v, and the list is there: %v", args, err, list(looked))
		}
	}
	if err := inProcess(t.Context(), "admin", "backup", string(looked), filepath.Join(t.TempDir(), "more")); err == nil {
		t.Error("a backup of a backup is made")
	}

	for _, args := range [][]string{
		{"admin", "keys", "remove", "DIR", sound.key.AccessKeyID},
		{"admin", "signing-profile", "create", "DIR", "more"},
		{"admin", "dead-letters", "--forget", "DIR"},
	} {
		changed, damaged := copied(), copied()
		if err := os.Remove(damaged.FilesKey()); err != nil {
			t.Fatal(err)
		}
		for _, f := range []datafolder.Folder{changed, damaged} {
			with := append([]string(nil), args...)
			for i := range with {
				if with[i] == "DIR" {
					with[i] = string(f)
				}
			}
			err := inProcess(t.Context(), with...)
			if (err == nil) != (f == changed) || list(f) != (f == damaged) {
				t.Errorf("muster %v: %v, and the list is there: %v", with, err, list(f))
			}
		}
		if err := start(t, changed); err != nil {
			t.Errorf("a server after muster %v: %v", args, err)
		}
	}
}
