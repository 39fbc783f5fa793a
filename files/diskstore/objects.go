package diskstore

import (
	"context"
	"errors"
	"io"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/files"
)

// Objects returns the store as package files reads it.
func (s *Store) Objects() files.Objects { return reader{s} }

type reader struct{ s *Store }

func (r reader) CheckBucket(ctx context.Context, bucket string) error {
	_, err := r.s.Bucket(ctx, bucket)
	return classify(err)
}

func (r reader) Stat(ctx context.Context, o files.Object) (files.Info, error) {
	v, err := r.s.Stat(ctx, o.Bucket, o.Key, o.Version)
	if err != nil {
		return files.Info{}, classify(err)
	}
	return info(v), nil
}

func (r reader) Open(ctx context.Context, o files.Object, limit int64) (io.ReadCloser, files.Info, error) {
	f, v, err := r.s.Open(ctx, o.Bucket, o.Key, o.Version)
	if err != nil {
		return nil, files.Info{}, classify(err)
	}
	if v.Size > limit {
		f.Close()
		return nil, files.Info{}, muster.Errorf(muster.LimitExceeded, "The object %s has %d bytes; at most %d are allowed", o.Key, v.Size, limit)
	}
	return f, info(v), nil
}

func info(v Version) files.Info {
	i := files.Info{Size: v.Size, ETag: `"` + v.ETag + `"`, ContentType: v.Headers["Content-Type"], Modified: v.Modified}
	if v.ID != NullVersion {
		i.Version = v.ID
	}
	return i
}

// classify returns an Error as a *muster.Error of the kind that fits.
func classify(err error) error {
	refused, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	kind := muster.Invalid
	switch refused.Code {
	case NoSuchBucket, NoSuchKey, NoSuchVersion, MethodNotAllowed:
		kind = muster.NotFound
	}
	return muster.Errorf(kind, "%s", refused.Message)
}
