package sigv4

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	meaningKey = Credential{AccessKeyID: "A", Secret: "s"}
	meaningNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// read returns how a server reads a request with a valid signature: its segments and
// its parameters, each decoded once, as awsiot/route and net/url do. For an object it
// is the whole path, decoded, as s3api does.
func read(s Signature, u url.URL) string {
	s.SetTarget(&u)
	query := fmt.Sprintf("%q", u.Query())
	if s.Scope.Service == objectService {
		return fmt.Sprintf("%q %s", u.Path, query)
	}
	segments := strings.Split(u.EscapedPath(), "/")
	for i, segment := range segments {
		var err error
		if segments[i], err = url.PathUnescape(segment); err != nil {
			return err.Error()
		}
	}
	return fmt.Sprintf("%q %s", segments, query)
}

// arriving returns a request as net/http passes it to a handler, or false for one that
// it refuses.
func arriving(target, service string) (*http.Request, bool) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, false
	}
	r := &http.Request{Method: "POST", RequestURI: target, URL: u, Host: "h", Header: http.Header{}}
	r.Header.Set("X-Amz-Date", meaningNow.Format(TimeFormat))
	if service == objectService {
		r.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
	}
	return r, true
}

// signers are the ways in which clients make a canonical path and query.
var signers = map[string]func(path, query, service string) (string, string){
	"the contract": func(path, query, service string) (string, string) {
		return canonicalPath(path, service), canonicalQuery(splitParams(query))
	},
	"not normalised": func(path, query, _ string) (string, string) {
		return EscapePath(path), canonicalQuery(splitParams(query))
	},
	"as it stands": func(path, query, _ string) (string, string) {
		return path, canonicalQuery(splitParams(query))
	},
	"singly escaped": func(path, query, _ string) (string, string) {
		decoded, err := decodedSegments(normalPath(path))
		if err != nil {
			return path, canonicalQuery(splitParams(query))
		}
		return strings.Join(decoded, "/"), canonicalQuery(splitParams(query))
	},
	"escaped slashes as slashes": func(path, query, _ string) (string, string) {
		decoded, err := url.PathUnescape(path)
		if err != nil {
			decoded = path
		}
		return EscapePath(decoded), canonicalQuery(splitParams(query))
	},
}

// signedAs makes an Authorization header for any canonical path and query.
func signedAs(r *http.Request, path, query, service string) string {
	payload, names := hexSHA256(nil), []string{"host", "x-amz-date"}
	if service == objectService {
		payload, names = unsignedPayload, []string{"host", "x-amz-content-sha256", "x-amz-date"}
	}
	scope := Scope{meaningNow.Format(dateFormat), "r", service}
	canonical := canonicalRequest(r.Method, path, query, canonicalHeaders(r, names, payload))
	return algorithm + " Credential=A/" + scope.String() + ", SignedHeaders=" + strings.Join(names, ";") +
		", Signature=" + hex.EncodeToString(scope.sign(scope.key(meaningKey.Secret), meaningNow, canonical))
}

func verified(r *http.Request, service string) (Signature, error) {
	v := &Verifier{Region: "r", Services: []string{service}, Lookup: func(string) (Credential, error) { return meaningKey, nil }}
	if service == objectService {
		s, _, err := v.VerifyHead(r, meaningNow)
		return s, err
	}
	return v.Verify(r, nil, meaningNow)
}

// spellings are targets that mean the same or nearly, so that a signature for one of
// them may be valid for another.
func spellings(random *rand.Rand) []string {
	parts := []string{"a", "b", "%61", "%41", "a%2Fb", "a%2fb", "a%252Fb", "a%252fb", "a%25252Fb", "a+b", "a%2Bb", "a%20b", "a%2520b",
		".", "..", "%2e", "%2E%2e", "%252e", "", "", "$next", "%24next", "%2524next", "a;b", "a:b", "a%3Ab", "%25", "%2525", "100%2525", `a"b`, "a%22b", "é", "%C3%A9", "~", "%7E", "%ff"}
	queries := []string{"", "", "?", "?a=1", "?a=1&b=2", "?b=2&a=1", "?a=2&a=1", "?a=1&a=2", "?a", "?a=", "?&a=1", "?%61=1", "?a=%31", "?a=x+y", "?a=x%20y", "?a=x%2By",
		"?a=%2f", "?a=%2F", "?a=%252F", "?a=1;b=2", "?a=1%3Bb%3D2", "?a=%zz", "?a=%25zz", "?a=1%26b=2"}
	var targets []string
	for range 400 {
		segments := []string{""}
		for range 1 + random.IntN(3) {
			segments = append(segments, parts[random.IntN(len(parts))])
		}
		target := strings.Join(segments, "/") + queries[random.IntN(len(queries))]
		targets = append(targets, target, strings.ReplaceAll(target, "%2F", "/"), strings.ReplaceAll(target, "%", "%25"), strings.ReplaceAll(target, "%25", "%"),
			strings.Replace(target, "/", "//", 1), strings.Replace(target, "/", "/./", 1), strings.Replace(target, "/", "/x/../", 1))
	}
	slices.Sort(targets)
	return slices.Compact(targets)
}

