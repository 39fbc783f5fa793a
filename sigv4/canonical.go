package sigv4

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// A canonical request (AUTH-72) is the one text both sides of a signature build
// from the same request. Everything here reads the request as it stands on the
// wire: decoding a path first would make different requests look alike.

// target splits the request target into its escaped path and its raw query.
func target(r *http.Request) (path, query string) {
	uri := r.RequestURI
	if uri == "" { // a request about to be sent
		uri = r.URL.RequestURI()
	}
	if !strings.HasPrefix(uri, "/") { // absolute form, as sent to a proxy
		if _, rest, ok := strings.Cut(uri, "://"); ok {
			uri = rest[min(strings.IndexAny(rest+"/", "/?"), len(rest)):]
		}
	}
	path, query, _ = strings.Cut(uri, "?")
	if path == "" {
		path = "/"
	}
	return path, query
}

// canonicalHeaders returns everything of the canonical request that follows the
// query: the signed headers, their list and the payload hash.
func canonicalHeaders(r *http.Request, names []string, payloadHash string) []byte {
	b := make([]byte, 0, 512)
	for _, name := range names {
		b = append(b, name...)
		b = append(b, ':')
		b = appendHeader(b, headerValues(r, name))
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, name := range names {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	b = append(b, '\n')
	return append(b, payloadHash...)
}

// HeaderValue returns what a signature covers of the values of one header: other
// values may be good for the same signature.
func HeaderValue(values []string) string { return string(appendHeader(nil, values)) }

func appendHeader(b []byte, values []string) []byte {
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFolded(b, value)
	}
	return b
}

// headerValues looks a signed header up, also where net/http keeps it apart.
func headerValues(r *http.Request, name string) []string {
	switch name {
	case "host":
		return []string{hostOf(r)}
	case "transfer-encoding":
		return r.TransferEncoding
	}
	values := r.Header[textproto.CanonicalMIMEHeaderKey(name)]
	if name == "content-length" && len(values) == 0 && r.ContentLength >= 0 {
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	return values
}

// hostOf returns the host as received, with its port (AUTH-76).
func hostOf(r *http.Request) string {
	if r.Host == "" && r.URL != nil {
		return r.URL.Host
	}
	return r.Host
}

// appendFolded appends a header value trimmed, its runs of blanks made one.
func appendFolded(b []byte, value string) []byte {
	value = strings.Trim(value, " \t")
	blank := false
	for i := range len(value) {
		c := value[i]
		if c == '\t' {
			c = ' '
		}
		if c != ' ' || !blank {
			b = append(b, c)
		}
		blank = c == ' '
	}
	return b
}

// canonicalRequest puts the four parts together.
func canonicalRequest(method, path, query string, headers []byte) []byte {
	b := make([]byte, 0, len(method)+len(path)+len(query)+len(headers)+3)
	b = append(b, method...)
	b = append(b, '\n')
	b = append(b, path...)
	b = append(b, '\n')
	b = append(b, query...)
	b = append(b, '\n')
	return append(b, headers...)
}
