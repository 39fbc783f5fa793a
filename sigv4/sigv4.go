// Package sigv4 verifies and makes AWS Signature Version 4 request signatures,
// in the Authorization header and in a presigned query (identity-and-auth.md
// part C). It tells whether the holder of an access key sent a request, not what
// that holder may do or what the request means.
//
// The package is API: docs/api-stability.md says what that promises.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"

	// TimeFormat is the layout of X-Amz-Date and of the instants in error texts, in
	// UTC.
	TimeFormat = "20060102T150405Z"
	dateFormat = "20060102"

	unsignedPayload = "UNSIGNED-PAYLOAD"
	// gatewayService is the service of MQTT over WebSocket. Its presigned URLs do not
	// cover the session token (AUTH-85).
	gatewayService = "iotdevicegateway"
	// controlService is the service of the control plane in clients from before May
	// 2023, as the API model had it then. It means the same as "iot".
	controlService = "execute-api"
	// dataService is the service of MQTT over WebSocket in older clients, such as the
	// AWS IoT Device SDK for Python v1.
	dataService = "iotdata"
	// objectService is the only service whose paths are signed as they are sent and
	// whose presigned URLs do not cover the body.
	objectService = "s3"
)

// Credential is an access key: a client signs with it, and a Verifier looks it up.
type Credential struct {
	AccessKeyID string
	Secret      Secret
	// SessionToken must accompany the signature of every request. It is empty for a
	// long-lived key, whose requests must carry none.
	SessionToken Secret
	// Expires is when the credential stops being accepted. Zero means never.
	Expires time.Time
}

// Scope is the day, region and service for which a signature is valid.
type Scope struct {
	Date    string // yyyymmdd, UTC
	Region  string
	Service string
}

// String returns the scope as it is written in a string to sign.
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
	text := make([]byte, 0, 256)
	text = append(text, algorithm+"\n"...)
	text = append(at.UTC().AppendFormat(text, TimeFormat), '\n')
	for _, part := range [...]string{s.Date, "/", s.Region, "/", s.Service, "/", terminator, "\n"} {
		text = append(text, part...)
	}
	return keyedHash(key, hex.AppendEncode(text, digest[:]))
}

func keyedHash[T string | []byte](key []byte, data T) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

// Signature is what a request says about its signature: which key signed what, when
// and for which scope. It is verified only when it was returned without an error.
type Signature struct {
	AccessKeyID   string
	Scope         Scope
	Time          time.Time // when it was made, to the second
	SignedHeaders []string  // lower case, in ascending order
	// Presigned is true for the query form and false for the header form.
	Presigned bool
	// Lifetime is how long after Time a presigned request is valid, at most
	// MaxLifetime. Zero in the header form.
	Lifetime time.Duration
	// UnsignedPayload is true when the client chose not to sign the body.
	UnsignedPayload bool
	// Path and Query are the part of the request's target that the signature covers:
	// an escaped path and an escaped query, sorted by name and value. One signature
	// may be valid for several spellings of a target, so a request must be read from
	// these and not from the target (see SetTarget). Empty with an error.
	Path, Query string
}

// SetTarget sets the path and query of u to what the signature covers, so that
// different spellings with one valid signature are read as the same request.
func (s Signature) SetTarget(u *url.URL) {
	u.Path, _ = url.PathUnescape(s.Path) // Verify has checked that it is well formed
	u.RawPath, u.RawQuery = s.Path, s.Query
}

// claim is a Signature that is not verified yet, with what is needed to verify it.
// The token is not part of Signature, so that a log of that cannot show it.
type claim struct {
	Signature
	token Secret // the session token the request carries
	value string // the signature itself, as sent
}
