package diskstore

import (
	"context"
	"time"

	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// Bucket is a bucket.
type Bucket struct {
	Name       string
	Created    time.Time
	Versioning Versioning
}

// Versioning says what happens to an object that is replaced or deleted.
type Versioning string

// The states of versioning. A bucket that was Enabled is never Unversioned again.
const (
	Unversioned Versioning = ""          // it is removed
	Enabled     Versioning = "Enabled"   // it is kept as an older version
	Suspended   Versioning = "Suspended" // it is removed, unless it is a version made while Enabled
)

type bucketRecord struct {
	Created    int64      `json:"created"` // milliseconds since the epoch
	Versioning Versioning `json:"versioning,omitempty"`
}

func (b bucketRecord) bucket(name string) Bucket {
	return Bucket{Name: name, Created: time.UnixMilli(b.Created).UTC(), Versioning: b.Versioning}
}

// bucketsMax bounds the buckets of a store, as S3 does.
const bucketsMax = 100

// CreateBucket makes a bucket; BucketExists when there is one of that name.
func (s *Store) CreateBucket(ctx context.Context, name string) error {
	if files.CheckBucket(name) != nil {
		return refuse(InvalidBucketName, "The specified bucket is not valid: 3 to 63 lower-case letters, digits, dots and hyphens.")
	}
	now := s.o.Now()
	return s.write(ctx, reserve.Grow, func(tx store.Tx) error {
		count := 0
		for row, err := range buckets.Scan(tx, "", "") {
			if err != nil {
				return err
			}
			if count++; row.Key == name {
				return refuse(BucketExists, "Your previous request to create the named bucket succeeded and you already own it.")
			}
		}
		if count >= bucketsMax {
			return refuse(TooManyBuckets, "There are %d buckets, which is the most there can be.", count)
		}
		buckets.Put(tx, name, bucketRecord{Created: now.UnixMilli()})
		return nil
	})
}

// DeleteBucket removes a bucket that has no objects, versions or multipart uploads.
func (s *Store) DeleteBucket(ctx context.Context, name string) error {
	return s.write(ctx, reserve.Finish, func(tx store.Tx) error {
		if _, err := bucketOf(tx, name); err != nil {
			return err
		}
		from, to := store.Under(name)
		for _, table := range []store.Table{objects.Table, olds.Table, uploads.Table} {
			for _, err := range tx.Scan(table, from, to) {
				if err != nil {
					return err
				}
				return refuse(BucketNotEmpty, "The bucket you tried to delete is not empty: it has objects, versions or unfinished uploads.")
			}
		}
		buckets.Delete(tx, name)
		return nil
	})
}

// Buckets returns all buckets, sorted by name.
func (s *Store) Buckets(ctx context.Context) ([]Bucket, error) {
	var all []Bucket
	err := s.o.Index.View(ctx, func(r store.Reader) error {
		for row, err := range buckets.Scan(r, "", "") {
			if err != nil {
				return err
			}
			all = append(all, row.Value.bucket(row.Key))
		}
		return nil
	})
	return all, err
}

// Bucket returns one bucket.
func (s *Store) Bucket(ctx context.Context, name string) (Bucket, error) {
	var b bucketRecord
	err := s.o.Index.View(ctx, func(r store.Reader) (err error) {
		b, err = bucketOf(r, name)
		return err
	})
	return b.bucket(name), err
}

// SetVersioning sets the versioning of a bucket to Enabled or Suspended.
func (s *Store) SetVersioning(ctx context.Context, name string, to Versioning) error {
	if to != Enabled && to != Suspended {
		return refuse(InvalidArgument, "The status of versioning is Enabled or Suspended.")
	}
	return s.write(ctx, reserve.Change, func(tx store.Tx) error {
		b, err := bucketOf(tx, name)
		if err != nil {
			return err
		}
		b.Versioning = to
		buckets.Put(tx, name, b)
		return nil
	})
}

func bucketOf(r store.Reader, name string) (bucketRecord, error) {
	var b *bucketRecord
	if files.CheckBucket(name) == nil {
		var err error
		if b, err = buckets.Get(r, name); err != nil {
			return bucketRecord{}, err
		}
	}
	if b == nil {
		return bucketRecord{}, refuse(NoSuchBucket, "The specified bucket does not exist")
	}
	return *b, nil
}
