package diskstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"iter"
	"time"

	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// PartsMax is the highest part number; the lowest is 1.
const PartsMax = 10000

// uploadRecord is an open multipart upload.
type uploadRecord struct {
	Attributes
	Begun     int64     `json:"begun"` // milliseconds since the epoch
	Algorithm Algorithm `json:"algorithm,omitempty"`
	Full      bool      `json:"full,omitempty"` // the checksum is FullObject
}

// partRecord is a part of an open multipart upload.
type partRecord struct {
	Blob     string   `json:"blob"`
	Size     int64    `json:"size"`
	ETag     string   `json:"etag"`
	Checksum Checksum `json:"checksum,omitzero"`
	Stored   int64    `json:"stored"` // milliseconds since the epoch
}

// Upload is an open multipart upload.
type Upload struct {
	ID           string
	Key          string
	Begun        time.Time
	Algorithm    Algorithm
	ChecksumType string // FullObject or Composite; empty without an algorithm
}

func (u uploadRecord) upload(id, key string) Upload {
	kind := Composite
	if u.Algorithm == "" {
		kind = ""
	} else if u.Full {
		kind = FullObject
	}
	return Upload{ID: id, Key: key, Begun: time.UnixMilli(u.Begun).UTC(), Algorithm: u.Algorithm, ChecksumType: kind}
}

// Part is a part of a multipart upload.
type Part struct {
	Number   int
	Size     int64
	ETag     string // without quotes
	Checksum Checksum
	Stored   time.Time
}

func (p partRecord) part(number int) Part {
	return Part{Number: number, Size: p.Size, ETag: p.ETag, Checksum: p.Checksum, Stored: time.UnixMilli(p.Stored).UTC()}
}

// CreateUpload begins a multipart upload. checksumType is FullObject, Composite, or
// empty for the default of the algorithm.
func (s *Store) CreateUpload(ctx context.Context, bucket, key string, a Attributes, algorithm Algorithm, checksumType string) (Upload, error) {
	if err := s.checkPlace(ctx, bucket, key); err != nil {
		return Upload{}, err
	}
	digest := algorithm == SHA1 || algorithm == SHA256
	if checksumType == FullObject && digest || checksumType == Composite && algorithm == CRC64NVME || checksumType != "" && algorithm == "" {
		return Upload{}, refuse(InvalidRequest, "The %s checksum type cannot be used with the %s checksum algorithm.", checksumType, algorithm)
	}
	var random [24]byte
	_, _ = rand.Read(random[:]) // never fails
	id := hex.EncodeToString(random[:])
	made := uploadRecord{
		Attributes: a, Begun: s.o.Now().UnixMilli(), Algorithm: algorithm,
		Full: checksumType == FullObject || algorithm == CRC64NVME,
	}
	err := s.write(ctx, reserve.Grow, func(tx store.Tx) error {
		if _, err := bucketOf(tx, bucket); err != nil {
			return err
		}
		if err := s.roomForUpload(tx); err != nil {
			return err
		}
		uploads.Put(tx, store.JoinKey(bucket, key, id), made)
		return nil
	})
	return made.upload(id, key), err
}

// roomForUpload returns an error when Limits.Uploads are open already.
func (s *Store) roomForUpload(r store.Reader) error {
	if s.o.Limits.Uploads == 0 {
		return nil
	}
	open := 0
	for _, err := range uploads.Scan(r, "", "") {
		if err != nil {
			return err
		}
		if open++; open == s.o.Limits.Uploads {
			return refuse(QuotaExceeded, "%d multipart uploads are open, which is the most there may be; complete or abort one first", open)
		}
	}
	return nil
}

// findUpload returns an open multipart upload.
func findUpload(r store.Reader, bucket, key, id string) (uploadRecord, error) {
	var u *uploadRecord
	_, err := hex.DecodeString(id)
	if err == nil && checkKey(key) == nil {
		if u, err = uploads.Get(r, store.JoinKey(bucket, key, id)); err != nil {
			return uploadRecord{}, err
		}
	}
	if u == nil {
		return uploadRecord{}, refuse(NoSuchUpload, "The specified multipart upload does not exist. The upload ID might be invalid, or the multipart upload might have been aborted or completed.")
	}
	return *u, nil
}

