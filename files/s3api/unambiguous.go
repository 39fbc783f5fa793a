package s3api

import (
	"slices"
	"strings"

	"github.com/muster-iot/muster/internal/respond"
)

// unambiguous returns an error when the request says something twice that can
// have one value: a signature would cover both, and which of them counts would
// be anyone's guess.
func (c *call) unambiguous() error {
	if c.query == nil {
		return refuse("InvalidURI", "Couldn't parse the specified URI.")
	}
	seen := map[string]bool{}
	for name, values := range c.query {
		if hoisted(name) {
			name = strings.ToLower(name) // it is a header
		}
		if len(values) > 1 || seen[name] {
			return refuse("InvalidArgument", "The parameter %s stands in the query more than once", respond.Clip(name))
		}
		seen[name] = true
	}
	for name, values := range c.r.Header {
		if len(values) > 1 && single(name) {
			return refuse("InvalidRequest", "The header %s stands in the request more than once", respond.Clip(name))
		}
	}
	return nil
}

// single reports whether this API reads a header that has one value. The values
// of an object's own metadata are joined, as S3 does.
func single(name string) bool {
	return strings.HasPrefix(name, "X-Amz-") && !strings.HasPrefix(name, metadataPrefix) || strings.HasPrefix(name, "If-") ||
		slices.Contains(kept, name) || slices.Contains([]string{"Content-Md5", "Range", "Date"}, name)
}
