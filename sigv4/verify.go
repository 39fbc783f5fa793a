package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// DefaultSkew is how far a client's clock may be off (AUTH-71).
const DefaultSkew = 5 * time.Minute

// DefaultServices returns the services clients sign for (identity-and-auth.md C.2).
// The service a request is scoped to tells the two planes apart.
func DefaultServices() []string {
	return []string{"iot", "iotdata", "iot-jobs-data", "iotjobsdata", gatewayService}
}

// Verifier decides whether requests are signed by the holder of a key. Its
// fields are set once; then it may be used by many goroutines at a time.
type Verifier struct {
	// Lookup returns the credential of an access key, or an error that wraps
	// ErrUnknownKey. It must be safe for concurrent use.
	Lookup func(accessKeyID string) (Credential, error)
	// Region is the region requests must be scoped to, unless AcceptAnyRegion.
	Region          string
	AcceptAnyRegion bool
	// Services are the services requests may be scoped to; nil means DefaultServices.
	Services []string
	// Skew is how far a client's clock may be off; zero means DefaultSkew.
	Skew time.Duration
}

// Verify returns the signature of r when it is genuine at the instant now. body
// is the whole request body, nil when there is none; r.Body is not read. The
// path and query are taken from r.RequestURI as received, and from r.URL only
// when that is empty.
//
// A refusal is an *Error; any other error is a failure of Lookup. Beside either
// the Signature says what could be read, for the log.
func (v *Verifier) Verify(r *http.Request, body []byte, now time.Time) (Signature, error) {
	path, rawQuery := target(r)
	if strings.Count(rawQuery, "&") >= maxQueryParams {
		return Signature{}, refuse(IncompleteSignature, "The query has more than %d parameters.", maxQueryParams)
	}
	query := splitParams(rawQuery)
	s, err := parse(r, query)
	if err != nil {
		return s, err
	}
	if err := v.checkScope(s); err != nil {
		return s, err
	}
	if err := v.checkTime(s, now); err != nil {
		return s, err
	}
	credential, err := v.credential(s, now)
	if err != nil {
		return s, err
	}
	payloadHash, err := payloadHash(r, query, body)
	if err != nil {
		return s, err
	}
	s.UnsignedPayload = payloadHash == unsignedPayload
	if !s.matches(r, path, query, payloadHash, credential.Secret) {
		return s, refuse(InvalidSignature, mismatchText)
	}
	return s, nil
}

// checkScope compares day, region and service with what this server serves.
func (v *Verifier) checkScope(s Signature) error {
	if day := s.Time.Format(dateFormat); s.Scope.Date != day {
		return refuse(InvalidSignature, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s'.", shorten(s.Scope.Date), day)
	}
	if !v.AcceptAnyRegion && s.Scope.Region != v.Region {
		return refuse(InvalidSignature, "Credential should be scoped to a valid region.")
	}
	services := v.Services
	if services == nil {
		services = DefaultServices()
	}
	if !slices.Contains(services, s.Scope.Service) {
		return refuse(InvalidSignature, "Credential should be scoped to correct service: '%s'.", services[0])
	}
	return nil
}

// checkTime holds the request against the clock, with Skew at both ends.
func (v *Verifier) checkTime(s Signature, now time.Time) error {
	skew := v.Skew
	if skew == 0 {
		skew = DefaultSkew
	}
	stamp := func(t time.Time) string { return t.UTC().Format(TimeFormat) }
	if latest := now.Add(skew); s.Time.After(latest) {
		return refuse(InvalidSignature, "Signature not yet current: %s is still later than %s (%s + %s)",
			stamp(s.Time), stamp(latest), stamp(now), minutes(skew))
	}
	if end, earliest := s.Time.Add(s.Lifetime), now.Add(-skew); end.Before(earliest) {
		return refuse(InvalidSignature, "Signature expired: %s is now earlier than %s (%s - %s)",
			stamp(end), stamp(earliest), stamp(now), minutes(skew))
	}
	return nil
}

func minutes(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min.", d/time.Minute)
	}
	return d.String()
}

// credential looks the access key up and holds the session token against it.
func (v *Verifier) credential(s Signature, now time.Time) (Credential, error) {
	c, err := v.Lookup(s.AccessKeyID)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return c, refuse(UnrecognizedClient, invalidTokenText)
	case err != nil:
		return c, fmt.Errorf("look up access key: %w", err)
	case !c.SessionToken.Equal(s.token):
		return c, refuse(UnrecognizedClient, invalidTokenText)
	case !c.Expires.IsZero() && !now.Before(c.Expires):
		return c, refuse(ExpiredToken, expiredTokenText)
	}
	return c, nil
}

// payloadHash returns the hash the client signed, after comparing a stated one
// with the body (AUTH-77).
func payloadHash(r *http.Request, query []param, body []byte) (string, error) {
	stated := r.Header.Get("X-Amz-Content-Sha256")
	if p := first(query, "X-Amz-Content-Sha256"); p != nil && stated == "" {
		stated = p.value
	}
	if stated == unsignedPayload {
		return stated, nil
	}
	if strings.HasPrefix(stated, "STREAMING-") {
		return "", refuse(InvalidSignature, "Chunked signing (%s) is not supported here. Sign the whole body.", shorten(stated))
	}
	actual := hexSHA256(body)
	if stated != "" && !strings.EqualFold(stated, actual) {
		return "", refuse(InvalidSignature, "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	if stated != "" {
		return stated, nil
	}
	return actual, nil
}

// matches tries the canonical forms that a client may have signed. They describe
// the same request, so trying several does not weaken the proof.
func (s Signature) matches(r *http.Request, path string, query []param, payloadHash string, secret Secret) bool {
	want, err := hex.DecodeString(s.value)
	if err != nil || len(want) != sha256.Size {
		return false
	}
	var queries []string
	if s.Presigned && s.Scope.Service == gatewayService && s.token != "" { // AUTH-85
		queries = append(queries, canonicalQuery(query, "X-Amz-Signature", "X-Amz-Security-Token"))
	}
	if s.Presigned {
		queries = append(queries, canonicalQuery(query, "X-Amz-Signature"))
	} else {
		queries = append(queries, canonicalQuery(query))
	}

	key := s.Scope.key(secret)
	headers := canonicalHeaders(r, s.SignedHeaders, payloadHash)
	for path := range canonicalPaths(path) {
		for _, query := range queries {
			if hmac.Equal(want, s.Scope.sign(key, s.Time, canonicalRequest(r.Method, path, query, headers))) {
				return true
			}
		}
	}
	return false
}
