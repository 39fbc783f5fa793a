package s3api

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/internal/respond"
	"github.com/muster-iot/muster/sigv4"
)

// URLs presigned with signature version 2 of S3 are still the default of `aws s3 presign`
// of AWS CLI 1 and of boto3. They are accepted for objects only, and for no longer than
// those of version 4.

// isLegacy reports whether a query is presigned with version 2.
func isLegacy(query url.Values) bool {
	return query.Has("AWSAccessKeyId") && query.Has("Signature") && query.Has("Expires")
}

// legacyParameters are the parameters that the signature covers: all that choose or
// change an operation on an object.
var legacyParameters = []string{
	"partNumber", "response-cache-control", "response-content-disposition", "response-content-encoding",
	"response-content-language", "response-content-type", "response-expires", "tagging", "uploadId", "uploads", "versionId",
}

// verifyLegacy is sigv4.Verifier.VerifyHead for such a URL.
func (s *Server) verifyLegacy(c *call, now time.Time) (sigv4.Signature, *sigv4.Body, error) {
	claimed := sigv4.Signature{AccessKeyID: c.query.Get("AWSAccessKeyId"), Presigned: true, UnsignedPayload: true}
	if c.key == "" || c.r.Header.Get("Authorization") != "" {
		return claimed, nil, refuse("AccessDenied", "Only objects can be had with a URL that is presigned with signature version 2.")
	}
	for name := range c.query {
		if !signing(name) && !slices.Contains(legacyParameters, name) {
			return claimed, nil, refuse("AccessDenied", "The parameter %s is no part of what signature version 2 signs", respond.Clip(name))
		}
	}
	if name, ok := legible(c.query); !ok {
		return claimed, nil, refuse("AccessDenied", "The value of the parameter %s reads like several in what signature version 2 signs", respond.Clip(name))
	}
	credential, err := s.o.Keys.Lookup(claimed.AccessKeyID)
	token := sigv4.Secret(c.query.Get("x-amz-security-token"))
	switch {
	case errors.Is(err, sigv4.ErrUnknownKey), err == nil && !credential.SessionToken.Equal(token):
		return claimed, nil, refuse("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	case err != nil:
		return claimed, nil, err
	case !credential.Expires.IsZero() && !now.Before(credential.Expires):
		return claimed, nil, refuse("ExpiredToken", "The provided token has expired.")
	}
	expires, err := strconv.ParseInt(c.query.Get("Expires"), 10, 64)
	switch end := time.Unix(expires, 0); {
	case err != nil || now.Add(files.LifeMax+skew).Before(end):
		return claimed, nil, refuse("AccessDenied", "Expires must be a number of seconds since the epoch, at most a week ahead.")
	case now.After(end):
		return claimed, nil, refuse("AccessDenied", "Request has expired")
	}
	mac := hmac.New(sha1.New, []byte(credential.Secret))
	mac.Write([]byte(legacyText(c)))
	given, err := base64.StdEncoding.DecodeString(c.query.Get("Signature"))
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return claimed, nil, refuse("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	}
	return claimed, sigv4.UnverifiedBody(&http.Request{}), nil
}

// legible reports whether the signed text of such a URL can be read in one way only.
// Values are not escaped in it, so that a value could look like the next line or the next
// parameter. Then legible returns the name of its parameter and false.
func legible(query url.Values) (name string, ok bool) {
	for name, values := range query {
		for _, value := range values {
			next := func(other string) bool { return strings.Contains(value, "&"+other) }
			if strings.ContainsAny(value, "\r\n") || slices.ContainsFunc(legacyParameters, next) {
				return name, false
			}
		}
	}
	return "", true
}

// legacyText returns the text that such a URL signs. Signed headers may be in its query
// instead of the head.
func legacyText(c *call) string {
	headers := map[string]string{}
	for name, values := range c.query {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	for name, values := range c.r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	var b strings.Builder
	for _, part := range []string{c.r.Method, headers["content-md5"], headers["content-type"], c.query.Get("Expires")} {
		b.WriteString(part + "\n")
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if strings.HasPrefix(name, "x-amz-") {
			b.WriteString(name + ":" + headers[name] + "\n")
		}
	}

	path := c.r.URL.EscapedPath()
	if c.r.URL.Path == "/"+c.key { // the bucket is in the host
		path = "/" + c.bucket + path
	}
	b.WriteString(path)
	separator := "?"
	for _, name := range legacyParameters {
		if !c.query.Has(name) {
			continue
		}
		b.WriteString(separator + name)
		if value := c.query.Get(name); value != "" {
			b.WriteString("=" + value)
		}
		separator = "&"
	}
	return b.String()
}
