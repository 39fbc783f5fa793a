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

// Content is the body of an object or part, with what its uploader states about it.
type Content struct {
	Body io.Reader
	Size int64  // bytes; -1 when it is not known
	Max  int64  // further limit in bytes; zero means Limits.ObjectSize only
	MD5  []byte // that it must have; nil for any
	// Algorithm is the algorithm of the checksum to store; empty for none.
	Algorithm Algorithm
	// joined is true for a content from several parts. Its ETag is not its MD5, so
	// its SHA-256 is stored for Verify.
	joined bool
	// Want returns the checksum that the body must have, empty for any. It is called
	// after Body was read, since the checksum may be in a trailer. Nil is allowed.
	Want func() string
}

// Precondition must hold for the existing object before another one may replace it.
// The zero value always holds.
type Precondition struct {
	Absent bool   // there must be no object
	ETag   string // of the existing object, without quotes; empty for any
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

// Put stores an object, durably. When it fails, nothing of the object is stored.
func (s *Store) Put(ctx context.Context, bucket, key string, c Content, a Attributes, p Precondition) (Version, error) {
	if err := s.checkPlace(ctx, bucket, key); err != nil {
		return Version{}, err
	}
	blob, got, err := s.receive(c)
	if err != nil {
		return Version{}, err
	}
	return s.commit(ctx, bucket, key, p, record{Attributes: a, Blob: blob, Size: got.size, ETag: got.hex(), Checksum: got.checksum}, nil)
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

// commit puts a finished content into the index as the current version of an object,
// and calls also, unless it is nil, in the same transaction. It keeps the blob of made,
// or discards it when the transaction fails.
func (s *Store) commit(ctx context.Context, bucket, key string, p Precondition, made record, also func(tx store.Tx) (freed []string, err error)) (Version, error) {
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

// discard removes a content that did not get into the index.
func (s *Store) discard(blob string, size int64) {
	s.used.Add(-size)
	s.blobs.drop(blob)
}

// orderLength is the length of record.Order: sixteen digits of time, sixteen random
// ones.
const orderLength = 32

// nextOrder returns an order that sorts before those of the existing versions.
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

// received describes a content that was written.
type received struct {
	size     int64
	digest   []byte // MD5, or SHA-256 of a joined content
	checksum Checksum
}

func (r received) hex() string { return hex.EncodeToString(r.digest) }

// receive writes a content to disk, durably, and checks it. The caller must keep or
// discard its blob. With an error there is none.
func (s *Store) receive(c Content) (blob string, got received, err error) {
	limit := s.o.Limits.ObjectSize
	if c.Max > 0 {
		limit = min(limit, c.Max)
	}
	if c.Size > limit {
		return "", got, tooLarge(limit)
	}
	if err := s.room(reserve.Grow, max(c.Size, 0)); err != nil {
		return "", got, err
	}
	blob, f, err := s.blobs.create()
	if err != nil {
		return "", got, fmt.Errorf("begin a content: %w", ofHost(err))
	}
	w := &blobWriter{s: s, f: f, digest: md5.New(), sum: c.Algorithm.newSum(), limit: limit, stated: c.Size}
	if c.joined {
		w.digest = sha256.New()
	}
	if err = w.fill(c); err == nil {
		err = s.blobs.finish(blob, f)
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

func tooLarge(limit int64) error {
	return refuse(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size of %d bytes", limit)
}

func incomplete(got, stated int64) error {
	return refuse(IncompleteBody, "You did not provide the number of bytes specified by the Content-Length HTTP header: %d instead of %d", got, stated)
}

func (s *Store) full() error {
	return refuse(QuotaExceeded, "The store of job files is full: %d bytes are the most it may hold", s.o.Limits.Quota)
}

// blobWriter writes a content and checks the limits with each piece.
type blobWriter struct {
	s      *Store
	f      *os.File
	digest hash.Hash
	sum    hash.Hash // nil for none
	size   int64

	limit  int64 // bytes
	stated int64 // bytes, by the uploader; -1 for any number
}

func (w *blobWriter) Write(b []byte) (int, error) {
	n := int64(len(b))
	switch {
	case w.size+n > w.limit:
		return 0, tooLarge(w.limit)
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

// copyBuffer is how much of one content is held in memory, in bytes.
const copyBuffer = 256 << 10

// fill writes a whole content and checks it against what its uploader stated.
func (w *blobWriter) fill(c Content) error {
	// The struct hides ReadFrom of the file, which would bypass Write and its checks.
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
