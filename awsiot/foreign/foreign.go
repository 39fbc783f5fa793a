// Package foreign speaks to clients of other services of AWS than IoT: it finds
// out from a request alone which protocol its client speaks, which service and
// operation it asks for, and writes errors in the form that this client reads. It
// never decides whether a request is genuine or what is served.
package foreign

import (
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/muster-iot/muster/sigv4"
)

// Protocol is how the clients of a service put requests and read answers.
type Protocol string

// The protocols of AWS.
const (
	RESTJSON Protocol = "rest-json"
	JSON     Protocol = "json"               // the operation is in X-Amz-Target
	CBOR     Protocol = "smithy-rpc-v2-cbor" // the operation is in the path
	Query    Protocol = "query"              // the operation is the parameter Action; answers are XML
	EC2      Protocol = "ec2"                // the same with errors of its own
	RESTXML  Protocol = "rest-xml"           // errors as in Query
	S3       Protocol = "s3"                 // rest-xml with errors of its own
)

// named are the services whose protocol does not show in a request.
var named = map[string]Protocol{
	"ec2": EC2, "s3": S3, "s3express": S3, "s3-object-lambda": S3, "s3-outposts": S3, "cloudfront": RESTXML, "route53": RESTXML,
}

// Request is what a request for another service tells of itself.
type Request struct {
	Service  string // as the client signed, "" when it did not sign
	Protocol Protocol

	operation string
	json      string // type of the bodies in JSON
}

// Of returns what r tells of itself when it is for another service: when it says
// that it is signed for one, or is not signed and a call of the Query protocol,
// which AWS IoT does not have. Otherwise it returns nil. Nothing is proven yet.
func Of(r *http.Request) *Request {
	service := sigv4.ClaimedService(r)
	if sigv4.IsIoT(service) {
		return nil
	}
	if service == "" && (r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Authorization") != "" || !isForm(r.Header)) {
		return nil
	}
	q := &Request{Service: service, Protocol: protocolOf(service, r.Header, r.URL.Query()), json: "application/json"}
	if sent := r.Header.Get("Content-Type"); sent == "application/x-amz-json-1.0" || sent == "application/x-amz-json-1.1" {
		q.json = sent
	}
	switch q.Protocol {
	case JSON:
		target := r.Header.Get("X-Amz-Target")
		q.operation = target[strings.LastIndexByte(target, '.')+1:]
	case CBOR:
		q.operation = path.Base(r.URL.Path)
	}
	return q
}

// protocolOf returns the protocol of a request for service.
func protocolOf(service string, header http.Header, query url.Values) Protocol {
	if p, ok := named[service]; ok {
		return p
	}
	switch {
	case header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		return CBOR
	case header.Get("X-Amz-Target") != "":
		return JSON
	case isForm(header), query.Has("Action"):
		return Query
	}
	return RESTJSON
}

func isForm(header http.Header) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return kind == "application/x-www-form-urlencoded"
}

// Call returns the operation that a request names, "" when it does not, and the
// version of the API that it is of, which only the Query protocol tells. body is
// that of the request, and query its query.
func (q *Request) Call(query url.Values, body []byte) (operation, version string) {
	if q.Protocol != Query && q.Protocol != EC2 {
		return q.operation, ""
	}
	form, _ := url.ParseQuery(string(body)) // what can be read of it
	for name, values := range query {
		if !form.Has(name) {
			form[name] = values
		}
	}
	return form.Get("Action"), form.Get("Version")
}
