package s3api

import (
	"slices"
	"strings"

	"github.com/muster-iot/muster/internal/respond"
)

// unambiguous returns an error when a parameter or header that can have one value occurs
// twice: the signature would cover both values, and it would be unclear which one applies.
func (c *call) unambiguous() error {
	if c.query == nil {
		return refuse("InvalidURI", "Couldn't parse the specified URI.")
	}
	seen := map[string]bool{}
	for name, values := range c.query {
		if hoisted(name) {
			name = strings.ToLower(name) // a hoisted header
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

// single reports whether this API reads a header and takes one value from it. The values
// of metadata headers are joined instead, as on S3.
func single(name string) bool {
	return strings.HasPrefix(name, "X-Amz-") && !strings.HasPrefix(name, metadataPrefix) || strings.HasPrefix(name, "If-") ||
		slices.Contains(kept, name) || slices.Contains([]string{"Content-Md5", "Range", "Date"}, name)
}
