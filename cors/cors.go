// Package cors lets pages in a browser call an HTTP API from the origins that its
// operator lists, by the CORS protocol (Fetch standard): it answers preflight
// requests, and marks answers, errors included, as readable by the page. It never
// lets a browser send its own credentials, such as cookies or client certificates:
// the page signs its requests. It does not decide which paths there are.
package cors

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Everyone stands for all origins in a list.
const Everyone = "*"

// Rules are the listed origins. They are immutable; the zero value lists none.
type Rules struct {
	everyone bool
	origins  []string // as browsers send them
}

// Parse returns rules that list the given origins: Everyone alone, or each a scheme, a
// host and perhaps a port, such as https://fleet.example.com or http://localhost:5173.
// An empty list is allowed. The error is a sentence for an operator.
func Parse(origins []string) (Rules, error) {
	if len(origins) > 1 && slices.Contains(origins, Everyone) {
		return Rules{}, fmt.Errorf("%s lists every origin, so it goes without others", Everyone)
	}
	rules := Rules{origins: slices.Clone(origins)}
	for _, origin := range origins {
		if origin == Everyone {
			return Rules{everyone: true}, nil
		}
		if err := check(origin); err != nil {
			return Rules{}, err
		}
	}
	return rules, nil
}

var hostForm = regexp.MustCompile(`^([a-z0-9_-]+\.)*[a-z0-9_-]+$`)

// check returns an error unless origin has the form in which browsers send it, since
// origins are compared byte by byte.
func check(origin string) error {
	u, err := url.Parse(origin)
	switch {
	case origin == "":
		return errors.New("an origin is empty; one is such as https://fleet.example.com")
	case origin == "null":
		return errors.New("null is the origin of every page that has none, such as a file, so listing it lets in pages of anyone; serve the page from an origin of its own")
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Contains(origin, "*"):
		return fmt.Errorf("%q is no origin, which is https:// or http://, one host and perhaps a port, such as https://fleet.example.com", origin)
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if ip := net.ParseIP(host); ip != nil && strings.Contains(host, ":") {
		host = "[" + ip.String() + "]"
	} else if !hostForm.MatchString(host) {
		return fmt.Errorf("%q has no host that a browser sends; one of other letters is sent in its form that begins with xn--", origin)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if port != "" && err != nil {
		return fmt.Errorf("%q has a port beyond 65535", origin)
	}
	sent := u.Scheme + "://" + host
	if standard := map[string]uint64{"https": 443, "http": 80}[u.Scheme]; port != "" && number != standard {
		sent += ":" + strconv.FormatUint(number, 10)
	}
	if origin != sent {
		return fmt.Errorf("%q is not how browsers send that origin; write %s", origin, sent)
	}
	return nil
}

// Off reports whether no origin is listed.
func (r Rules) Off() bool { return !r.everyone && len(r.origins) == 0 }

// Admits reports whether a request names exactly one origin and it is listed.
func (r Rules) Admits(request http.Header) bool {
	origin := request["Origin"]
	return len(origin) == 1 && (r.everyone || slices.Contains(r.origins, origin[0]))
}

// IsPreflight reports whether r is a preflight request, by which a browser asks whether
// a page may send a request.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// exposed are the headers of answers that a page may read in addition to the safelisted
// ones: those from which the SDKs make errors, the date, from which they notice that
// their clock is wrong, and those that carry results.
const exposed = "x-amzn-RequestId, x-amzn-ErrorType, Date, ETag, Preference-Applied, Retry-After"

// Mark adds to answer the headers that let the page read it, after Admits reported true
// for request.
func (r Rules) Mark(request, answer http.Header) {
	r.allow(request, answer)
	answer.Add("Vary", "Origin")
	answer.Set("Access-Control-Expose-Headers", exposed)
}

// maxAge is how long a browser may cache the answer to a preflight; Chromium caches no
// longer. Each answer is marked separately, so that a page whose origin is no longer
// listed can read nothing even while its preflight is cached.
const maxAge = 2 * time.Hour

// Preflight adds to answer the headers that permit the page to send requests with the
// given methods and with all headers that the browser asks for, after Admits reported
// true for request. Headers need no list, because a signature covers those that matter.
func (r Rules) Preflight(request, answer http.Header, methods []string) {
	r.allow(request, answer)
	answer.Add("Vary", "Origin, Access-Control-Request-Headers")
	answer.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	if names := asked(request["Access-Control-Request-Headers"]); len(names) > 0 {
		answer.Set("Access-Control-Allow-Headers", strings.Join(names, ", "))
	}
	answer.Set("Access-Control-Max-Age", strconv.Itoa(int(maxAge/time.Second)))
}

func (r Rules) allow(request, answer http.Header) {
	origin := Everyone
	if !r.everyone {
		origin = request.Get("Origin")
	}
	answer.Set("Access-Control-Allow-Origin", origin)
}

// askedMax bounds the headers that a preflight is permitted, at about five times what
// an SDK sends.
const askedMax = 64

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// asked returns the valid names of headers in the values of
// Access-Control-Request-Headers.
func asked(values []string) []string {
	var names []string
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			if len(names) == askedMax {
				return names
			}
			if name = strings.Trim(name, " \t"); nameForm.MatchString(name) {
				names = append(names, name)
			}
		}
	}
	return names
}
