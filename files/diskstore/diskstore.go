// Package diskstore is the built-in store of job files: buckets of objects with
// versions and multipart uploads, as in S3. The content of each object is a file on
// local disk, and everything else about it is a row in Muster's store, the index. A
// row is written only after its content is durable, so an object exists completely
// or not at all. The package has no protocol and checks no permissions (files/s3api
// does). The name of a file is never one that a client chose.
package diskstore

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// Options are the parts of a Store. Dir, Index and Now are required.
type Options struct {
	Dir    string           // folder of the contents; made when it does not exist
	Index  store.Store      // everything about objects but their contents
	Now    func() time.Time // real time, for Last-Modified and the age of uploads
	Log    *slog.Logger     // nil discards
	Room   reserve.Room     // called before every write; nil means that there is always room
	Limits Limits
}

// Limits bound what clients may store. Zero means the default.
type Limits struct {
	ObjectSize int64         // bytes of one object; default 5 GiB
	Quota      int64         // bytes of all objects and parts; default no limit
	Uploads    int           // multipart uploads that are open at once; default no limit
	UploadLife time.Duration // after which an open multipart upload is aborted; default 7 days
}

const (
	defaultObjectSize = 5 << 30 // as much as S3 takes in one PUT
	defaultUploadLife = 7 * 24 * time.Hour
	sweepEvery        = time.Hour
)

// Store is the built-in store of job files. Its methods may be called by many
// goroutines. Errors of the client are *Error.
type Store struct {
	o     Options
	blobs *blobs
	used  atomic.Int64 // bytes of all contents, including those being written
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

// Used returns the size of all contents, in bytes.
func (s *Store) Used() int64 { return s.used.Load() }

// The tables, with their keys. The key in "oldobject" sorts the newest version first.
var (
	buckets = store.Of[bucketRecord]{Table: "bucket"}   // bucket
	objects = store.Of[record]{Table: "object"}         // bucket, key: the current version
	olds    = store.Of[record]{Table: "oldobject"}      // bucket, key, order: versions that are not current, and delete markers
	uploads = store.Of[uploadRecord]{Table: "upload"}   // bucket, key, upload
	parts   = store.Of[partRecord]{Table: "uploadpart"} // upload, number in five digits
	sizes   = store.Of[int64]{Table: "objectsize"}      // blob: the size in bytes of every content in the index
)

// Tables are the tables of this package.
func Tables() []store.Checker {
	return []store.Checker{buckets, objects, olds, uploads, parts, sizes}
}

// room returns nil when there is room for a write of that many bytes.
func (s *Store) room(u reserve.Use, bytes int64) error {
	if err := s.o.Room(u, bytes); err != nil {
		return refuse(InsufficientStorage, "%s", err.Error())
	}
	return nil
}

// write runs fn in a transaction if there is room for it. What fn changes is recorded there (audit.Wrote).
func (s *Store) write(ctx context.Context, u reserve.Use, fn func(tx store.Tx) error) error {
	if err := s.room(u, 0); err != nil {
		return err
	}
	return store.Update(ctx, s.o.Index, func(tx store.Tx) error {
		noted := &notedTx{Tx: tx}
		if err := fn(noted); err != nil || !noted.wrote {
			return err
		}
		return audit.Wrote(ctx, tx)
	})
}

// notedTx is a transaction that knows whether it has changed a record.
type notedTx struct {
	store.Tx
	wrote bool
}

func (t *notedTx) Put(table store.Table, key string, value []byte) {
	t.wrote = true
	t.Tx.Put(table, key, value)
}

func (t *notedTx) Delete(table store.Table, key string) {
	was, err := t.Get(table, key)
	t.wrote = t.wrote || was != nil || err != nil
	t.Tx.Delete(table, key)
}

// update runs fn in a transaction, if there is room for it. After that is durable, it
// removes the contents that fn returned.
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
