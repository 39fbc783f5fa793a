package diskstore

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// Content is what a client sends.
type Content struct {
	Body io.Reader
	Size int64  // bytes; -1 when it is not known
	Max  int64  // the most bytes there may be; zero: Limits.ObjectSize, which always bounds it
	MD5  []byte // what it must have; nil for any
	// Algorithm is of the checksum to keep; empty for none.
	Algorithm Algorithm
	// joined is true for a content whose ETag is not its MD5: its SHA-256 is kept
	// instead.
	joined bool
	// Want returns, when Body is read, the checksum that it must have, empty
	// for any. Nil is allowed.
	Want func() string
}

// Precondition is what must be true of the object that is there for another to
// take its place. Its zero value always is.
type Precondition struct {
	Absent bool   // there is none
	ETag   string // it has this one, without quotes; empty for any
}

func (p Precondition) check(now *record) error {
	if p.Absent && now != nil || p.ETag != "" && now != nil && now.ETag != p.ETag {
		return refuse(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
	}
	if p.ETag != "" && now == nil {
		return refuse(NoSuchKey, noSuchKey)
	}
	return nil
}

// Put stores an object. When it returns nil, the object is durable; otherwise
// there is no trace of it.
func (s *Store) Put(ctx context.Context, bucket, key string, c Content, a Attributes, p Precondition) (Version, error) {
	if err := s.checkPlace(ctx, bucket, key); err != nil {
		return Version{}, err
	}
	blob, got, err := s.receive(c)
	if err != nil {
		return Version{}, err
	}
	return s.settle(ctx, bucket, key, p, record{Attributes: a, Blob: blob, Size: got.size, ETag: got.hex(), Checksum: got.checksum}, nil)
}

// checkPlace returns nil when an object may be stored under a key.
func (s *Store) checkPlace(ctx context.Context, bucket, key string) error {
	if _, err := s.Bucket(ctx, bucket); err != nil {
		return err
	}
	return checkKey(key)
}

func checkKey(key string) error {
	if err := files.CheckKey(key); err != nil && len(key) > 1024 {
		return refuse(KeyTooLong, "Your key is too long")
	} else if err != nil {
		return refuse(InvalidArgument, "%s", err.Error())
	}
	return nil
}

// settle puts a finished content into the index as the current version, together
// with what also does. The blob is kept, or dropped when that fails.
func (s *Store) settle(ctx context.Context, bucket, key string, p Precondition, made record, also func(tx store.Tx) (freed []string, err error)) (Version, error) {
	now := s.o.Now()
	made.Modified = now.UnixMilli()
	err := s.update(ctx, reserve.Grow, func(tx store.Tx) ([]string, error) {
		b, err := bucketOf(tx, bucket)
		if err != nil {
			return nil, err
		}
		before, then, err := current(tx, bucket, key)
		if err != nil {
			return nil, err
		}
		if err := p.check(before); err != nil {
			return nil, err
		}
		made.Order, made.Null = nextOrder(now, before, then), b.Versioning != Enabled
		freed, err := supersede(tx, bucket, key, b.Versioning, before)
		if err != nil {
			return nil, err
		}
		objects.Put(tx, store.JoinKey(bucket, key), made)
		sizes.Put(tx, made.Blob, made.Size)
		if also != nil {
			more, err := also(tx)
			if err != nil {
				return nil, err
			}
			freed = append(freed, more...)
		}
		return freed, nil
	})
	if err != nil {
		s.discard(made.Blob, made.Size)
		return Version{}, err
	}
	s.blobs.keep(made.Blob)
	return made.show(key, true), nil
}

// discard forgets a content that did not come into the index.
func (s *Store) discard(blob string, size int64) {
	s.used.Add(-size)
	s.blobs.drop(blob)
}

// orderLength is of record.Order: sixteen digits of time, sixteen of chance.
const orderLength = 32

// nextOrder returns an order before those of the versions that are there.
func nextOrder(now time.Time, there ...*record) string {
	at := ^uint64(now.UnixNano())
	for _, r := range there {
		if r == nil {
			continue
		}
		if before, err := strconv.ParseUint(r.Order[:16], 16, 64); err == nil && at >= before {
			at = before - 1
		}
	}
	var chance [8]byte
	_, _ = rand.Read(chance[:]) // never fails
	return fmt.Sprintf("%016x%x", at, chance)
}

// received is what a content turned out to be.
type received struct {
	size     int64
	digest   []byte // MD5, or SHA-256 of a joined content
	checksum Checksum
}

func (r received) hex() string { return hex.EncodeToString(r.digest) }

// receive writes a content to disk, durably, and checks it. The blob is for the
// caller to keep or to discard; there is none beside an error.
func (s *Store) receive(c Content) (blob string, got received, err error) {
	most := s.o.Limits.ObjectSize
	if c.Max > 0 {
		most = min(most, c.Max)
	}
	if c.Size > most {
		return "", got, tooLarge(most)
	}
	if err := s.room(reserve.Grow, max(c.Size, 0)); err != nil {
		return "", got, err
	}
	blob, f, err := s.blobs.create()
	if err != nil {
		return "", got, fmt.Errorf("begin a content: %w", ofHost(err))
	}
	w := &blobWriter{s: s, f: f, digest: md5.New(), sum: c.Algorithm.newSum(), most: most, stated: c.Size}
	if c.joined {
		w.digest = sha256.New()
	}
	if err = w.fill(c); err == nil {
		err = s.blobs.settle(blob, f)
	} else {
		f.Close()
	}
	if err != nil {
		s.discard(blob, w.size)
		return "", got, ofHost(err)
	}
	got.size, got.digest = w.size, w.digest.Sum(nil)
	if w.sum != nil {
		got.checksum = Checksum{c.Algorithm, encode(w.sum)}
	}
	return blob, got, nil
}

func tooLarge(most int64) error {
	return refuse(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size of %d bytes", most)
}

func incomplete(got, stated int64) error {
	return refuse(IncompleteBody, "You did not provide the number of bytes specified by the Content-Length HTTP header: %d instead of %d", got, stated)
}

func (s *Store) full() error {
	return refuse(QuotaExceeded, "The store of job files is full: %d bytes are the most it may hold", s.o.Limits.Quota)
}

// blobWriter writes a content and counts it against the limits as it comes.
type blobWriter struct {
	s      *Store
	f      *os.File
	digest hash.Hash
	sum    hash.Hash // nil for none
	size   int64

	most   int64 // bytes that are taken
	stated int64 // bytes that were announced; -1 for any number
}

func (w *blobWriter) Write(b []byte) (int, error) {
	n := int64(len(b))
	switch {
	case w.size+n > w.most:
		return 0, tooLarge(w.most)
	case w.stated >= 0 && w.size+n > w.stated:
		return 0, incomplete(w.size+n, w.stated)
	}
	w.size += n
	if used := w.s.used.Add(n); w.s.o.Limits.Quota > 0 && used > w.s.o.Limits.Quota {
		return 0, w.s.full()
	}
	if err := w.s.room(reserve.Grow, n); err != nil {
		return 0, err
	}
	w.digest.Write(b)
	if w.sum != nil {
		w.sum.Write(b)
	}
	return w.f.Write(b)
}

// copyBuffer is how much of one content is in memory at a time.
const copyBuffer = 256 << 10

// fill writes all of a content and checks what its sender said of it.
func (w *blobWriter) fill(c Content) error {
	// The struct hides that the file could read by itself, past the limits.
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, c.Body, make([]byte, copyBuffer)); err != nil {
		return err
	}
	if c.Size >= 0 && w.size != c.Size {
		return incomplete(w.size, c.Size)
	}
	if c.MD5 != nil && string(w.digest.Sum(nil)) != string(c.MD5) {
		return refuse(BadDigest, "The Content-MD5 you specified did not match what we received.")
	}
	if c.Want == nil || w.sum == nil {
		return nil
	}
	if want := c.Want(); want != "" && want != encode(w.sum) {
		return refuse(BadDigest, "The %s you specified did not match the calculated checksum.", c.Algorithm)
	}
	return nil
}
