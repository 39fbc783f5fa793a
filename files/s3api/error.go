package s3api

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

// failure is an error as it is shown to the caller.
type failure struct {
	code    string
	message string
	marker  string // version of the delete marker that was found; empty for none
}

func (f *failure) Error() string { return f.code + ": " + f.message }

func refuse(code, format string, args ...any) *failure {
	return &failure{code: code, message: fmt.Sprintf(format, args...)}
}

const internalError = "InternalError"

// statuses holds the HTTP status of each code.
var statuses = map[string]int{
	"AccessDenied":                       http.StatusForbidden,
	"AuthorizationHeaderMalformed":       http.StatusBadRequest,
	"AuthorizationQueryParametersError":  http.StatusBadRequest,
	"BadDigest":                          http.StatusBadRequest,
	"BucketAlreadyOwnedByYou":            http.StatusConflict,
	"BucketNotEmpty":                     http.StatusConflict,
	"EntityTooLarge":                     http.StatusBadRequest,
	"EntityTooSmall":                     http.StatusBadRequest,
	"ExpiredToken":                       http.StatusBadRequest,
	"IllegalLocationConstraintException": http.StatusBadRequest,
	"IncompleteBody":                     http.StatusBadRequest,
	internalError:                        http.StatusInternalServerError,
	"InsufficientStorage":                http.StatusInsufficientStorage,
	"InvalidAccessKeyId":                 http.StatusForbidden,
	"InvalidArgument":                    http.StatusBadRequest,
	"InvalidBucketName":                  http.StatusBadRequest,
	"InvalidDigest":                      http.StatusBadRequest,
	"InvalidPart":                        http.StatusBadRequest,
	"InvalidPartOrder":                   http.StatusBadRequest,
	"InvalidRange":                       http.StatusRequestedRangeNotSatisfiable,
	"InvalidRequest":                     http.StatusBadRequest,
	"InvalidURI":                         http.StatusBadRequest,
	"KeyTooLongError":                    http.StatusBadRequest,
	"MalformedXML":                       http.StatusBadRequest,
	"MetadataTooLarge":                   http.StatusBadRequest,
	"MethodNotAllowed":                   http.StatusMethodNotAllowed,
	"MissingContentLength":               http.StatusLengthRequired,
	"NoSuchBucket":                       http.StatusNotFound,
	"NoSuchKey":                          http.StatusNotFound,
	"NoSuchUpload":                       http.StatusNotFound,
	"NoSuchVersion":                      http.StatusNotFound,
	"NotImplemented":                     http.StatusNotImplemented,
	"PreconditionFailed":                 http.StatusPreconditionFailed,
	"QuotaExceeded":                      http.StatusForbidden, // not 5xx, because a retry does not help
	"RequestTimeTooSkewed":               http.StatusForbidden,
	"RequestTimeout":                     http.StatusBadRequest,
	"SignatureDoesNotMatch":              http.StatusForbidden,
	"SlowDown":                           http.StatusServiceUnavailable,
	"TooManyBuckets":                     http.StatusBadRequest,
	"XAmzContentSHA256Mismatch":          http.StatusBadRequest,
}

// signatures holds the codes of S3 for refused signatures. For a presigned request, a row
// of presigned takes precedence.
var signatures = map[sigv4.Code]string{
	sigv4.MissingAuthenticationToken: "AccessDenied",
	sigv4.IncompleteSignature:        "AuthorizationHeaderMalformed",
	sigv4.UnrecognizedClient:         "InvalidAccessKeyId",
	sigv4.InvalidSignature:           "SignatureDoesNotMatch",
	sigv4.ExpiredToken:               "ExpiredToken",
	sigv4.RequestExpired:             "AccessDenied",
	sigv4.RequestSkewed:              "RequestTimeTooSkewed",
	sigv4.WrongScope:                 "AuthorizationHeaderMalformed",
	sigv4.InvalidBody:                "XAmzContentSHA256Mismatch",
	sigv4.UnsignedHeader:             "AccessDenied",
}

var presigned = map[sigv4.Code]string{
	sigv4.IncompleteSignature: "AuthorizationQueryParametersError",
	sigv4.WrongScope:          "AuthorizationQueryParametersError",
}

// failureOf returns what the caller is shown of err.
func failureOf(c *call, err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*diskstore.Error](err); ok {
		return &failure{string(e.Code), e.Message, e.Marker}
	}
	if e, ok := errors.AsType[*identity.DeniedError](err); ok {
		return refuse("AccessDenied", "%s", e.Error())
	}
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		code := signatures[e.Code]
		if word, ok := presigned[e.Code]; ok && c.query.Has("X-Amz-Signature") {
			code = word
		}
		return refuse(code, "%s", e.Message)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse("RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period.")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled):
		return refuse("IncompleteBody", "The request ended before its body did.")
	}
	return refuse(internalError, "We encountered an internal error. The log of the server has it under the id of this request.")
}

// errorXML is the body of an error.
type errorXML struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Resource  string `xml:",omitempty"`
	Region    string `xml:",omitempty"`
	RequestID string `xml:"RequestId"`
}

// fail answers with an error.
func (c *call) fail(err error) {
	f := failureOf(c, err)
	c.code, c.err = f.code, err
	if c.w.Status != 0 {
		panic(http.ErrAbortHandler) // the answer has begun: close the connection, so that the client notices
	}
	status, ok := statuses[f.code]
	if !ok {
		status = http.StatusInternalServerError
	}
	if f.marker != "" {
		c.w.Header().Set("X-Amz-Delete-Marker", "true")
		c.w.Header().Set("X-Amz-Version-Id", f.marker)
	}
	c.writeXML(status, errorXML{Code: f.code, Message: f.message, Resource: c.r.URL.EscapedPath(), RequestID: c.id})
}

// writeXML sends an answer with an XML body; for a HEAD request, without the body.
func (c *call) writeXML(status int, body any) {
	text, err := xml.Marshal(body)
	if err != nil {
		c.err = err
		text = nil
	}
	text = append([]byte(xml.Header), text...)
	c.w.Header().Set("Content-Type", "application/xml")
	c.w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(text) // fails only when the client is gone
	}
}
