package sigv4

import (
	"errors"
	"fmt"
)

// Code is the modelled name of a refusal, as it stands in x-amzn-ErrorType. All
// of them go with HTTP status 403 (identity-and-auth.md C.5).
type Code string

// The ways a request fails to be authentic.
const (
	MissingAuthenticationToken Code = "MissingAuthenticationTokenException"
	IncompleteSignature        Code = "IncompleteSignatureException"
	UnrecognizedClient         Code = "UnrecognizedClientException"
	InvalidSignature           Code = "InvalidSignatureException"
	ExpiredToken               Code = "ExpiredTokenException"

	// Of requests that VerifyHead looks at, which have words of their own.
	RequestExpired Code = "RequestExpired"            // a presigned request, after its time
	RequestSkewed  Code = "RequestTimeTooSkewed"      // the clocks do not agree
	WrongScope     Code = "InvalidCredentialScope"    // another day, region or service
	InvalidBody    Code = "XAmzContentSHA256Mismatch" // the body is not the one that was signed
	UnsignedHeader Code = "UnsignedHeader"            // a header of the service that the signature does not cover
)

// Error is a refusal. Its message may be shown to the caller: it holds nothing
// but what the request said and what every client knows.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// ErrUnknownKey is what a look-up returns for an access key it does not have.
var ErrUnknownKey = errors.New("unknown access key")

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

const (
	mismatchText     = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	invalidTokenText = "The security token included in the request is invalid."
	expiredTokenText = "The security token included in the request is expired"
)
