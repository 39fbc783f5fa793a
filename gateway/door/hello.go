package door

import "encoding/binary"

// sharesMax is how many key shares an ordinary ClientHello has at most. crypto/tls keeps each in many times its size.
const sharesMax = 8

const (
	typeHandshake   = 22
	typeClientHello = 1
	keyShares       = 51 // number of the extension
)

// ordinary reports whether a record is one whole ClientHello with no more key shares than clients have. crypto/tls checks whether it is
// well formed.
func ordinary(record []byte) bool {
	f := fields{record, true}
	kind, _, size := f.number(1), f.number(2), f.number(2)
	if kind != typeHandshake || size != len(f.b) {
		return false
	}
	if kind, size := f.number(1), f.number(3); kind != typeClientHello || size != len(f.b) {
		return false
	}
	f.take(2 + 32)      // version, random
	f.take(f.number(1)) // session id
	f.take(f.number(2)) // cipher suites
	f.take(f.number(1)) // compression
	if len(f.b) == 0 {  // no extensions
		return f.ok
	}
	shares := 0
	for all := f.sub(2); all.ok && len(all.b) > 0; {
		id, extension := all.number(2), all.sub(2)
		if id != keyShares {
			continue
		}
		for list := extension.sub(2); list.ok && len(list.b) > 0; shares++ {
			list.take(2) // group
			list.sub(2)
		}
	}
	return f.ok && shares <= sharesMax
}

// fields takes fields from the front of b. ok is false once one did not fit.
type fields struct {
	b  []byte
	ok bool
}

func (f *fields) take(n int) []byte {
	if n > len(f.b) {
		f.b, f.ok = nil, false
		return nil
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

// number takes a number of up to 4 bytes.
func (f *fields) number(bytes int) int {
	var all [4]byte
	copy(all[4-bytes:], f.take(bytes))
	return int(binary.BigEndian.Uint32(all[:]))
}

// sub takes fields whose length comes before them, in a number of the given size.
func (f *fields) sub(bytes int) fields {
	b := f.take(f.number(bytes))
	return fields{b, f.ok}
}
