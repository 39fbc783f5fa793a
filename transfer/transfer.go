// Package transfer moves the content of one store to another, of whatever kind, by an export:
// a folder of text files with checksums. An export is of one snapshot. An import ends with all
// that was exported, and compares it; if it is interrupted, the next one continues.
//
// What is beside a store, such as job files and keys, travels in the export too. What that is,
// the caller knows.
//
// An export has these files:
//
//	export.json             the list of its files and of the content, written last
//	rows/00001.jsonl.gz …   the rows of the store, a line of JSON each
//	folder/                 what is beside the store
package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/muster-iot/muster/store"
)

// About says of an export what its store does not know.
type About struct {
	Release string    // of Muster, that makes it
	At      time.Time // when that is
}

// List is the file export.json. Its own checksum is the name of the export.
type List struct {
	Version  int       `json:"version"`
	Complete bool      `json:"complete"`
	Release  string    `json:"release,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Format   int       `json:"format,omitempty"` // of the store (store.Formatted)
	Content  []Section `json:"content,omitempty"`
	Files    []File    `json:"files,omitempty"`
	SHA256   string    `json:"sha256,omitempty"` // of the list without it, in hex
}

// File is one file of an export.
type File struct {
	Name   string `json:"name"` // within the export, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // in hex
}

const (
	listVersion = 1
	// listMax bounds a list that is read: ten million files.
	listMax = 2 << 30

	listName   = "export.json"
	rowsName   = "rows"
	folderName = "folder"

	// beingWritten ends the name of a file until all of it is written.
	beingWritten = ".tmp"
)

// bounds are those of the parts of an export and of an import. Rows of one thing are never
// separated, so a part may be larger by those of one thing.
type bounds struct {
	file     int // bytes of the lines in one file
	stepRows int // rows in one transaction of an import
	stepText int // bytes of their lines
}

var usual = bounds{file: 64 << 20, stepRows: 10_000, stepText: 4 << 20}

// Is reports whether a folder is an export, also one that was interrupted.
func Is(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, listName))
	return err == nil
}

// Rows returns how many records, queues and executions are exported.
func (l List) Rows() (records, queued, executed int) {
	for _, s := range l.Content {
		switch s.Name {
		case queues:
			queued += s.Rows
		case executions:
			executed += s.Rows
		default:
			records += s.Rows
		}
	}
	return records, queued, executed
}

// sum returns the checksum of the list.
func (l List) sum() (string, error) {
	l.SHA256 = ""
	text, err := json.Marshal(l)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// write replaces the list of an export, durably and at once.
func (l List) write(dir string) error {
	text, err := json.MarshalIndent(l, "", " ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, listName)
	f, err := os.OpenFile(path+beingWritten, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+beingWritten, path)
	}
	if err != nil {
		return err
	}
	return syncFolder(dir)
}

var errInterrupted = errors.New("it was interrupted; make it again")

// readList reads the list of an export. It refuses one that is damaged, interrupted or newer.
func readList(dir string) (List, error) {
	var l List
	f, err := os.Open(filepath.Join(dir, listName))
	if errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("%s is no export: it has no file %s", dir, listName)
	}
	if err != nil {
		return l, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, listMax)).Decode(&l); err != nil {
		return l, fmt.Errorf("the export %s is damaged: its list %s cannot be read: %w", dir, listName, err)
	}
	sum, err := l.sum()
	switch {
	case err != nil:
		return l, err
	case l.Version > listVersion, l.Format > store.Format:
		return l, fmt.Errorf("the export %s was made by a newer release", dir)
	case !l.Complete:
		return l, fmt.Errorf("the export %s is incomplete: %w", dir, errInterrupted)
	case sum != l.SHA256, l.Version < 1, l.Format < 1:
		return l, fmt.Errorf("the export %s is damaged: its list %s does not have the checksum that it had", dir, listName)
	}
	for _, file := range l.Files {
		if !filepath.IsLocal(filepath.FromSlash(file.Name)) {
			return l, fmt.Errorf("the export %s lists %q, which is elsewhere", dir, file.Name)
		}
	}
	return l, nil
}

// digest returns the size of a file and its SHA-256.
func digest(ctx context.Context, path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, untilDone{ctx, f})
	return File{Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
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

// syncFolder makes the names in a folder durable, where folders can be synced.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
