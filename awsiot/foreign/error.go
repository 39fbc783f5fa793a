package foreign

import (
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/muster-iot/muster/internal/respond"
)

// Unserved is the name, in the JSON protocols, of the error for a service or an
// operation that is not served. Name returns the name in the other protocols.
const Unserved = "UnknownOperationException"

// words are the names of errors in the XML protocols where they differ from those in
// the JSON protocols: first that of Query and EC2, then that of S3. An error without
// a row has the same name without "Exception".
var words = map[string][2]string{
	Unserved:                              {"InvalidAction", "NotImplemented"},
	"MissingAuthenticationTokenException": {"MissingAuthenticationToken", "AccessDenied"},
	"IncompleteSignatureException":        {"IncompleteSignature", "AuthorizationHeaderMalformed"},
	"UnrecognizedClientException":         {"InvalidClientTokenId", "InvalidAccessKeyId"},
	"InvalidSignatureException":           {"SignatureDoesNotMatch", "SignatureDoesNotMatch"},
	"InvalidCredentialScope":              {"SignatureDoesNotMatch", "AuthorizationHeaderMalformed"},
	"RequestExpired":                      {"RequestExpired", "AccessDenied"},
	"UnsignedHeader":                      {"IncompleteSignature", "AccessDenied"},
	"InternalFailureException":            {"InternalFailure", "InternalError"},
	"InvalidRequestException":             {"ValidationError", "InvalidRequest"},
}

// statuses are those of Unserved where it is not 400. No current client retries
// after any of them.
var statuses = map[Protocol]int{RESTJSON: http.StatusNotFound, S3: http.StatusNotImplemented}

// Status returns the HTTP status of an error. It is status, except for Unserved,
// whose status depends on the protocol.
func (q *Request) Status(name string, status int) int {
	switch unserved, ok := statuses[q.Protocol]; {
	case name != Unserved:
		return status
	case ok:
		return unserved
	}
	return http.StatusBadRequest
}

// Name returns the name of an error in the protocol of q, from its name in the JSON
// protocols.
func (q *Request) Name(name string) string {
	column := 0
	switch q.Protocol {
	case RESTJSON, JSON, CBOR:
		return name
	case S3:
		column = 1
	case Query, EC2, RESTXML:
	}
	if w, ok := words[name]; ok {
		return w[column]
	}
	return strings.TrimSuffix(name, "Exception")
}

// fault is an error in XML.
type fault struct {
	Type    string `xml:",omitempty"`
	Code    string
	Message string
}

type queryError struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Error     fault
	RequestID string `xml:"RequestId"`
}

type ec2Error struct {
	XMLName   xml.Name `xml:"Response"`
	Errors    []fault  `xml:"Errors>Error"`
	RequestID string
}

type s3Error struct {
	XMLName xml.Name `xml:"Error"`
	fault
	RequestID string `xml:"RequestId"`
}

// WriteError sends an error in the form that the client of q reads. name is the
// error's name in the JSON protocols, requestID the id of the request.
func (q *Request) WriteError(w http.ResponseWriter, status int, name, message, requestID string) {
	status, name = q.Status(name, status), q.Name(name)
	f := fault{Code: name, Message: message}
	switch q.Protocol {
	case Query, RESTXML:
		f.Type = "Sender"
		if status >= http.StatusInternalServerError {
			f.Type = "Receiver"
		}
		WriteXML(w, status, queryError{Error: f, RequestID: requestID})
	case EC2:
		WriteXML(w, status, ec2Error{Errors: []fault{f}, RequestID: requestID})
	case S3:
		WriteXML(w, status, s3Error{fault: f, RequestID: requestID})
	case CBOR:
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		respond.Whole(w, status, "application/cbor", cborMap([2]string{"__type", name}, [2]string{"message", message}))
	case RESTJSON, JSON:
		w.Header().Set("X-Amzn-Errortype", name)
		said := map[string]string{"message": message}
		if q.Protocol == JSON {
			said["__type"] = name
		}
		body, _ := json.Marshal(said) // strings always marshal
		respond.Whole(w, status, q.json, body)
	}
}

// WriteXML sends a whole answer in XML.
func WriteXML(w http.ResponseWriter, status int, body any) {
	text, _ := xml.Marshal(body) // plain structs always marshal
	respond.Whole(w, status, "text/xml", append([]byte(xml.Header), text...))
}

// The first bytes of CBOR's maps and texts (RFC 8949 section 3).
const (
	cborMapOf  = 0xa0
	cborText   = 0x60
	cborText16 = 0x79 // the length follows in two bytes
)

// cborMap returns a map of fewer than 24 texts. Each text is cut to the longest that
// an error may have, so its length fits in two bytes.
func cborMap(members ...[2]string) []byte {
	b := []byte{cborMapOf | byte(len(members))}
	for _, member := range members {
		for _, text := range member {
			text = strings.ToValidUTF8(respond.Clip(text), "\uFFFD")
			if len(text) < 24 {
				b = append(b, cborText|byte(len(text)))
			} else {
				b = binary.BigEndian.AppendUint16(append(b, cborText16), uint16(len(text)))
			}
			b = append(b, text...)
		}
	}
	return b
}
