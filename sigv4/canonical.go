package sigv4

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// A canonical request (AUTH-72) is the text that both sides of a signature build
// from the same request. Everything here reads the request as it was sent: decoding
// a path first would make different requests look alike.

// target splits the request target into its escaped path and its raw query.
func target(r *http.Request) (path, query string) {
	uri := r.RequestURI
	if uri == "" { // a request that is to be sent
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

// canonicalHeaders returns the part of the canonical request after the query: the
// signed headers, their list and the hash of the body.
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

// HeaderValue returns what a signature covers of the values of one header, the same
// for all values with which the signature is valid. A header that is signed must be
// read through it.
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

// headerValues returns a signed header, also one that net/http keeps outside of
// Header.
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

// appendFolded appends a header value, trimmed and with each run of blanks replaced
// by one.
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

// canonicalRequest joins the parts.
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
