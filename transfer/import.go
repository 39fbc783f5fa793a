package transfer

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/muster-iot/muster/store"
)

// theImport is the key of the only record of imports.
const theImport = "import"

// imports hold the one record of a store that was filled by an import.
var imports = store.Of[progress]{Table: "import"}

// progress is how far an import has come. It changes in the transactions that write the rows.
// Until Done nothing may be served.
type progress struct {
	Export string // the checksum of its list
	Files  int    // of rows, that are imported
	Rows   int    `json:",omitempty"` // of the next file
	Done   bool   `json:",omitempty"` // also compared
}

// Tables are the tables of this package. They are not exported.
func Tables() []store.Checker { return []store.Checker{imports} }

// ErrDone is the error of an import into a store that has had it already.
var ErrDone = errors.New("the export was imported into this store before")

var errUnfinished = errors.New("an import into it is unfinished: run the same muster admin import again to continue it")

// CheckFinished returns an error for a store into which an import has begun and not finished.
func CheckFinished(r store.Reader) error {
	p, err := imports.Get(r, theImport)
	if err == nil && p != nil && !p.Done {
		err = errUnfinished
	}
	return err
}

// Export is a complete export, which can be imported.
type Export struct {
	List
	dir string
}

// Open opens the export in a folder. It refuses one that is incomplete, or of a newer release.
func Open(dir string) (*Export, error) {
	l, err := readList(dir)
	return &Export{l, dir}, err
}

// Check compares all files with their checksums.
func (x *Export) Check(ctx context.Context) error {
	for _, want := range x.Files {
		got, err := digest(ctx, x.path(want))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("the export %s lacks its file %s", x.dir, want.Name)
		case err != nil:
			return err
		case got.Size != want.Size:
			return fmt.Errorf("the export %s is damaged: its file %s has %d bytes and should have %d", x.dir, want.Name, got.Size, want.Size)
		case got.SHA256 != want.SHA256:
			return fmt.Errorf("the export %s is damaged: its file %s does not have the checksum that it had", x.dir, want.Name)
		}
	}
	return nil
}

func (x *Export) path(f File) string { return filepath.Join(x.dir, filepath.FromSlash(f.Name)) }

