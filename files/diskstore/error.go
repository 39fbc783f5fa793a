package diskstore

import (
	"fmt"

	"github.com/muster-iot/muster/reserve"
)

// Code is S3's error code.
type Code string

// The codes of a Store.
const (
	NoSuchBucket       Code = "NoSuchBucket"
	NoSuchKey          Code = "NoSuchKey"
	NoSuchVersion      Code = "NoSuchVersion"
	NoSuchUpload       Code = "NoSuchUpload"
	BucketExists       Code = "BucketAlreadyOwnedByYou"
	BucketNotEmpty     Code = "BucketNotEmpty"
	TooManyBuckets     Code = "TooManyBuckets"
	InvalidBucketName  Code = "InvalidBucketName"
	InvalidArgument    Code = "InvalidArgument"
	KeyTooLong         Code = "KeyTooLongError"
	EntityTooLarge     Code = "EntityTooLarge"
	EntityTooSmall     Code = "EntityTooSmall"
	QuotaExceeded      Code = "QuotaExceeded"
	IncompleteBody     Code = "IncompleteBody"
	BadDigest          Code = "BadDigest"
	InvalidPart        Code = "InvalidPart"
	InvalidPartOrder   Code = "InvalidPartOrder"
	PreconditionFailed Code = "PreconditionFailed"
	MethodNotAllowed   Code = "MethodNotAllowed"
	InvalidRequest     Code = "InvalidRequest"

	// Not errors of the client, which may retry later.
	InsufficientStorage Code = "InsufficientStorage"
	SlowDown            Code = "SlowDown"
)

// Error is an error of the client. Its message may be shown.
type Error struct {
	Code    Code
	Message string
	// Marker is the version of the delete marker that was found instead of an object;
	// empty for none.
	Marker string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// ofHost returns an Error for an error of the operating system that says that the disk
// is full or that too many files are open, and any other error as it is.
func ofHost(err error) error {
	switch {
	case reserve.IsFull(err):
		return refuse(InsufficientStorage, "The disk of the server is full.")
	case reserve.IsOutOfFiles(err):
		return refuse(SlowDown, "The server has as many files open as it may. Please reduce your request rate.")
	}
	return err
}

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