// Requests for which one signature is valid are read as the same request.
func TestOneSignatureOneMeaning(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, service := range []string{"iotdata", objectService} {
		meanings, shared := map[string]string{}, 0 // by signature
		for _, target := range spellings(random) {
			r, ok := arriving(target, service)
			if !ok {
				continue
			}
			path, query, _ := strings.Cut(target, "?")
			for name, sign := range signers {
				canonicalPath, canonicalQuery := sign(path, query, service)
				r.Header.Set("Authorization", signedAs(r, canonicalPath, canonicalQuery, service))
				s, err := verified(r, service)
				if err != nil {
					continue
				}
				key, got := canonicalPath+"?"+canonicalQuery, read(s, *r.URL)
				if before, ok := meanings[key]; ok && before != got {
					t.Errorf("%s: %s, signed %s over %s, means %s, and another request that is good for the same signature %s", service, target, name, key, got, before)
				} else if ok {
					shared++
				}
				meanings[key] = got
			}
		}
		if len(meanings) < 500 || shared < 500 {
			t.Errorf("%s: %d signatures were good, and %d again for another spelling; that proves little", service, len(meanings), shared)
		}
	}
}

// What clients are known to send is accepted, and read as they mean it.
func TestSpellingsOfClients(t *testing.T) {
	for name, tt := range map[string]struct{ signer, target, want string }{
		"boto3":                                {"the contract", "/topics/a%2Fb%20c?qos=1&retain=true", `["" "topics" "a/b c"] map["qos":["1"] "retain":["true"]]`},
		"a percent sign in a topic":            {"the contract", "/topics/a%252Fb", `["" "topics" "a%2Fb"] map[]`},
		"a raw dollar sign":                    {"the contract", "/things/lamp/jobs/$next", `["" "things" "lamp" "jobs" "$next"] map[]`},
		"an escaped dollar sign":               {"the contract", "/things/lamp/jobs/%24next", `["" "things" "lamp" "jobs" "$next"] map[]`},
		"normalising what it sends otherwise":  {"the contract", "/things/./lamp//jobs/", `["" "things" "lamp" "jobs" ""] map[]`},
		"not normalising, a topic with a root": {"not normalised", "/topics//a/b", `["" "topics" "" "a" "b"] map[]`},
		"escaping once":                        {"singly escaped", "/topics/a%2Fb%20c", `["" "topics" "a/b c"] map[]`},
		"escaping once, lower-case hex":        {"singly escaped", "/topics/a%2fb", `["" "topics" "a/b"] map[]`},
		"a blank as a plus sign in the query":  {"the contract", "/things?attributeValue=a+b", `["" "things"] map["attributeValue":["a b"]]`},
		"a list in the query, in any order":    {"the contract", "/tags?tagKeys=b&tagKeys=a", `["" "tags"] map["tagKeys":["a" "b"]]`},
		"raw characters that want an escape":   {"the contract", `/topics/a%2F"é`, `["" "topics" "a/\"é"] map[]`},
	} {
		r, ok := arriving(tt.target, "iotdata")
		if !ok {
			t.Fatalf("%s: %s does not arrive", name, tt.target)
		}
		path, query, _ := strings.Cut(tt.target, "?")
		path, query = signers[tt.signer](path, query, "iotdata")
		r.Header.Set("Authorization", signedAs(r, path, query, "iotdata"))
		s, err := verified(r, "iotdata")
		if err != nil {
			t.Errorf("%s: Verify(%s) = %v", name, tt.target, err)
			continue
		}
		if got := read(s, *r.URL); got != tt.want {
			t.Errorf("%s: %s means %s, want %s", name, tt.target, got, tt.want)
		}
	}
}

// The signature for a topic with an escaped slash is not valid for the topic that has
// the escape in its name; this was once a bug.
func TestADoublyEscapedSlashIsAnotherTopic(t *testing.T) {
	r, _ := arriving("/topics/a%2Fb", "iotdata")
	r.Header.Set("Authorization", signedAs(r, canonicalPath("/topics/a%2Fb", "iotdata"), "", "iotdata"))
	for _, target := range []string{"/topics/a%252Fb", "/topics/a/b", "/topics/a%2fb", "/topics/a%25252Fb"} {
		other, _ := arriving(target, "iotdata")
		other.Header = r.Header
		if _, err := verified(other, "iotdata"); err == nil {
			t.Errorf("a signature for /topics/a%%2Fb is good for %s", target)
		}
	}
}
