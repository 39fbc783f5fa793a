// Package sigv4 verifies and makes AWS Signature Version 4 request signatures,
// in the Authorization header and in a presigned query (identity-and-auth.md
// part C). It answers one question, whether the holder of an access key sent
// this request, and never what that holder may do or what the request means.
//
// The package is API: docs/api-stability.md says what that promises.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"

	// TimeFormat is the layout of X-Amz-Date and of every instant in an error
	// text. Instants are in UTC.
	TimeFormat = "20060102T150405Z"
	dateFormat = "20060102"

	unsignedPayload = "UNSIGNED-PAYLOAD"
	// gatewayService is what MQTT over WebSocket is signed for. Its presigned URLs
	// do not cover the session token (AUTH-85).
	gatewayService = "iotdevicegateway"
	// controlService is what clients of before May 2023 sign the control plane for,
	// as the API model had it then. It means the same as "iot".
	controlService = "execute-api"
	// dataService is what older clients sign the same URLs for, such as the AWS IoT
	// Device SDK for Python v1.
	dataService = "iotdata"
	// objectService is the one service whose paths are signed as they stand and
	// whose presigned URLs leave the body open.
	objectService = "s3"
)

// Credential is an access key: what a client signs with and what a Verifier
// looks up.
type Credential struct {
	AccessKeyID string
	Secret      Secret
	// SessionToken is what requests must carry beside the signature. Empty for
	// a long-lived key, whose requests must carry none.
	SessionToken Secret
	// Expires is when the credential stops being accepted. Zero means never.
	Expires time.Time
}

// Scope says for which day, region and service a signature counts.
type Scope struct {
	Date    string // yyyymmdd, UTC
	Region  string
	Service string
}

// String returns the scope as it stands in a string to sign.
func (s Scope) String() string {
	return s.Date + "/" + s.Region + "/" + s.Service + "/" + terminator
}

// key derives the signing key of secret for the scope (AUTH-78).
func (s Scope) key(secret Secret) []byte {
	key := keyedHash([]byte("AWS4"+string(secret)), s.Date)
	key = keyedHash(key, s.Region)
	key = keyedHash(key, s.Service)
	return keyedHash(key, terminator)
}

// sign returns the signature of one canonical request under a derived key.
func (s Scope) sign(key []byte, at time.Time, canonical []byte) []byte {
	digest := sha256.Sum256(canonical)
	var b strings.Builder
	b.Grow(len(algorithm) + len(TimeFormat) + 64 + 128)
	b.WriteString(algorithm + "\n")
	b.WriteString(at.UTC().Format(TimeFormat) + "\n")
	b.WriteString(s.String() + "\n")
	b.WriteString(hex.EncodeToString(digest[:]))
	return keyedHash(key, b.String())
}

func keyedHash(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

// Signature is what a request claims about itself: who signed what, when and
// for which scope. Only a Signature that Verify returned without an error is true.
type Signature struct {
	AccessKeyID   string
	Scope         Scope
	Time          time.Time // when it was made, to the second
	SignedHeaders []string  // lower case, in ascending order
	// Presigned tells the query form from the header form.
	Presigned bool
	// Lifetime is how long after Time a presigned request counts, at most
	// MaxLifetime. Zero in the header form.
	Lifetime time.Duration
	// UnsignedPayload is true when the client chose not to sign the body.
	UnsignedPayload bool
	// Path and Query are what the signature covers of the request's target: an
	// escaped path and an escaped query, sorted by name and value. Other spellings
	// of the target may be good for the same signature, so a request must be read
	// from these (see SetTarget). Set by Verify, and empty with an error.
	Path, Query string
}

// SetTarget makes u say what the signature covers, so that two requests which
// are good for one signature are read as the same request.
func (s Signature) SetTarget(u *url.URL) {
	u.Path, _ = url.PathUnescape(s.Path) // Verify has seen to it that it can be
	u.RawPath, u.RawQuery = s.Path, s.Query
}

// claim is a Signature not yet believed, with what it takes to check it. It is
// apart from Signature so that a log of the latter cannot show the token.
type claim struct {
	Signature
	token Secret // the session token the request carries
	value string // the signature itself, as sent
}
