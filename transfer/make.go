package transfer

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/muster-iot/muster/store"
)

// Beside copies what is beside a store to a folder, as Make says.
type Beside func(to string) (complete func(r store.Reader) error, err error)

// Make makes an export: it writes all that is in s to the folder to, which is made, and returns the list of what
// it holds. to must be missing or empty, or hold an export that was interrupted: that one is
// removed first. Others may use the store meanwhile.
//
// tables are those of all records. beside copies what is beside the store to a folder, which
// is there and empty. The function that it returns is called when the snapshot has been taken,
// and completes the copy. It should be quick, as not every store keeps a snapshot that is idle.
func Make(ctx context.Context, s store.Store, tables []store.Table, to string, a About, beside Beside) (List, error) {
	return makeBounded(ctx, s, tables, to, a, beside, usual)
}

func makeBounded(ctx context.Context, s store.Store, tables []store.Table, to string, a About, beside Beside, b bounds) (List, error) {
	if err := claim(to); err != nil {
		return List{}, err
	}
	l := List{Version: listVersion, Complete: true, Release: a.Release, At: a.At.UTC(), Format: store.Format}
	if f, ok := s.(store.Formatted); ok {
		l.Format = f.Format()
	}
	complete, err := beside(filepath.Join(to, folderName))
	if err != nil {
		return List{}, err
	}
	err = s.View(ctx, func(r store.Reader) (err error) {
		if err := CheckFinished(r); err != nil {
			return err
		}
		if err := complete(r); err != nil {
			return err
		}
		l.Content, l.Files, err = writeRows(ctx, r, tables, to, b.file)
		return err
	})
	if err != nil {
		return List{}, err
	}
	besides, err := listFolder(ctx, to)
	if err != nil {
		return List{}, err
	}
	l.Files = append(l.Files, besides...)
	if l.SHA256, err = l.sum(); err != nil {
		return List{}, err
	}
	return l, l.write(to)
}

// claim makes the folder of an export, for its owner only, with a list that is incomplete. What an
// interrupted export has left there is removed.
func claim(to string) error {
	entries, err := os.ReadDir(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch _, err := readList(to); {
	case Is(to) && !errors.Is(err, errInterrupted):
		return fmt.Errorf("the folder %s holds another export", to)
	case !Is(to) && slices.ContainsFunc(entries, func(d fs.DirEntry) bool { return d.Name() != listName+beingWritten }):
		return fmt.Errorf("the folder %s is not empty", to)
	}
	if err := errors.Join(os.MkdirAll(to, 0o700), os.Chmod(to, 0o700)); err != nil {
		return err
	}
	if err := (List{Version: listVersion}).write(to); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Join(to, rowsName), filepath.Join(to, folderName)} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// writeRows writes the rows that r shows, in files that begin with another thing each.
func writeRows(ctx context.Context, r store.Reader, tables []store.Table, to string, fileMax int) (all []Section, files []File, err error) {
	found, e := sums{}, newEncoder()
	var now *rowFile
	defer func() {
		if now != nil {
			_ = now.f.Close() // an earlier error is reported
		}
	}()
	end := func() error {
		if now == nil {
			return nil
		}
		file, err := now.end()
		files, now = append(files, file), nil
		return err
	}
	var last row
	for row, err := range content(r, tables) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, nil, err
		}
		text, err := e.line(row)
		if err != nil {
			return nil, nil, err
		}
		if now != nil && now.text >= fileMax && row.begins(last) {
			if err := end(); err != nil {
				return nil, nil, err
			}
		}
		if now == nil {
			if now, err = newRowFile(to, len(files)+1); err != nil {
				return nil, nil, err
			}
		}
		if err := now.write(text); err != nil {
			return nil, nil, err
		}
		found.add(row.section(), text)
		last = row
	}
	if err := end(); err != nil {
		return nil, nil, err
	}
	return found.sections(), files, syncFolder(filepath.Join(to, rowsName))
}

// rowFile is a file of rows that is being written: compressed, then summed up.
type rowFile struct {
	f    *os.File
	name string
	text int // bytes before the compression
	size int64
	sum  hash.Hash
	b    *bufio.Writer
	zip  *gzip.Writer
}

func newRowFile(dir string, n int) (*rowFile, error) {
	name := fmt.Sprintf("%s/%05d.jsonl.gz", rowsName, n)
	f, err := os.OpenFile(filepath.Join(dir, filepath.FromSlash(name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	r := &rowFile{f: f, name: name, sum: sha256.New()}
	r.b = bufio.NewWriterSize(r, 64<<10)
	r.zip, err = gzip.NewWriterLevel(r.b, gzip.BestSpeed)
	return r, err
}

// Write writes what is compressed.
func (r *rowFile) Write(b []byte) (int, error) {
	n, err := r.f.Write(b)
	r.sum.Write(b[:n])
	r.size += int64(n)
	return n, err
}

func (r *rowFile) write(text []byte) error {
	r.text += len(text)
	_, err := r.zip.Write(text)
	return err
}

// end makes the file durable and closes it.
func (r *rowFile) end() (File, error) {
	err := r.zip.Close()
	if err == nil {
		err = r.b.Flush()
	}
	if err == nil {
		err = r.f.Sync()
	}
	return File{Name: r.name, Size: r.size, SHA256: hex.EncodeToString(r.sum.Sum(nil))}, errors.Join(err, r.f.Close())
}

// listFolder lists what is beside the rows, and makes it durable and its owner's alone.
func listFolder(ctx context.Context, to string) (files []File, err error) {
	err = filepath.WalkDir(filepath.Join(to, folderName), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return errors.Join(os.Chmod(path, 0o700), syncFolder(path))
		}
		name, err := filepath.Rel(to, path)
		if err != nil {
			return err
		}
		file, err := digest(ctx, path)
		file.Name = filepath.ToSlash(name)
		files = append(files, file)
		return err
	})
	return files, err
}
