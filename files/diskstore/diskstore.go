// Package diskstore is the built-in store of job files: buckets of objects with
// versions and uploads in parts, as S3 has them. The content of each object is a
// file of its own on local disk, and everything that is known of it is in
// Muster's store, so that an object is there when its row is: whole, durable, and
// never half. It speaks no protocol and asks nobody for permission
// (files/s3api does), and a name that a client chose never becomes the name
// of a file.
package diskstore

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// Options are the parts a Store is made of. Dir, Index and Now are required.
type Options struct {
	Dir    string           // folder of the contents; made when it does not exist
	Index  store.Store      // what is known of them
	Now    func() time.Time // real time: of Last-Modified, and of the age of uploads
	Log    *slog.Logger     // nil discards it
	Room   reserve.Room     // is asked before every write; nil: there always is
	Limits Limits
}

// Limits bound what clients may make a Store hold. Zero means the default.
type Limits struct {
	ObjectSize int64         // bytes of one object; 5 GiB
	Quota      int64         // bytes of all objects and parts; no limit
	Uploads    int           // multipart uploads that are open at once; no limit
	UploadLife time.Duration // after which a multipart upload that nobody ended is; 7 days
}

const (
	defaultObjectSize = 5 << 30 // as much as S3 takes in one PUT
	defaultUploadLife = 7 * 24 * time.Hour
	sweepEvery        = time.Hour
)

// Store is the built-in store of job files. Its methods may be called by many
// goroutines. Errors that are a client's are *Error.
type Store struct {
	o     Options
	blobs *blobs
	used  atomic.Int64 // bytes of all contents, those being written included
}

// Open returns the store in o.Dir and o.Index, which belong together.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Room == nil {
		o.Room = reserve.Endless
	}
	o.Limits.ObjectSize = cmp.Or(o.Limits.ObjectSize, defaultObjectSize)
	o.Limits.UploadLife = cmp.Or(o.Limits.UploadLife, defaultUploadLife)
	blobs, err := openBlobs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("job files: %w", err)
	}
	s := &Store{o: o, blobs: blobs}
	err = o.Index.View(ctx, func(r store.Reader) error {
		for row, err := range sizes.Scan(r, "", "") {
			if err != nil {
				return err
			}
			s.used.Add(row.Value)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("job files: %w", err)
	}
	return s, nil
}

// Used returns how many bytes all contents have.
func (s *Store) Used() int64 { return s.used.Load() }

// The tables and their keys. What a version is called in "oldobject" sorts the
// newest first.
var (
	buckets = store.Of[bucketRecord]{Table: "bucket"}   // bucket
	objects = store.Of[record]{Table: "object"}         // bucket, key: the current version
	olds    = store.Of[record]{Table: "oldobject"}      // bucket, key, order: versions that are not current, and delete markers
	uploads = store.Of[uploadRecord]{Table: "upload"}   // bucket, key, upload
	parts   = store.Of[partRecord]{Table: "uploadpart"} // upload, number in five digits
	sizes   = store.Of[int64]{Table: "objectsize"}      // blob: every content that counts, and its bytes
)

// room returns nil when there is room for a write of so many bytes.
func (s *Store) room(u reserve.Use, bytes int64) error {
	if err := s.o.Room(u, bytes); err != nil {
		return refuse(InsufficientStorage, "%s", err.Error())
	}
	return nil
}

// write runs fn in a transaction if there is room for it.
func (s *Store) write(ctx context.Context, u reserve.Use, fn func(tx store.Tx) error) error {
	if err := s.room(u, 0); err != nil {
		return err
	}
	return store.Update(ctx, s.o.Index, fn)
}

// update runs fn in a transaction, if there is room for it, and, when it is
// durable, removes the contents that fn has returned.
func (s *Store) update(ctx context.Context, u reserve.Use, fn func(tx store.Tx) (freed []string, err error)) error {
	var bytes int64
	var freed []string
	err := s.write(ctx, u, func(tx store.Tx) (err error) {
		bytes = 0
		if freed, err = fn(tx); err != nil {
			return err
		}
		for _, blob := range freed {
			size, err := sizes.Get(tx, blob)
			if err != nil {
				return err
			}
			if size != nil {
				bytes += *size
			}
			sizes.Delete(tx, blob)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.used.Add(-bytes)
	for _, blob := range freed {
		s.blobs.remove(blob)
	}
	return nil
}
