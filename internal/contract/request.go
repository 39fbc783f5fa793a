package contract

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/muster-iot/muster/awsiot/wire"
)

// request is a request as it will be signed and sent, and what its answer must
// be like.
type request struct {
	op      *wire.Operation
	in      *input // what it was made of
	method  string
	target  string // escaped path and query
	header  http.Header
	body    []byte
	service string                // of the signature
	forge   func(r *http.Request) // nil, or what is changed after it was signed
	what    string                // what is special about it
	expect  expectation
}

// expectation is what an answer must be beyond what the model says of any.
type expectation struct {
	succeed bool  // nothing is wrong with the request
	refused bool  // by the operation's error for bad input
	names   names // what a refusal must name; none for nothing in particular

	stranger bool   // no operation gets to see the request; it is refused so:
	error    string // empty for any
	status   int
}

// request renders an input.
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

// hasBody reports whether the operation knows members of a body.
func (in *input) hasBody() bool {
	for _, m := range in.value.shape.Members {
		if m.Location == "" {
			return true
		}
	}
	return false
}

// path fills the labels into the operation's path.
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

// curl returns the request as a command line, for a server whose time is that
// of the world.
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

// curlMax bounds how much of a body is printed.
const curlMax = 8 << 10

// bashString writes bytes as bash reads them, whatever they are.
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
