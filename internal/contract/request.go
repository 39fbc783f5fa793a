package contract

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/muster-iot/muster/awsiot/wire"
)

// request is a request that will be signed and sent, with the answer that it must get.
type request struct {
	op      *wire.Operation
	in      *input // from which it was made
	method  string
	target  string // escaped path and query
	header  http.Header
	body    []byte
	service string                // of the signature
	forge   func(r *http.Request) // changes the request after it was signed; nil changes nothing
	what    string                // what is special about it
	expect  expectation
}

// expectation is what is required of one answer in addition to the model.
type expectation struct {
	succeed bool  // nothing is wrong with the request
	refused bool  // with the operation's error for bad input
	names   names // of which a refusal must contain one; empty: no name is required

	stranger bool   // the request is refused before it reaches an operation, with:
	error    string // empty: any error
	status   int
}

// request makes a request from an input.
func (in *input) request() *request {
	r := &request{op: in.op, in: in, method: in.op.Method, header: http.Header{}, service: signingName(in.op.Service)}
	labels := map[string]string{}
	for facts, m := range in.bound("uri") {
		labels[facts.LocationName] = m.value.text()
	}
	r.target = in.path(labels)
	query := url.Values{}
	for facts, m := range in.bound("querystring") {
		query.Set(facts.LocationName, m.value.text())
	}
	if len(query) > 0 {
		r.target += "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
	}
	for facts, m := range in.bound("header") {
		text := m.value.text()
		if facts.JSONValue {
			text = base64.StdEncoding.EncodeToString([]byte(text))
		}
		r.header.Set(facts.LocationName, text)
	}
	if payload := in.value.shape.Payload; payload != "" {
		if v := in.value.get(payload); v != nil {
			r.body, _ = base64.StdEncoding.DecodeString(v.text())
		}
		return r
	}
	var members []member
	for _, m := range in.bound("") {
		members = append(members, m)
	}
	if len(members) > 0 || r.method != http.MethodGet && r.method != http.MethodDelete && in.hasBody() {
		r.body = appendObject(nil, members)
		r.header.Set("Content-Type", "application/json")
	}
	return r
}

// hasBody reports whether the operation has members in the body.
func (in *input) hasBody() bool {
	for _, m := range in.value.shape.Members {
		if m.Location == "" {
			return true
		}
	}
	return false
}

// path puts the labels into the operation's path.
func (in *input) path(labels map[string]string) string {
	var b strings.Builder
	for _, s := range in.op.Segments {
		b.WriteByte('/')
		switch {
		case s.Label == "":
			b.WriteString(s.Literal)
		case s.Greedy:
			b.WriteString(strings.ReplaceAll(url.PathEscape(labels[s.Label]), "%2F", "/"))
		default:
			b.WriteString(strings.ReplaceAll(url.PathEscape(labels[s.Label]), "/", "%2F"))
		}
	}
	return b.String()
}

// signingName is the name that clients of a plane sign with.
func signingName(s wire.Service) string {
	if s == wire.IoTData {
		return "iotdata"
	}
	return string(s)
}

// curl returns the request as a command line, for a server with the time of the world.
func (r *request) curl() string {
	var b strings.Builder
	fmt.Fprintf(&b, "curl -X %s 'http://127.0.0.1:8080%s' --aws-sigv4 'aws:amz:%s:%s' -u \"$KEY:$SECRET\"", r.method, quoteShell(r.target), account.Region, r.service)
	for name, values := range r.header {
		for _, v := range values {
			fmt.Fprintf(&b, " -H '%s: %s'", name, quoteShell(v))
		}
	}
	if len(r.body) > 0 {
		fmt.Fprintf(&b, " --data-binary %s", bashString(r.body))
	}
	return b.String()
}

func quoteShell(s string) string { return strings.ReplaceAll(s, "'", `'\''`) }

// curlMax is how many bytes of a body are printed at most.
const curlMax = 8 << 10

// bashString quotes any bytes for bash.
func bashString(data []byte) string {
	var b strings.Builder
	b.WriteString("$'")
	for i, c := range data {
		if i == curlMax {
			fmt.Fprintf(&b, "'... (%d bytes)", len(data))
			return b.String()
		}
		switch {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}
