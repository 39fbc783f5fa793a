// Package uuid makes random identifiers.
package uuid

import (
	"crypto/rand"
	"fmt"
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
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
