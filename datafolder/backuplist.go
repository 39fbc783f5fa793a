package datafolder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// backupList is the file backup.json of a backup: the list of its files. It is written first,
// and completed when everything else is on disk. It is removed when the backup is served,
// because then the files change.
type backupList struct {
	Version  int          `json:"version"`
	Complete bool         `json:"complete"`
	Files    []backedFile `json:"files"`
}

// backedFile is one file of a backup.
type backedFile struct {
	Name   string `json:"name"` // within the folder, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

const (
	backupListVersion = 1
	// backupListMax bounds a list that is read: ten million files.
	backupListMax = 2 << 30
)

// BackupList is the file that makes a folder a backup which was not served yet.
func (f Folder) BackupList() string { return filepath.Join(string(f), "backup.json") }

// backup is a folder that is, or becomes, a backup.
type backup Folder

func (b backup) list() string { return Folder(b).BackupList() }

// claim makes the folder of a backup, for its owner only, with an incomplete list. It fails
// when the folder is not empty, so that two backups never share one.
func (b backup) claim() error {
	info, err := os.Lstat(string(b))
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a folder", string(b))
	}
	names, err := os.ReadDir(string(b))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case slices.ContainsFunc(names, func(d fs.DirEntry) bool { return d.Name() == filepath.Base(b.list()) }):
		return fmt.Errorf("the folder %s is not empty: it holds another backup, or one that was broken off", string(b))
	case len(names) > 0:
		return fmt.Errorf("the folder %s is not empty", string(b))
	}
	if err := os.MkdirAll(string(b), 0o700); err != nil {
		return err
	}
	if err := os.Chmod(string(b), 0o700); err != nil {
		return err
	}
	return b.writeList(backupList{Version: backupListVersion}, os.O_EXCL)
}

// seal completes a backup: it writes the list of its files.
func (b backup) seal(ctx context.Context) error {
	list := backupList{Version: backupListVersion, Complete: true}
	err := filepath.WalkDir(string(b), func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || path == b.list() {
			return err
		}
		if d.IsDir() {
			return errors.Join(os.Chmod(path, 0o700), Folder(path).sync())
		}
		name, err := filepath.Rel(string(b), path)
		if err == nil {
			err = os.Chmod(path, 0o600)
		}
		if err != nil {
			return err
		}
		file := backedFile{Name: filepath.ToSlash(name)}
		if file.Size, file.SHA256, err = digest(ctx, path); err == nil {
			list.Files = append(list.Files, file)
		}
		return err
	})
	if err != nil {
		return err
	}
	return b.writeList(list, os.O_TRUNC)
}

// writeList replaces the list, or makes it with the flag os.O_EXCL.
func (b backup) writeList(list backupList, flag int) error {
	text, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return err
	}
	path := b.list()
	if flag == os.O_TRUNC {
		path += ".tmp"
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil && flag == os.O_TRUNC {
		err = os.Rename(path, b.list())
	}
	if err != nil {
		return err
	}
	return Folder(b).sync()
}

// check compares a backup that was not served yet with its list, and calls problem for
// each difference. is is false for any other folder. Files that are not in the list are
// ignored.
func (b backup) check(ctx context.Context, problem func(string)) (is bool, err error) {
	file, err := os.Open(b.list())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	var list backupList
	err = json.NewDecoder(io.LimitReader(file, backupListMax)).Decode(&list)
	switch {
	case err != nil:
		problem(fmt.Sprintf("the list of what the backup holds, %s, is damaged: %v", b.list(), err))
	case list.Version > backupListVersion:
		return true, fmt.Errorf("the backup %s was made by a newer release", string(b))
	case !list.Complete:
		problem("the backup is incomplete: it was broken off")
	case len(list.Files) == 0:
		problem("the list of what the backup holds is empty")
	}
	for _, want := range list.Files {
		if err := ctx.Err(); err != nil {
			return true, err
		}
		if !filepath.IsLocal(filepath.FromSlash(want.Name)) {
			problem(fmt.Sprintf("the list of what the backup holds names %q, which is elsewhere", want.Name))
			continue
		}
		switch size, sum, err := digest(ctx, filepath.Join(string(b), filepath.FromSlash(want.Name))); {
		case errors.Is(err, fs.ErrNotExist):
			problem(fmt.Sprintf("the backup lacks its file %s", want.Name))
		case err != nil:
			problem(fmt.Sprintf("the file %s of the backup cannot be read: %v", want.Name, err))
		case size != want.Size:
			problem(fmt.Sprintf("the file %s of the backup has %d bytes and should have %d", want.Name, size, want.Size))
		case sum != want.SHA256:
			problem(fmt.Sprintf("the file %s of the backup is damaged: its bytes do not have the checksum that they had", want.Name))
		}
	}
	return true, nil
}

// Adopt turns a backup into a data folder that may be changed: it checks it, and
// then removes its list. It does nothing to a folder that is one already. With
// acceptLoss it uses what is left of a damaged backup, and logs what is missing. It refuses a
// folder into which an import is unfinished.
func (f Folder) Adopt(ctx context.Context, acceptLoss bool, log *slog.Logger) error {
	if err := CheckWhole(f); err != nil {
		return err
	}
	if _, err := os.Stat(f.BackupList()); err == nil {
		log.Info("this folder is a backup; its files are compared with their checksums before they are used", "folder", string(f))
	}
	var problems []string
	is, err := backup(f).check(ctx, func(p string) { problems = append(problems, p) })
	if err != nil || !is {
		return err
	}
	if len(problems) > 0 && !acceptLoss {
		return &damageError{fmt.Sprintf("%s is a damaged backup: %s", string(f), summary(problems))}
	}
	for _, p := range problems {
		log.Warn("a damaged backup is used, as --accept-loss says", "damage", p)
	}
	if err := os.Remove(f.BackupList()); err != nil {
		return err
	}
	return f.sync()
}

// summary names the first of several problems.
func summary(problems []string) string {
	if len(problems) == 1 {
		return problems[0]
	}
	return fmt.Sprintf("%s; and %d more, which muster admin verify lists", problems[0], len(problems)-1)
}

// digest returns the size of a file and its SHA-256 in hex.
func digest(ctx context.Context, path string) (int64, string, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, untilDone{ctx, file})
	return n, hex.EncodeToString(sum.Sum(nil)), err
}

// untilDone is a reader that fails when its context ends.
type untilDone struct {
	ctx context.Context // of the one call that this lives in
	r   io.Reader
}

func (u untilDone) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}

// sync makes the names in the folder durable, where folders can be synced.
func (f Folder) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(string(f))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
