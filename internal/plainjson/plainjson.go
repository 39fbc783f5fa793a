// Package plainjson writes JSON as other programs read it. encoding/json alone
// writes <, > and & as escapes, for pages that have JSON in their HTML.
package plainjson

import (
	"bytes"
	"encoding/json"
)

// Encode returns v as compact JSON without a line feed at its end, in which only
// the characters are escaped that JSON does not allow in a string, and U+2028
// and U+2029. It panics if v has no JSON form.
func Encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
