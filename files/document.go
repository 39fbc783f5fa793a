package files

import (
	"context"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/muster-iot/muster"
)

// documentTimeout bounds how long reading a job document from the store may take.
const documentTimeout = 10 * time.Second

// Document returns the text of the object that the URL source names, of at most
// limit bytes of UTF-8 (jobs-control-plane.md section 3.1, check 10). It reads only
// objects of this store, and only after permit has returned nil for the object. It
// fails as permit does, with Invalid, or with Unavailable when the store cannot be
// reached.
func (s *Store) Document(ctx context.Context, source string, limit int, permit func(muster.Object) error) (string, error) {
	a, err := s.Find(source)
	if err != nil {
		return "", err
	}
	if a.Key == "" {
		return "", muster.Errorf(muster.Invalid, "The documentSource names no object of the bucket %s", a.Bucket)
	}
	if err := permit(muster.Object{Region: a.Region, Bucket: a.Bucket, Key: a.Key, Version: a.Version}); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, documentTimeout)
	defer cancel()
	if err := s.CheckBucket(ctx, a.Bucket); err != nil {
		return "", unreadable(err, "Provided S3 bucket is not valid: %s. Error: %s", a.Bucket) // jobs-control-plane.md section 6.6
	}
	body, info, err := s.Open(ctx, a.Object, int64(limit))
	if err != nil {
		return "", unreadable(err, "The job document %s cannot be read. Error: %s", a.Key)
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, info.Size))
	switch {
	case err != nil:
		return "", unreadable(err, "The job document %s cannot be read. Error: %s", a.Key)
	case !utf8.Valid(text):
		return "", muster.Errorf(muster.Invalid, "The job document %s is not in UTF-8", a.Key)
	}
	return string(text), nil
}

// unreadable returns the error for a document that cannot be read: Invalid, unless the
// store cannot be reached.
func unreadable(err error, format, what string) error {
	known, ok := errors.AsType[*muster.Error](err)
	if !ok {
		return &muster.Error{Kind: muster.Unavailable, Msg: "The store of job files cannot be read just now", Err: err}
	}
	if known.Kind == muster.Unavailable {
		return err
	}
	return muster.Errorf(muster.Invalid, format, what, known.Msg)
}
