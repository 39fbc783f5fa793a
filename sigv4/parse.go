package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-iot/muster/internal/excerpt"
)

const (
	// MaxLifetime is the longest lifetime of a presigned request; a longer
	// X-Amz-Expires is reduced to it (AUTH-88).
	MaxLifetime = 24 * time.Hour
	// maxObjectLifetime is MaxLifetime for requests scoped to "s3".
	maxObjectLifetime = 7 * 24 * time.Hour
	// defaultLifetime is that of a presigned request without X-Amz-Expires.
	defaultLifetime = 5 * time.Minute

	// Limits on what an unverified request makes the server sort and hash.
	maxSignedHeaders = 100
	maxQueryParams   = 1000
	maxAccessKeyID   = 128
)

// parse reads the signature of a request from its Authorization header or from its
// query, without verifying it. With an error, the claim holds what could be read.
func parse(r *http.Request, query []param) (claim, error) {
	authorizations := r.Header["Authorization"]
	presigned := first(query, "X-Amz-Signature") != nil || first(query, "X-Amz-Algorithm") != nil
	switch {
	case len(authorizations) == 0 && !presigned:
		return claim{}, refuse(MissingAuthenticationToken, "Missing Authentication Token")
	case len(authorizations) > 1 || presigned && len(authorizations) > 0:
		return claim{}, refuse(IncompleteSignature, "Only one authentication mechanism is allowed in a request.")
	case presigned:
		return parseQuery(query)
	}
	return parseHeader(r.Header, authorizations[0])
}

// parseHeader reads the header form (AUTH-70, AUTH-71).
func parseHeader(header http.Header, authorization string) (claim, error) {
	fields := map[string]string{}
	scheme, rest, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	if scheme != algorithm {
		return claim{}, refuse(IncompleteSignature, "Authorization header requires the algorithm %s.", algorithm)
	}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(field), "=")
		if _, twice := fields[name]; !ok || twice || len(fields) == 3 {
			return claim{}, refuse(IncompleteSignature, "Authorization header must be Credential=…, SignedHeaders=…, Signature=…, each once.")
		}
		fields[name] = value
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if fields[name] == "" {
			return claim{}, refuse(IncompleteSignature, "Authorization header requires '%s' parameter.", name)
		}
	}

	s := claim{
		value: fields["Signature"],
		token: Secret(header.Get("X-Amz-Security-Token")),
	}
	var err error
	if s.AccessKeyID, s.Scope, err = parseCredential(fields["Credential"]); err != nil {
		return s, err
	}
	if s.SignedHeaders, err = parseSignedHeaders(fields["SignedHeaders"]); err != nil {
		return s, err
	}
	for _, name := range []string{"X-Amz-Date", "X-Amz-Security-Token"} { // AUTH-76
		if header.Get(name) != "" && !slices.Contains(s.SignedHeaders, strings.ToLower(name)) {
			return s, refuse(IncompleteSignature, "'%s' must be one of the signed headers.", name)
		}
	}
	s.Time, err = parseHeaderTime(header)
	return s, err
}

// parseHeaderTime prefers X-Amz-Date and accepts Date in either notation.
func parseHeaderTime(header http.Header) (time.Time, error) {
	name, value := "X-Amz-Date", header.Get("X-Amz-Date")
	if value == "" {
		name, value = "Date", header.Get("Date")
	}
	if value == "" {
		return time.Time{}, refuse(IncompleteSignature, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	at, err := time.Parse(TimeFormat, value)
	if err != nil && name == "Date" {
		at, err = http.ParseTime(value)
	}
	if err != nil {
		return time.Time{}, refuse(IncompleteSignature, "%s must be in the form yyyymmddThhmmssZ. Got %q.", name, shorten(value))
	}
	return at.UTC(), nil
}

// parseQuery reads the presigned form (identity-and-auth.md C.4).
func parseQuery(query []param) (claim, error) {
	value := map[string]string{}
	for _, p := range query {
		if strings.HasPrefix(p.name, "X-Amz-") {
			if _, twice := value[p.name]; twice {
				return claim{}, refuse(IncompleteSignature, "Query parameter '%s' must appear once.", shorten(p.name))
			}
			value[p.name], _ = url.QueryUnescape(p.value) // p.value is well formed
		}
	}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if value[name] == "" {
			return claim{}, refuse(IncompleteSignature, "AWS query-string parameters must include '%s'.", name)
		}
	}
	if value["X-Amz-Algorithm"] != algorithm {
		return claim{}, refuse(IncompleteSignature, "X-Amz-Algorithm must be %s.", algorithm)
	}

	s := claim{
		Signature: Signature{Presigned: true, Lifetime: defaultLifetime},
		value:     value["X-Amz-Signature"],
		token:     Secret(value["X-Amz-Security-Token"]),
	}
	var err error
	if s.AccessKeyID, s.Scope, err = parseCredential(value["X-Amz-Credential"]); err != nil {
		return s, err
	}
	if s.SignedHeaders, err = parseSignedHeaders(value["X-Amz-SignedHeaders"]); err != nil {
		return s, err
	}
	if s.Time, err = time.Parse(TimeFormat, value["X-Amz-Date"]); err != nil {
		return s, refuse(IncompleteSignature, "X-Amz-Date must be in the form yyyymmddThhmmssZ. Got %q.", shorten(value["X-Amz-Date"]))
	}
	if expires, given := value["X-Amz-Expires"]; given {
		seconds, err := strconv.ParseUint(expires, 10, 32)
		if err != nil || seconds == 0 {
			return s, refuse(IncompleteSignature, "X-Amz-Expires must be a number of seconds, at least 1.")
		}
		longest := MaxLifetime
		if s.Scope.Service == objectService {
			longest = maxObjectLifetime
		}
		s.Lifetime = min(time.Duration(seconds)*time.Second, longest)
	}
	return s, nil
}

// parseCredential splits <key>/<date>/<region>/<service>/aws4_request.
func parseCredential(text string) (string, Scope, error) {
	part := strings.Split(text, "/")
	if len(part) != 5 || slices.Contains(part, "") || len(part[0]) > maxAccessKeyID {
		return "", Scope{}, refuse(IncompleteSignature, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/%s.", terminator)
	}
	scope := Scope{Date: part[1], Region: part[2], Service: part[3]}
	if part[4] != terminator {
		return part[0], scope, refuse(InvalidSignature, "Credential should be scoped with a valid terminator: '%s'.", terminator)
	}
	return part[0], scope, nil
}

// parseSignedHeaders splits a;b;c. Names must be lower case and ascending, as every
// signer writes them, so that no header can be listed twice.
func parseSignedHeaders(text string) ([]string, error) {
	if strings.Count(text, ";") >= maxSignedHeaders {
		return nil, refuse(IncompleteSignature, "SignedHeaders names more than %d headers.", maxSignedHeaders)
	}
	names := strings.Split(text, ";")
	for i, name := range names {
		if name == "" || name != strings.ToLower(name) || i > 0 && names[i-1] >= name {
			return nil, refuse(IncompleteSignature, "SignedHeaders must be lower-case header names in ascending order.")
		}
	}
	if !slices.Contains(names, "host") {
		return nil, refuse(IncompleteSignature, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return names, nil
}

// shorten bounds a text of the request for use in an error text.
func shorten(s string) string { return excerpt.Of(s, 64) }