// Restore copies what is beside the store to the folder to, which is there. A file that is
// there already must be the same: it may be what an interrupted call has copied.
func (x *Export) Restore(ctx context.Context, to string) error {
	dirs := map[string]bool{to: true}
	for _, file := range x.Files {
		name, is := strings.CutPrefix(file.Name, folderName+"/")
		if !is {
			continue
		}
		path := filepath.Join(to, filepath.FromSlash(name))
		if dir := filepath.Dir(path); !dirs[dir] {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			dirs[dir] = true
		}
		there, err := digest(ctx, path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = copyFile(ctx, x.path(file), path)
		case err == nil && (there.Size != file.Size || there.SHA256 != file.SHA256):
			err = fmt.Errorf("%s is there already, and is not that of the export", path)
		}
		if err != nil {
			return err
		}
	}
	for dir := range dirs {
		if err := syncFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

// copyFile copies a file, for its owner only. Under its name there is all of it or nothing.
func copyFile(ctx context.Context, from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	f, err := os.OpenFile(to+beingWritten, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, untilDone{ctx, source})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(to+beingWritten, to)
}

// Import fills s, which must be empty, with the rows of the export, and compares what it then
// holds with what was exported. If it is interrupted, a call with the same export continues;
// until it has returned nil, CheckFinished refuses the store. It fails with ErrDone when the
// store has had this import already. tables are those of all records.
// older is called in the last transaction for an export of an older format than the present
// one, and must have the store migrated before it is served.
func (x *Export) Import(ctx context.Context, s store.Store, tables []store.Table, older func(w store.Writer, format int)) error {
	return x.importRows(ctx, s, tables, older, usual)
}

func (x *Export) importRows(ctx context.Context, s store.Store, tables []store.Table, older func(w store.Writer, format int), b bounds) error {
	for _, section := range x.Content {
		if section.Name != queues && section.Name != executions && !slices.Contains(tables, store.Table(section.Name)) {
			return fmt.Errorf("the export %s was made by a newer release: it has %s", x.dir, section.rowsOf())
		}
	}
	p, err := x.begin(ctx, s, tables)
	if err == nil && p.Done {
		err = ErrDone
	}
	if err != nil {
		return err
	}
	var rows []File
	for _, file := range x.Files {
		if strings.HasPrefix(file.Name, rowsName+"/") {
			rows = append(rows, file)
		}
	}
	for p.Files < len(rows) {
		if p, err = x.importFile(ctx, s, rows[p.Files], p, b); err != nil {
			return err
		}
	}
	if err := x.compare(ctx, s, tables); err != nil {
		return err
	}
	p.Done = true
	return store.Update(ctx, s, func(tx store.Tx) error {
		imports.Put(tx, theImport, p)
		if x.Format < store.Format {
			older(tx, x.Format)
		}
		return nil
	})
}

// begin returns how far this import has come. It refuses a store with anything else in it.
func (x *Export) begin(ctx context.Context, s store.Store, tables []store.Table) (p progress, err error) {
	err = store.Update(ctx, s, func(tx store.Tx) error {
		known, err := imports.Get(tx, theImport)
		switch {
		case err != nil:
			return err
		case known != nil && known.Export != x.SHA256 && !known.Done:
			return errors.New("the import of another export into this store is unfinished: continue that one, or begin with an empty store")
		case known != nil && known.Export == x.SHA256:
			p = *known
			return nil
		}
		p = progress{Export: x.SHA256}
		for row, err := range content(tx, tables) {
			if err != nil {
				return err
			}
			return fmt.Errorf("the store to import into is not empty: it has %s", Section{Name: row.section()}.rowsOf())
		}
		imports.Put(tx, theImport, p)
		return nil
	})
	return p, err
}

// importFile imports the rest of a file of rows.
func (x *Export) importFile(ctx context.Context, s store.Store, file File, p progress, b bounds) (progress, error) {
	unreadable := func(err error) error {
		return fmt.Errorf("the file %s of the export %s cannot be read: %w", file.Name, x.dir, err)
	}
	f, err := os.Open(x.path(file))
	if err != nil {
		return p, err
	}
	defer f.Close()
	rows, err := newRowReader(f)
	for n := 0; err == nil && n < p.Rows; n++ {
		err = rows.skip()
	}
	if err != nil {
		return p, unreadable(err)
	}
	ctx, stop := context.WithCancel(ctx)
	steps := rows.steps(ctx, b)
	defer func() { // the reader must have stopped before the file is closed
		stop()
		for range steps {
		}
	}()
	for step := range steps {
		if step.err != nil {
			return p, unreadable(step.err)
		}
		if p.Rows += len(step.rows); !step.more {
			p.Files, p.Rows = p.Files+1, 0
		}
		err := store.Update(ctx, s, func(tx store.Tx) error {
			for _, r := range step.rows {
				r.put(tx)
			}
			imports.Put(tx, theImport, p)
			return nil
		})
		if err != nil {
			return p, err
		}
	}
	return p, ctx.Err()
}

// compare compares what the store holds with what was exported, and what the store derives
// from executions with the executions. It does both at the same time, since each keeps one
// core busy.
func (x *Export) compare(ctx context.Context, s store.Store, tables []store.Table) error {
	var problems []store.Problem
	var unverified error
	var verifying sync.WaitGroup
	verifying.Go(func() { problems, unverified = store.Verify(ctx, s) })
	got, err := sectionsOf(ctx, s, tables)
	verifying.Wait()
	if err != nil {
		return err
	}
	if err := compare(got, x.Content); err != nil {
		return fmt.Errorf("the store does not hold what was exported: %w. Begin again with an empty store", err)
	}
	if unverified == nil && len(problems) > 0 {
		unverified = fmt.Errorf("what was exported does not hold together, as muster admin verify should say of where it comes from: %s (%d such problems)", problems[0], len(problems))
	}
	return unverified
}

// begins reports whether a part of an export may begin with r, which comes after last: the
// rows of one thing stay together, as some stores keep them together.
func (r row) begins(last row) bool {
	thing := r.thing()
	return thing == "" || thing != last.thing()
}

// lineMax bounds a line that is read. The largest records have some 100 KB.
const lineMax = 64 << 20

// rowReader reads the rows of a file.
type rowReader struct {
	lines *bufio.Scanner
	next  row // that no step had yet
	size  int // of its line
}

func newRowReader(from io.Reader) (*rowReader, error) {
	zip, err := gzip.NewReader(bufio.NewReaderSize(from, 64<<10))
	if err != nil {
		return nil, err
	}
	r := &rowReader{lines: bufio.NewScanner(zip)}
	r.lines.Buffer(make([]byte, 0, 64<<10), lineMax)
	return r, nil
}

// skip passes over a row.
func (r *rowReader) skip() error {
	if r.lines.Scan() {
		return nil
	}
	return errors.Join(r.lines.Err(), io.ErrUnexpectedEOF)
}

// step are the rows of one transaction.
type step struct {
	rows []row
	more bool // come after them
	err  error
}

// steps returns the rows that are left, up to the first error, and reads the next ones while the
// last ones are being stored. Nobody else may use r until the channel is closed, which it is soon
// after the end of ctx.
func (r *rowReader) steps(ctx context.Context, b bounds) <-chan step {
	steps := make(chan step)
	go func() {
		defer close(steps)
		for more := true; more; {
			next := r.step(b)
			more = next.more && next.err == nil
			select {
			case steps <- next:
			case <-ctx.Done():
				return
			}
		}
	}()
	return steps
}

// step returns the next rows for one transaction.
func (r *rowReader) step(b bounds) step {
	var rows []row
	text := r.size
	if r.size > 0 {
		rows, r.size = append(rows, r.next), 0
	}
	for r.lines.Scan() {
		next, err := decode(r.lines.Bytes())
		if err != nil {
			return step{err: err}
		}
		if size := len(r.lines.Bytes()); len(rows) > 0 && (len(rows) >= b.stepRows || text+size > b.stepText) && next.begins(rows[len(rows)-1]) {
			r.next, r.size = next, size
			return step{rows: rows, more: true}
		}
		rows, text = append(rows, next), text+len(r.lines.Bytes())
	}
	return step{rows: rows, err: r.lines.Err()}
}
