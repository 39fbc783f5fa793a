package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// IsIoT reports whether service is one of those that clients of AWS IoT sign for
// (identity-and-auth.md C.2).
func IsIoT(service string) bool { return slices.Contains(defaultServices, service) }

// IsControlPlane reports whether service is either name of the control plane of AWS
// IoT.
func IsControlPlane(service string) bool { return service == "iot" || service == controlService }

// ClaimedService returns the service that r says it is signed for, "" when r has no
// well-formed signature. It is not verified: use it to choose the API that then
// verifies the signature.
func ClaimedService(r *http.Request) string {
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		rest, ok := strings.CutPrefix(authorization, algorithm+" ")
		_, rest, found := strings.Cut(rest, "Credential=")
		if !ok || !found {
			return ""
		}
		credential, _, _ := strings.Cut(rest, ",")
		return scopedService(strings.TrimSpace(credential))
	}
	_, rawQuery := target(r)
	if rawQuery == "" || strings.Count(rawQuery, "&") >= maxQueryParams {
		return ""
	}
	credential := first(splitParams(rawQuery), "X-Amz-Credential")
	if credential == nil {
		return ""
	}
	decoded, _ := url.QueryUnescape(credential.value) // it is well formed
	return scopedService(decoded)
}

// scopedService returns the service of <key>/<date>/<region>/<service>/aws4_request.
func scopedService(credential string) string {
	rest, ok := strings.CutSuffix(credential, "/"+terminator)
	if !ok || strings.Count(rest, "/") != 3 {
		return ""
	}
	return rest[strings.LastIndexByte(rest, '/')+1:]
}
