package iotpolicy

import "strings"

// otherSpelling returns the second name of a resource, or "" when it has only one. A
// shared subscription "$share/<group>/<filter>" receives the messages of <filter>, so
// policies about that filter apply to it as well (identity-and-auth.md B.4). No other
// resource has two names: topic names, filters with wildcards and $next are compared as
// text (AUTH-65).
func otherSpelling(names [2]string, resource string) string {
	if names[0] != Subscribe && names[1] != Subscribe {
		return ""
	}
	parts := strings.SplitN(resource, ":", arnParts)
	if len(parts) < arnParts {
		return ""
	}
	shared, ok := strings.CutPrefix(parts[arnParts-1], "topicfilter/$share/")
	if !ok {
		return ""
	}
	_, filter, _ := strings.Cut(shared, "/")
	parts[arnParts-1] = "topicfilter/" + filter
	return strings.Join(parts, ":")
}
