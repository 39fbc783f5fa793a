// Package foreign answers clients of AWS services other than IoT. From a request
// alone it finds out which protocol the client speaks and which service and
// operation it wants, and it writes errors in the form that this client reads. It
// does not decide whether a request is genuine, nor what is served.
package foreign

import (
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/muster-iot/muster/sigv4"
)

// Protocol is how the clients of a service write requests and read answers.
type Protocol string

// The protocols of AWS.
const (
	RESTJSON Protocol = "rest-json"
	JSON     Protocol = "json"               // the operation is in X-Amz-Target
	CBOR     Protocol = "smithy-rpc-v2-cbor" // the operation is in the path
	Query    Protocol = "query"              // the operation is the parameter Action; answers are XML
	EC2      Protocol = "ec2"                // like Query, with another form of errors
	RESTXML  Protocol = "rest-xml"           // errors as in Query
	S3       Protocol = "s3"                 // like RESTXML, with another form of errors
)

// named are the services whose protocol cannot be seen in a request.
var named = map[string]Protocol{
	"ec2": EC2, "s3": S3, "s3express": S3, "s3-object-lambda": S3, "s3-outposts": S3, "cloudfront": RESTXML, "route53": RESTXML,
}

// Request is what a request for another service says about itself.
type Request struct {
	Service  string // as the client signed, "" when it did not sign
	Protocol Protocol

	operation string
	json      string // type of the bodies in JSON
}

// Of returns what r says about itself if it is for another service, and nil if it is
// for AWS IoT. It is for another service if it claims to be signed for one, or if it
// is not signed and a call of the Query protocol, which AWS IoT does not have.
// Nothing of it is verified yet.
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

// Call returns the operation that a request names, "" if it names none, and the
// version of its API, which only requests of the Query protocols have. query and
// body are those of the request.
func (q *Request) Call(query url.Values, body []byte) (operation, version string) {
	if q.Protocol != Query && q.Protocol != EC2 {
		return q.operation, ""
	}
	form, _ := url.ParseQuery(string(body)) // as much as can be parsed
	for name, values := range query {
		if !form.Has(name) {
			form[name] = values
		}
	}
	return form.Get("Action"), form.Get("Version")
}