// Upload returns an open multipart upload.
func (s *Store) Upload(ctx context.Context, bucket, key, id string) (Upload, error) {
	var u uploadRecord
	err := s.o.Index.View(ctx, func(r store.Reader) (err error) {
		if _, err = bucketOf(r, bucket); err == nil {
			u, err = findUpload(r, bucket, key, id)
		}
		return err
	})
	return u.upload(id, key), err
}

func partKey(id string, number int) string { return store.JoinKey(id, fmt.Sprintf("%05d", number)) }

// PutPart stores a part of a multipart upload, durably, and replaces the one with the
// same number.
func (s *Store) PutPart(ctx context.Context, bucket, key, id string, number int, c Content) (Part, error) {
	if number < 1 || number > PartsMax {
		return Part{}, refuse(InvalidArgument, "Part number must be an integer between 1 and %d, inclusive", PartsMax)
	}
	u, err := s.Upload(ctx, bucket, key, id)
	if err != nil {
		return Part{}, err
	}
	if c.Algorithm == "" {
		c.Algorithm = u.Algorithm
	}
	blob, got, err := s.receive(c)
	if err != nil {
		return Part{}, err
	}
	made := partRecord{Blob: blob, Size: got.size, ETag: got.hex(), Checksum: got.checksum, Stored: s.o.Now().UnixMilli()}
	err = s.update(ctx, reserve.Grow, func(tx store.Tx) (freed []string, err error) {
		if _, err := findUpload(tx, bucket, key, id); err != nil {
			return nil, err
		}
		before, err := parts.Get(tx, partKey(id, number))
		if before != nil {
			freed = append(freed, before.Blob)
		}
		parts.Put(tx, partKey(id, number), made)
		sizes.Put(tx, blob, made.Size)
		return freed, err
	})
	if err != nil {
		s.discard(blob, got.size)
		return Part{}, err
	}
	s.blobs.keep(blob)
	return made.part(number), nil
}

// Parts returns at most max parts of a multipart upload whose numbers are higher than
// after.
func (s *Store) Parts(ctx context.Context, bucket, key, id string, after, max int) (list []Part, more bool, err error) {
	err = s.o.Index.View(ctx, func(r store.Reader) error {
		list, more = nil, false
		if _, err := findUpload(r, bucket, key, id); err != nil {
			return err
		}
		for found, err := range partsOf(r, id) {
			switch {
			case err != nil:
				return err
			case found.Number <= after:
			case len(list) >= max:
				more = true
				return nil
			default:
				list = append(list, found.partRecord.part(found.Number))
			}
		}
		return nil
	})
	return list, more, err
}

type numberedPart struct {
	partRecord
	Number int
}

// partsOf yields the parts of a multipart upload, sorted by number.
func partsOf(r store.Reader, id string) iter.Seq2[numberedPart, error] {
	return func(yield func(numberedPart, error) bool) {
		from, to := store.Under(id)
		for found, err := range parts.Scan(r, from, to) {
			p := numberedPart{partRecord: found.Value}
			if err == nil {
				_, err = fmt.Sscanf(store.SplitKey(found.Key)[1], "%d", &p.Number)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// Uploads returns the open multipart uploads of a bucket, sorted by key.
func (s *Store) Uploads(ctx context.Context, bucket string, q Query) (Page[Upload], error) {
	return list(ctx, s, bucket, q, func(r store.Reader, from, to string) iter.Seq2[row[Upload], error] {
		return func(yield func(row[Upload], error) bool) {
			for found, err := range uploads.Scan(r, from, to) {
				var u row[Upload]
				if err == nil {
					name := store.SplitKey(found.Key)
					u = row[Upload]{name[1], name[2], found.Value.upload(name[2], name[1])}
				}
				if !yield(u, err) {
					return
				}
			}
		}
	})
}

// AbortUpload ends a multipart upload without an object and removes its parts.
func (s *Store) AbortUpload(ctx context.Context, bucket, key, id string) error {
	return s.update(ctx, reserve.Finish, func(tx store.Tx) ([]string, error) {
		if _, err := findUpload(tx, bucket, key, id); err != nil {
			return nil, err
		}
		return endUpload(tx, bucket, key, id)
	})
}

// endUpload removes a multipart upload and returns the contents of its parts.
func endUpload(tx store.Tx, bucket, key, id string) (freed []string, err error) {
	for p, err := range partsOf(tx, id) {
		if err != nil {
			return nil, err
		}
		freed = append(freed, p.Blob)
		parts.Delete(tx, partKey(id, p.Number))
	}
	uploads.Delete(tx, store.JoinKey(bucket, key, id))
	return freed, nil
}
