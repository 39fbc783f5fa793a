package diskstore

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"github.com/muster-iot/muster/store"
)

// problemsMax bounds the problems that Verify returns.
const problemsMax = 1000

// Verify reads every content in a folder and compares it with the index. It returns one
// problem for each record that cannot be read, and for each content that is missing,
// has another size or checksum, or has no recorded size. Contents that are not in the
// index are no problem; the next start removes them.
//
// A content from a multipart upload to an older release, which stored no checksum of
// it, is compared by size only.
func Verify(ctx context.Context, index store.Store, dir string) (problems []string, err error) {
	err = index.View(ctx, func(r store.Reader) error {
		v := verification{ctx: ctx, r: r, blobs: &blobs{dir: dir}}
		buckets.Check(r, v.unreadable)
		uploads.Check(r, v.unreadable)
		for _, table := range []store.Of[record]{objects, olds} {
			for key, version := range table.Every(r, v.unreadable) {
				if !version.Marker {
					v.content(fmt.Sprintf("job file %q", store.SplitKey(key)), version.content())
				}
			}
		}
		for key, part := range parts.Every(r, v.unreadable) {
			v.content(fmt.Sprintf("job file part %q", store.SplitKey(key)), part.content())
		}
		for range sizes.Every(r, v.unreadable) {
			v.counted--
		}
		if v.counted != 0 {
			v.problem("job files: %d more contents are counted than objects, versions and parts have", -v.counted)
		}
		problems = v.problems
		return ctx.Err()
	})
	return problems, err
}

// CheckContents returns an error unless all contents that r shows are in a folder, with their
// sizes. It does not read them.
func CheckContents(r store.Reader, dir string) error {
	b := &blobs{dir: dir}
	for row, err := range sizes.Scan(r, "", "") {
		if err != nil {
			return err
		}
		if len(row.Key) != nameLength {
			return fmt.Errorf("job files: there is a content with the name %q, which none has", row.Key)
		}
		if info, err := os.Stat(b.path(row.Key)); err != nil || info.Size() != row.Value {
			return fmt.Errorf("job files: the content %s of %d bytes is not there: it was deleted at this moment, so try again, or is lost, which muster admin verify tells", row.Key, row.Value)
		}
	}
	return nil
}

type verification struct {
	ctx      context.Context // of the call that made it
	r        store.Reader
	blobs    *blobs
	counted  int
	problems []string
}

func (v *verification) problem(format string, args ...any) {
	if len(v.problems) < problemsMax {
		v.problems = append(v.problems, fmt.Sprintf(format, args...))
	}
}

func (v *verification) unreadable(err error) { v.problem("job files: %v", err) }

// content compares the content of a blob with what the index expects.
func (v *verification) content(name string, c expected) {
	v.counted++
	if v.ctx.Err() != nil {
		return
	}
	if known, err := sizes.Get(v.r, c.blob); err != nil || known == nil || *known != c.size {
		v.problem("%s: its content %s is not counted with its %d bytes", name, c.blob, c.size)
	}
	if len(c.blob) != nameLength {
		v.problem("%s: its content has the name %q, which none has", name, c.blob)
		return
	}
	if err := c.compare(v.ctx, v.blobs.path(c.blob)); err != nil && v.ctx.Err() == nil {
		v.problem("%s: its content %s %v", name, c.blob, err)
	}
}

// expected is what the index says about a content.
type expected struct {
	blob string
	size int64
	sum  hash.Hash // nil when there is no checksum
	want []byte    // what sum should be
}

func (r record) content() expected     { return expect(r.Blob, r.Size, r.SHA256, r.ETag, r.Checksum) }
func (p partRecord) content() expected { return expect(p.Blob, p.Size, "", p.ETag, p.Checksum) }

// expect chooses the strongest known checksum of all bytes of a content.
func expect(blob string, size int64, sha, etag string, c Checksum) expected {
	e := expected{blob: blob, size: size}
	var err error
	switch {
	case sha != "":
		e.sum = sha256.New()
		e.want, err = hex.DecodeString(sha)
	case !strings.Contains(etag, "-"):
		e.sum = md5.New()
		e.want, err = hex.DecodeString(etag)
	case c.Type() == FullObject && c.Algorithm.Known():
		e.sum = c.Algorithm.newSum()
		e.want, err = base64.StdEncoding.DecodeString(c.Value)
	}
	if err != nil {
		e.want = nil // equals no checksum
	}
	return e
}

// compare reads the content at path and returns how it differs, as the rest of a
// sentence.
func (e expected) compare(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot be found: %w", err)
	}
	defer f.Close()
	to := io.Discard
	if e.sum != nil {
		to = e.sum
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{to}, stoppable{ctx, f}, make([]byte, copyBuffer))
	switch {
	case err != nil:
		return fmt.Errorf("cannot be read: %w", err)
	case n != e.size:
		return fmt.Errorf("has %d bytes instead of %d", n, e.size)
	case e.sum != nil && !bytes.Equal(e.sum.Sum(nil), e.want):
		return fmt.Errorf("is damaged: its bytes do not have the checksum that they had when it was stored")
	}
	return nil
}

// stoppable is a reader that ends with its context.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s stoppable) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}
