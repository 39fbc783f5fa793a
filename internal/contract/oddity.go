package contract

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"github.com/muster-iot/muster/awsiot/wire"
)

// oddities change a request in ways that are allowed and must not change its answer.
// Each reports whether it could be applied.
var oddities = map[string]func(g *generator, r *request) bool{
	"an unknown member": func(g *generator, r *request) bool {
		return insert(r, `"noSuchMember":`+pick(g, `null`, `{"a":[1,2,{"b":null}]}`, `"x"`, `1e400`, `[[[[[[]]]]]]`)+`,`)
	},
	"white space": func(_ *generator, r *request) bool {
		if len(r.body) == 0 || r.body[0] != '{' {
			return false
		}
		r.body = append([]byte(" \r\n\t"), append(r.body, " \n"...)...)
		return true
	},
	"another content type": func(g *generator, r *request) bool {
		r.header.Set("Content-Type", pick(g, "text/plain", "application/x-amz-json-1.1", "nonsense;;=", "application/json; charset=latin1"))
		return true
	},
	"no content type": func(_ *generator, r *request) bool { r.header.Del("Content-Type"); return true },
	"an unknown parameter": func(g *generator, r *request) bool {
		separator := "?"
		if strings.Contains(r.target, "?") {
			separator = "&"
		}
		r.target += separator + pick(g, "noSuchParameter=1", "x", "=", "a=%ff", "&&", "list=1&list=2")
		return true
	},
	"a path with needless escapes": func(_ *generator, r *request) bool {
		path, query, _ := strings.Cut(r.target, "?")
		var b strings.Builder
		for i := range len(path) {
			c := path[i]
			if c == '/' || c == '%' || i > 0 && path[i-1] == '%' || i > 1 && path[i-2] == '%' {
				b.WriteByte(c)
				continue
			}
			fmt.Fprintf(&b, "%%%02x", c)
		}
		r.target = b.String()
		if query != "" {
			r.target += "?" + query
		}
		return true
	},
	"headers of a proxy": func(_ *generator, r *request) bool {
		r.header.Set("X-Forwarded-For", "203.0.113.9")
		r.header.Set("X-Amz-User-Agent", "aws-sdk-js/3 \"quoted\" ümlaut")
		return true
	},
}

// insert puts text at the front of a JSON object.
func insert(r *request, text string) bool {
	rest, ok := bytes.CutPrefix(r.body, []byte("{"))
	if !ok || r.header.Get("Content-Type") == "" {
		return false
	}
	if bytes.Equal(rest, []byte("}")) {
		text = strings.TrimSuffix(text, ",")
	}
	r.body = append([]byte("{"+text), rest...)
	return true
}

// aMemberTwice is the only one of malformed that is a JSON object.
const aMemberTwice = "a member twice"

// malformed make a body that is not a JSON object, or that has a name twice, from a
// valid one. Every operation with a body must refuse them.
var malformed = map[string]func(g *generator, body []byte) []byte{
	"cut off":      func(_ *generator, body []byte) []byte { return body[:len(body)-1] },
	"a list":       func(*generator, []byte) []byte { return []byte(`[]`) },
	"a string":     func(*generator, []byte) []byte { return []byte(`"{}"`) },
	"null":         func(*generator, []byte) []byte { return []byte(`null`) },
	"two objects":  func(_ *generator, body []byte) []byte { return append(body, "{}"...) },
	"only a space": func(*generator, []byte) []byte { return []byte(` `) },
	"bad UTF-8": func(g *generator, body []byte) []byte {
		return append([]byte(pick(g, "{\"x\":\"\xff\"}", "{\"\xc3(\":1}", "{\"x\":\"\xed\xa0\x80\"}")), body[len(body):]...)
	},
	"an empty member": func(*generator, []byte) []byte { return []byte(`{"a":1,,"b":2}`) },
	"a comment":       func(*generator, []byte) []byte { return []byte(`{/* */}`) },
	"a bad number": func(g *generator, _ []byte) []byte {
		return []byte(`{"x":` + pick(g, "01", "1.", ".5", "+1", "NaN", "-") + `}`)
	},
	"a bad escape": func(g *generator, _ []byte) []byte {
		return []byte(`{"x":"` + pick(g, `\x`, `\u12`, `\ud8zz`, "\n") + `"}`)
	},
	aMemberTwice: func(g *generator, body []byte) []byte {
		twice := pick(g, `"x":1,"x":2`, `"x":1,"\u0078":2`, `"x":{"y":[{"z":1,"z":1}]}`)
		if rest := body[1:]; len(rest) > 1 {
			return append([]byte("{"+twice+","), rest...)
		}
		return []byte("{" + twice + "}")
	},
	"a byte order mark": func(_ *generator, body []byte) []byte { return append([]byte("\ufeff"), body...) },
	"nested deeply": func(*generator, []byte) []byte {
		return []byte(`{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`)
	},
	"an object without end": func(*generator, []byte) []byte { return []byte(strings.Repeat(`{"x":`, 30000)) },
}

// stranger is a request that is refused before it reaches an operation, and its
// refusal.
type stranger struct {
	change func(g *generator, r *request)
	error  string
	status int
}

// strangers lists those requests.
var strangers = map[string]stranger{
	"an unknown path": {func(g *generator, r *request) {
		r.target = pick(g, "/", "/nowhere", "//jobs", "/jobs//", "/things/a/b/c")
	}, "UnknownOperationException", http.StatusNotFound},
	"an unknown method": {func(_ *generator, r *request) { r.method = "BREW" }, "MethodNotAllowedException", http.StatusMethodNotAllowed},
	"a changed path":    {forged(func(r *http.Request) { r.URL.RawQuery += "&changed=1"; r.RequestURI = r.URL.RequestURI() }), "InvalidSignatureException", http.StatusForbidden},
	"a changed date":    {forged(func(r *http.Request) { r.Header.Set("X-Amz-Date", "20200101T000000Z") }), "", http.StatusForbidden},
	"a key that nobody has": {forged(func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), admin.AccessKeyID, "AKIDNOBODY", 1))
	}), "UnrecognizedClientException", http.StatusForbidden},
	"no signature":                     {forged(func(r *http.Request) { r.Header.Del("Authorization") }), "MissingAuthenticationTokenException", http.StatusForbidden},
	"half a signature":                 {forged(func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x") }), "IncompleteSignatureException", http.StatusForbidden},
	"a body that is too large":         tooLarge,
	"a path that is too long":          {func(_ *generator, r *request) { r.target += "?x=" + strings.Repeat("a", 17<<10) }, "InvalidRequestException", http.StatusRequestURITooLong},
	"a signature for another service":  {func(_ *generator, r *request) { r.service = "iotwireless" }, "UnknownOperationException", http.StatusNotFound},
	"a signature in another algorithm": {forged(func(r *http.Request) { r.Header.Set("Authorization", "Basic eDp5") }), "", http.StatusForbidden},
}

// tooLarge is a body that is too large for every operation.
var tooLarge = stranger{
	func(_ *generator, r *request) { r.body = bytes.Repeat([]byte(" "), wire.MaxBody+1) },
	"RequestEntityTooLargeException", http.StatusRequestEntityTooLarge,
}

func forged(change func(*http.Request)) func(*generator, *request) {
	return func(_ *generator, r *request) { r.forge = change }
}
