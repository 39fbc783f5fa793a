package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sign adds the headers of a signature of c at the instant now to r. body is the whole
// body, nil for none; r.Body is neither read nor set. The signature covers the host,
// the content type and every X-Amz- header, so set those first.
func Sign(r *http.Request, body []byte, c Credential, region, service string, now time.Time) {
	now = now.UTC()
	r.Header.Del("Authorization")
	r.Header.Set("X-Amz-Date", now.Format(TimeFormat))
	if c.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", string(c.SessionToken))
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if payload == "" {
		payload = hexSHA256(body)
	}
	if service == objectService { // S3 requires the header
		r.Header.Set("X-Amz-Content-Sha256", payload)
	}
	scope := Scope{now.Format(dateFormat), region, service}
	names := headersToSign(r.Header)
	path, rawQuery := target(r)
	query := splitParams(rawQuery)
	canonical := canonicalRequest(r.Method, canonicalPath(path, service), canonicalQuery(query), canonicalHeaders(r, names, payload))
	signature := hex.EncodeToString(scope.sign(scope.key(c.Secret), now, canonical))
	r.Header.Set("Authorization", algorithm+" Credential="+c.AccessKeyID+"/"+scope.String()+
		", SignedHeaders="+strings.Join(names, ";")+", Signature="+signature)
}

// headersToSign returns the names of the headers that Sign covers, sorted.
func headersToSign(header http.Header) []string {
	names := []string{"host"}
	for name := range header {
		name = strings.ToLower(name)
		if name == "content-type" || strings.HasPrefix(name, "x-amz-") || strings.HasPrefix(name, "x-amzn-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Presign adds a signature of c to r's query, valid for lifetime from the instant now:
// anybody can then send the request, without a body, to r.URL. Of the headers only
// the host is signed. lifetime is in whole seconds, at least 1 s; zero omits
// X-Amz-Expires. For the service "iotdevicegateway" the signature does not cover the
// session token, as MQTT over WebSocket requires; for "s3" the request may have any
// body.
func Presign(r *http.Request, c Credential, region, service string, lifetime time.Duration, now time.Time) {
	now = now.UTC()
	scope := Scope{now.Format(dateFormat), region, service}
	path, rawQuery := target(r)
	query := splitParams(rawQuery)
	add := func(name, value string) {
		query = append(query, param{name, string(appendEscaped(nil, value))})
	}
	add("X-Amz-Algorithm", algorithm)
	add("X-Amz-Credential", c.AccessKeyID+"/"+scope.String())
	add("X-Amz-Date", now.Format(TimeFormat))
	if lifetime > 0 {
		add("X-Amz-Expires", strconv.FormatInt(int64(lifetime/time.Second), 10))
	}
	add("X-Amz-SignedHeaders", "host")
	if c.SessionToken != "" && service != gatewayService {
		add("X-Amz-Security-Token", string(c.SessionToken))
	}
	payload := hexSHA256(nil)
	if service == objectService {
		payload = unsignedPayload
	}
	signed := canonicalQuery(query)
	canonical := canonicalRequest(r.Method, canonicalPath(path, service), signed, canonicalHeaders(r, []string{"host"}, payload))
	signature := hex.EncodeToString(scope.sign(scope.key(c.Secret), now, canonical))
	r.URL.RawQuery = signed + "&X-Amz-Signature=" + signature
	if c.SessionToken != "" && service == gatewayService {
		r.URL.RawQuery += "&X-Amz-Security-Token=" + string(appendEscaped(nil, string(c.SessionToken)))
	}
}

func hexSHA256(body []byte) string {
	digest := sha256.Sum256(body)
	return hex.EncodeToString(digest[:])
}
