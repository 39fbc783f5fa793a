package diskstore

import "fmt"

// Code is S3's own word for what a client did wrong.
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
)

// Error is what a client did wrong. Its message may be shown.
type Error struct {
	Code    Code
	Message string
	// Marker is the version of the delete marker that was met instead of an
	// object; empty for none.
	Marker string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
