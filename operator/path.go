package operator

import (
	"net/url"
	"strings"
)

// match reports whether an escaped path fits a template, and returns the decoded segments
// for the template's names in braces.
func match(template, path string) (names map[string]string, ok bool) {
	names = map[string]string{}
	for {
		want, moreWanted := next(&template)
		got, more := next(&path)
		if more != moreWanted {
			return nil, false
		}
		if name, isName := strings.CutPrefix(want, "{"); isName {
			decoded, err := url.PathUnescape(got)
			if err != nil || decoded == "" {
				return nil, false
			}
			names[strings.TrimSuffix(name, "}")] = decoded
		} else if want != got {
			return nil, false
		}
		if !more {
			return names, true
		}
	}
}

// next cuts the first segment off a path, and reports whether others follow.
func next(path *string) (segment string, more bool) {
	segment, *path, more = strings.Cut(*path, "/")
	return segment, more
}
