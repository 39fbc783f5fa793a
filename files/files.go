// Package files deals with job files: the URLs that name them, the presigned URLs
// with which devices download and upload them, and how the server reads them
// (jobs-control-plane.md section 6). A deployment has one store of job files: the
// built-in one (files/diskstore, served to S3 clients by files/s3api) or one elsewhere
// with the S3 API (files/s3store). The server never fetches a URL that does not name
// an object of that store.
package files

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/muster-iot/muster"
)

// Object names one object of the store.
type Object struct {
	Bucket string // valid by CheckBucket
	Key    string // valid by CheckKey
	// Version is the id of one version; empty means the current one.
	Version string
}

// Address is what a URL names.
type Address struct {
	Object
	// Region is the one in an Amazon host name; empty when the URL names none. It
	// does not choose another store.
	Region string
}

// Info describes an object.
type Info struct {
	Size        int64     // bytes
	ETag        string    // with its quotes
	ContentType string    // as its uploader stated
	Version     string    // empty in a bucket without versioning
	Modified    time.Time // UTC
}

// Objects is what the server needs of a store of job files; diskstore and s3store
// implement it. Its methods may be called by many goroutines. Errors are
// *muster.Error: NotFound for a bucket, an object or a version that does not exist,
// Forbidden when the store refuses, Unavailable when it cannot be reached.
type Objects interface {
	// CheckBucket returns nil when the bucket exists.
	CheckBucket(ctx context.Context, bucket string) error
	// Stat describes an object.
	Stat(ctx context.Context, o Object) (Info, error)
	// Open returns an object of at most limit bytes; a larger one is LimitExceeded.
	// It can be read until ctx ends, gives at most Info.Size bytes, and must be closed
	// by the caller.
	Open(ctx context.Context, o Object, limit int64) (io.ReadCloser, Info, error)
}

// Store is the store of job files: its URLs, and how to read it.
type Store struct {
	*Endpoint
	Objects
}

// keyMax bounds a key, in bytes, as S3 does.
const keyMax = 1024

// CheckKey returns an Invalid error unless key can name an object: 1 to 1024
// bytes of UTF-8 without NUL.
func CheckKey(key string) error {
	switch {
	case key == "":
		return muster.Errorf(muster.Invalid, "The key of an object cannot be empty")
	case len(key) > keyMax:
		return muster.Errorf(muster.Invalid, "The key of an object has at most %d bytes; this one has %d", keyMax, len(key))
	case !utf8.ValidString(key) || strings.ContainsRune(key, 0):
		return muster.Errorf(muster.Invalid, "The key of an object must be UTF-8 without NUL")
	}
	return nil
}

// CheckBucket returns an Invalid error unless name can be a bucket's: 3 to 63
// lower-case letters, digits, dots and hyphens, with a letter or digit at both
// ends and next to each dot, and not like an IPv4 address.
func CheckBucket(name string) error {
	if !validBucket(name) {
		return muster.Errorf(muster.Invalid, "Given S3 bucket name is invalid.") // jobs-control-plane.md section 6.6
	}
	return nil
}

func validBucket(name string) bool {
	if len(name) < 3 || len(name) > 63 {
		return false
	}
	digitsAndDots := true
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || part[0] == '-' || part[len(part)-1] == '-' {
			return false
		}
		for i := range len(part) {
			switch c := part[i]; {
			case '0' <= c && c <= '9':
			case 'a' <= c && c <= 'z', c == '-':
				digitsAndDots = false
			default:
				return false
			}
		}
	}
	return !digitsAndDots || strings.Count(name, ".") != 3
}
