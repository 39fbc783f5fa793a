// Package uuid makes random identifiers.
package uuid

import (
	"crypto/rand"
	"encoding/hex"
)

// New returns a random UUID (RFC 9562, version 4) in lower case.
func New() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return Format(b, 4)
}

// Format writes b as a UUID of a version from 1 to 8, which replaces four bits
// of b, as the variant of RFC 9562 replaces two.
func Format(b [16]byte, version byte) string {
	b[6], b[8] = b[6]&0x0f|version<<4, b[8]&0x3f|0x80
	text := make([]byte, 0, 36)
	text = append(hex.AppendEncode(text, b[:4]), '-')
	text = append(hex.AppendEncode(text, b[4:6]), '-')
	text = append(hex.AppendEncode(text, b[6:8]), '-')
	text = append(hex.AppendEncode(text, b[8:10]), '-')
	return string(hex.AppendEncode(text, b[10:]))
}
