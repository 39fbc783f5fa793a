package sigv4

import (
	"iter"
	"net/url"
	"strings"
)

// canonicalPath returns the canonical path by the contract: normalised, then escaped
// once more (AUTH-73), except that the path of an object is strictly escaped once.
func canonicalPath(path, service string) string {
	if service != objectService {
		return EscapePath(normalPath(path))
	}
	if decoded, err := decodedSegments(path); err == nil {
		return strings.Join(decoded, "/")
	}
	return path
}

// canonicalPaths yields the canonical paths that a client may have signed, likeliest
// first, each with the path that it covers. They are: the one of the contract; the
// same without normalisation, as some SDKs have it; and the singly escaped one
// (AUTH-74). For an object they are: the strictly escaped path; the path as sent;
// and the path with its escaped slashes decoded.
//
// A canonical path must cover exactly one path, whichever form it is taken for:
// otherwise a signature for one request would be valid for another. In the first two
// forms, removing the added escapes gives that path. The third form would be read
// differently only where a name contains a percent sign, and is not tried there. All
// forms of an object's path decode to the same name.
func canonicalPaths(path, service string) iter.Seq2[string, string] {
	return func(yield func(canonical, covered string) bool) {
		if _, err := url.PathUnescape(path); err != nil {
			return // no server passes it on
		}
		if service == objectService {
			canonical := canonicalPath(path, service)
			if !yield(canonical, canonical) || path != canonical && !yield(path, validPath(path)) {
				return
			}
			decoded, _ := url.PathUnescape(path)
			yield(EscapePath(decoded), EscapePath(decoded))
			return
		}
		normal := normalPath(path)
		if !yield(EscapePath(normal), validPath(normal)) {
			return
		}
		if normal != path && !yield(EscapePath(path), validPath(path)) {
			return
		}
		if decoded, err := decodedSegments(normal); err == nil {
			if once := strings.Join(decoded, "/"); !strings.Contains(once, "%25") {
				yield(once, once)
			}
		}
	}
}

// validPath escapes those bytes of an escaped path that should be escaped and are not,
// so that every reader decodes it alike.
func validPath(path string) string {
	b := make([]byte, 0, len(path)+16)
	for i := range len(path) {
		if c := path[i]; strings.IndexByte("/%!$&'()*+,;=:@[]", c) >= 0 {
			b = append(b, c)
		} else {
			b = appendEscapedByte(b, c)
		}
	}
	return string(b)
}

// normalPath removes dot segments and empty segments; it keeps a trailing slash.
func normalPath(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, segment)
		}
	}
	normal := "/" + strings.Join(kept, "/")
	if strings.HasSuffix(path, "/") && len(kept) > 0 {
		normal += "/"
	}
	return normal
}

// decodedSegments returns path's segments decoded and then strictly escaped once.
func decodedSegments(path string) ([]string, error) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			return nil, err
		}
		segments[i] = string(appendEscaped(nil, decoded))
	}
	return segments, nil
}

// EscapePath escapes all bytes but slashes and the unreserved characters, as the path
// of an object is sent and signed.
func EscapePath(path string) string {
	b := make([]byte, 0, len(path)+16)
	for i := range len(path) {
		if path[i] == '/' {
			b = append(b, '/')
		} else {
			b = appendEscaped(b, path[i:i+1])
		}
	}
	return string(b)
}
