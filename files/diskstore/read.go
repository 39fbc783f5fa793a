package diskstore

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// Stat returns a version of an object, the current one when version is empty.
func (s *Store) Stat(ctx context.Context, bucket, key, version string) (Version, error) {
	r, latest, err := s.find(ctx, bucket, key, version)
	return r.show(key, latest), err
}

func (s *Store) find(ctx context.Context, bucket, key, version string) (r record, latest bool, err error) {
	if err := checkKey(key); err != nil {
		return r, false, err
	}
	err = s.o.Index.View(ctx, func(reader store.Reader) (err error) {
		r, latest, err = find(reader, bucket, key, version)
		return err
	})
	return r, latest, err
}

// Open returns a version of an object with its content, which the caller must close.
// The content stays readable when the object is replaced or deleted meanwhile.
func (s *Store) Open(ctx context.Context, bucket, key, version string) (*os.File, Version, error) {
	for again := false; ; again = true {
		r, latest, err := s.find(ctx, bucket, key, version)
		if err != nil {
			return nil, Version{}, err
		}
		f, err := os.Open(s.blobs.path(r.Blob))
		switch {
		case errors.Is(err, os.ErrNotExist) && !again:
			continue // replaced after the look-up
		case err != nil:
			return nil, Version{}, fmt.Errorf("content of %s/%s: %w", bucket, key, ofHost(err))
		}
		return f, r.show(key, latest), nil
	}
}

// Copy stores a version of an object under another name, with attributes a or, when a is
// nil, those of the original. The content is not read, but linked.
func (s *Store) Copy(ctx context.Context, fromBucket, fromKey, version, bucket, key string, a *Attributes) (Version, error) {
	if err := s.checkPlace(ctx, bucket, key); err != nil {
		return Version{}, err
	}
	from, _, err := s.find(ctx, fromBucket, fromKey, version)
	if err != nil {
		return Version{}, err
	}
	if s.o.Limits.Quota > 0 && s.used.Load()+from.Size > s.o.Limits.Quota {
		return Version{}, s.full()
	}
	if err := s.room(reserve.Grow, 0); err != nil {
		return Version{}, err
	}
	blob, err := s.blobs.link(from.Blob)
	if err != nil {
		return Version{}, fmt.Errorf("copy %s/%s: %w", fromBucket, fromKey, ofHost(err))
	}
	s.used.Add(from.Size)
	made := record{Attributes: from.Attributes, Blob: blob, Size: from.Size, ETag: from.ETag, Checksum: from.Checksum, SHA256: from.SHA256, Parts: from.Parts}
	if a != nil {
		made.Attributes = *a
	}
	return s.commit(ctx, bucket, key, Precondition{}, made, nil)
}
