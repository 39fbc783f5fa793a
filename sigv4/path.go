package sigv4

import (
	"iter"
	"net/url"
	"strings"
)

// canonicalPath is the contract's: normalised, then escaped once more (AUTH-73),
// except that the path of an object is strictly escaped once.
func canonicalPath(path, service string) string {
	if service != objectService {
		return EscapePath(normalPath(path))
	}
	if decoded, err := decodedSegments(path); err == nil {
		return strings.Join(decoded, "/")
	}
	return path
}

// canonicalPaths yields the paths a client may have signed, likeliest first: the
// contract's; the same not normalised, as some SDKs do; and the singly escaped
// one (AUTH-74). Of an object's, it is the strictly escaped one, the one that was
// sent, and the one whose escaped slashes are slashes.
func canonicalPaths(path, service string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if service == objectService {
			if !yield(canonicalPath(path, service)) || !yield(path) {
				return
			}
			if decoded, err := url.PathUnescape(path); err == nil {
				yield(EscapePath(decoded))
			}
			return
		}
		normal := normalPath(path)
		if !yield(EscapePath(normal)) {
			return
		}
		if normal != path && !yield(EscapePath(path)) {
			return
		}
		if decoded, err := decodedSegments(normal); err == nil {
			yield(strings.Join(decoded, "/"))
		}
	}
}

// normalPath removes dot segments and empty segments; a trailing slash stays.
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

// EscapePath escapes everything but slashes and the unreserved characters, as the
// path of an object is written on the wire and signed.
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
