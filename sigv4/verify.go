package sigv4

import (
	"cmp"
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

// DefaultSkew is how far a client's clock may deviate, either way (AUTH-71).
const DefaultSkew = 5 * time.Minute

// defaultServices are the services that clients sign for (identity-and-auth.md C.2).
// The service in the scope of a request tells the control plane from the data plane.
var defaultServices = []string{"iot", controlService, dataService, "iot-jobs-data", "iotjobsdata", gatewayService}

// Verifier decides whether requests are signed by the holder of an access key. Its
// fields are set once; then it may be used by many goroutines.
type Verifier struct {
	// Lookup returns the credential of an access key, or an error that wraps
	// ErrUnknownKey. It must be safe for concurrent use.
	Lookup func(accessKeyID string) (Credential, error)
	// Region is the region requests must be scoped to, unless AcceptAnyRegion.
	Region          string
	AcceptAnyRegion bool
	// Services are the services requests may be scoped to, unless AcceptAnyService;
	// nil means those of identity-and-auth.md C.2.
	Services         []string
	AcceptAnyService bool
	// Skew is how far a client's clock may deviate; zero means DefaultSkew.
	Skew time.Duration

	keys signingKeys
}

// Verify returns the signature of r when it is valid at the instant now. body is the
// whole request body, nil when there is none; r.Body is not read. The path and query
// are those of r.RequestURI as received, and of r.URL only when that is empty.
//
// A refusal is an *Error; any other error is one of Lookup. With an error, the
// Signature holds what could be read, for a log.
func (v *Verifier) Verify(r *http.Request, body []byte, now time.Time) (Signature, error) {
	h, err := v.Head(r, now)
	if err == nil {
		err = h.Verify(body)
	}
	return h.Signature, err
}

// Head is a request whose head was verified. Its Verify completes that with the
// body.
type Head struct {
	Signature
	// Genuine says that the signature is valid: it covers the hash of the body that the
	// head states, or leaves the body open (UnsignedPayload). When it is false, the
	// head states no hash: the access key is known and the time is right, but the
	// signature cannot be checked without the body.
	Genuine bool

	stated string                         // hash of the body; empty: none is stated
	match  func(payloadHash string) error // sets Path and Query
}

// Head is the first part of Verify, for a server that decides by the head whether to
// read the body. It fails as Verify does, and then also returns what could be read.
func (v *Verifier) Head(r *http.Request, now time.Time) (*Head, error) {
	path, rawQuery := target(r)
	c, query, err := v.read(r, rawQuery)
	h := &Head{Signature: c.Signature}
	if err != nil {
		return h, err
	}
	credential, err := v.checkClaim(c, now)
	if err != nil {
		return h, err
	}
	if h.stated, err = statedHash(r, query); err != nil {
		return h, err
	}
	h.UnsignedPayload = h.stated == unsignedPayload
	h.match = func(payloadHash string) error {
		verified, _, err := v.verifyClaim(c, r, path, query, payloadHash, credential.Secret)
		h.Path, h.Query = verified.Path, verified.Query
		return err
	}
	if h.stated == "" {
		return h, nil
	}
	err = h.match(h.stated)
	h.Genuine = err == nil
	return h, err
}

// Verify is the second part: it returns nil when body, the whole body or nil for none,
// is the one that was signed.
func (h *Head) Verify(body []byte) error {
	if h.UnsignedPayload {
		return nil
	}
	actual := hexSHA256(body)
	switch {
	case h.Genuine && strings.EqualFold(h.stated, actual):
		return nil
	case h.Genuine:
		return refuse(InvalidSignature, "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	err := h.match(actual)
	h.Genuine = err == nil
	return err
}

// read returns the unverified signature of a request, and its query.
func (v *Verifier) read(r *http.Request, rawQuery string) (claim, []param, error) {
	if strings.Count(rawQuery, "&") >= maxQueryParams {
		return claim{}, nil, refuse(IncompleteSignature, "The query has more than %d parameters.", maxQueryParams)
	}
	query := splitParams(rawQuery)
	c, err := parse(r, query)
	return c, query, err
}

// checkClaim checks everything of a claim but the signature itself, and returns its
// credential.
func (v *Verifier) checkClaim(c claim, now time.Time) (Credential, error) {
	if err := v.checkScope(c.Signature); err != nil {
		return Credential{}, err
	}
	check := v.checkTime
	if c.Scope.Service == objectService {
		check = v.checkObjectTime
	}
	if err := check(c.Signature, now); err != nil {
		return Credential{}, err
	}
	return v.credential(c, now)
}

// checkScope checks the day, region and service of the scope.
func (v *Verifier) checkScope(s Signature) *Error {
	if day := s.Time.Format(dateFormat); s.Scope.Date != day {
		return refuse(InvalidSignature, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s'.", shorten(s.Scope.Date), day)
	}
	if !v.AcceptAnyRegion && s.Scope.Region != v.Region {
		return refuse(InvalidSignature, "Credential should be scoped to a valid region.")
	}
	services := v.Services
	if services == nil {
		services = defaultServices
	}
	if !v.AcceptAnyService && !slices.Contains(services, s.Scope.Service) {
		return refuse(InvalidSignature, "Credential should be scoped to correct service: '%s'.", services[0])
	}
	return nil
}

// checkTime checks the time of the request against the clock, with Skew at both ends.
func (v *Verifier) checkTime(s Signature, now time.Time) error {
	skew := cmp.Or(v.Skew, DefaultSkew)
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

// checkObjectTime is checkTime by the rules of S3: Skew does not extend the lifetime
// of a presigned request.
func (v *Verifier) checkObjectTime(s Signature, now time.Time) error {
	skew := cmp.Or(v.Skew, DefaultSkew)
	switch {
	case s.Presigned && now.After(s.Time.Add(s.Lifetime)):
		return refuse(RequestExpired, "Request has expired")
	case s.Presigned && s.Time.After(now.Add(skew)):
		return refuse(RequestExpired, "Request is not valid yet")
	case !s.Presigned && (s.Time.After(now.Add(skew)) || s.Time.Before(now.Add(-skew))):
		return refuse(RequestSkewed, "The difference between the request time and the current time is too large.")
	}
	return nil
}

func minutes(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min.", d/time.Minute)
	}
	return d.String()
}

// credential looks up the access key and compares its session token.
func (v *Verifier) credential(c claim, now time.Time) (Credential, error) {
	found, err := v.Lookup(c.AccessKeyID)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return found, refuse(UnrecognizedClient, invalidTokenText)
	case err != nil:
		return found, fmt.Errorf("look up access key: %w", err)
	case !found.SessionToken.Equal(c.token):
		return found, refuse(UnrecognizedClient, invalidTokenText)
	case !found.Expires.IsZero() && !now.Before(found.Expires):
		return found, refuse(ExpiredToken, expiredTokenText)
	}
	return found, nil
}

// statedHash returns the hash of the body that the head states, unsignedPayload, or ""
// for none (AUTH-77).
func statedHash(r *http.Request, query []param) (string, error) {
	stated := r.Header.Get("X-Amz-Content-Sha256")
	if p := first(query, "X-Amz-Content-Sha256"); p != nil && stated == "" {
		stated = p.value
	}
	if strings.HasPrefix(stated, "STREAMING-") {
		return "", refuse(InvalidSignature, "Chunked signing (%s) is not supported here. Sign the whole body.", shorten(stated))
	}
	return stated, nil
}

// verifyClaim is claim.verified with the key derived from secret, which it also returns.
func (v *Verifier) verifyClaim(c claim, r *http.Request, path string, query []param, payloadHash string, secret Secret) (Signature, []byte, error) {
	key, remembered := v.keys.find(secret, c.Scope)
	verified, err := c.verified(r, path, query, payloadHash, key)
	if err == nil && !remembered {
		v.keys.remember(secret, c.Scope, key)
	}
	return verified, key, err
}

// verified returns the claim's signature with the target that it covers, when key made
// it. It tries the canonical forms that a client may have signed. Each canonical
// request stands for exactly one target whatever form it comes from, so trying
// several does not weaken the verification.
func (c claim) verified(r *http.Request, path string, query []param, payloadHash string, key []byte) (Signature, error) {
	want, err := hex.DecodeString(c.value)
	if err != nil || len(want) != sha256.Size {
		return c.Signature, refuse(InvalidSignature, mismatchText)
	}
	var queries []string
	if c.Presigned && (c.Scope.Service == gatewayService || c.Scope.Service == dataService) && c.token != "" { // AUTH-85
		queries = append(queries, canonicalQuery(query, "X-Amz-Signature", "X-Amz-Security-Token"))
	}
	if c.Presigned {
		queries = append(queries, canonicalQuery(query, "X-Amz-Signature"))
	} else {
		queries = append(queries, canonicalQuery(query))
	}

	headers := canonicalHeaders(r, c.SignedHeaders, payloadHash)
	for canonical, covered := range canonicalPaths(path, c.Scope.Service) {
		for _, query := range queries {
			if hmac.Equal(want, c.Scope.sign(key, c.Time, canonicalRequest(r.Method, canonical, query, headers))) {
				c.Path, c.Query = covered, query
				return c.Signature, nil
			}
		}
	}
	return c.Signature, refuse(InvalidSignature, mismatchText)
}
