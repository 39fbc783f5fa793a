// Package excerpt bounds how much of a caller's own text an error message or a
// log line repeats.
package excerpt

import "strings"

// Of returns text, or the first limit bytes of a longer one and an ellipsis. A
// character that the limit would split is left out, and so is any byte of those
// that is not UTF-8.
func Of(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
