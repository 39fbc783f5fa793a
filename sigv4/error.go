package sigv4

import (
	"errors"
	"fmt"
)

// Code is the modelled name of a refusal, for the header x-amzn-ErrorType. All of
// them have HTTP status 403 (identity-and-auth.md C.5).
type Code string

// The reasons for which a request is refused.
const (
	MissingAuthenticationToken Code = "MissingAuthenticationTokenException"
	IncompleteSignature        Code = "IncompleteSignatureException"
	UnrecognizedClient         Code = "UnrecognizedClientException"
	InvalidSignature           Code = "InvalidSignatureException"
	ExpiredToken               Code = "ExpiredTokenException"

	// Those of S3, from VerifyHead only.
	RequestExpired Code = "RequestExpired"            // a presigned request after its lifetime
	RequestSkewed  Code = "RequestTimeTooSkewed"      // the clocks do not agree
	WrongScope     Code = "InvalidCredentialScope"    // another day, region or service
	InvalidBody    Code = "XAmzContentSHA256Mismatch" // the body is not the one that was signed
	UnsignedHeader Code = "UnsignedHeader"            // a header of the service that the signature does not cover
)

// Error is a refusal. Its message may be shown to the caller: it contains only what
// the request contained and what every client knows.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// ErrUnknownKey is wrapped by the error of Verifier.Lookup for an unknown access key.
var ErrUnknownKey = errors.New("unknown access key")

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

const (
	mismatchText     = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	invalidTokenText = "The security token included in the request is invalid."
	expiredTokenText = "The security token included in the request is expired"
)
