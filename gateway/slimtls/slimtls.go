// Package slimtls makes an established server-side tls.Conn smaller by dropping what only the handshake needed: some 6 KB
// of the 11 that an idle connection holds. crypto/tls has no way to ask for this, so the package reaches into its private
// fields. So New checks that each field exists with the type it expects, and that slimmed connections of both TLS versions
// still work. If anything differs in this version of Go, New fails, and connections simply stay as large as they are.
package slimtls

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"reflect"
	"unsafe"
)

// Slimmer knows where the fields of a tls.Conn are.
type Slimmer struct {
	certificates, chains uintptr // [][]*x509.Certificate, []*x509.Certificate
	exporter, resumption uintptr // func, []byte
	handshake, record    uintptr // bytes.Buffer
	plaintext            uintptr // bytes.Reader: points into record
}

// New returns a Slimmer, or an error that says why there can be none with this version of Go.
func New() (*Slimmer, error) {
	s := &Slimmer{}
	conn := reflect.TypeFor[tls.Conn]()
	for _, f := range []struct {
		name string
		is   reflect.Type
		at   *uintptr
	}{
		{"peerCertificates", reflect.TypeFor[[]*x509.Certificate](), &s.certificates},
		{"verifiedChains", reflect.TypeFor[[][]*x509.Certificate](), &s.chains},
		{"ekm", reflect.TypeFor[func(string, []byte, int) ([]byte, error)](), &s.exporter},
		{"resumptionSecret", reflect.TypeFor[[]byte](), &s.resumption},
		{"hand", reflect.TypeFor[bytes.Buffer](), &s.handshake},
		{"rawInput", reflect.TypeFor[bytes.Buffer](), &s.record},
		{"input", reflect.TypeFor[bytes.Reader](), &s.plaintext},
	} {
		field, ok := conn.FieldByName(f.name)
		if !ok || field.Type != f.is {
			return nil, fmt.Errorf("slimtls: crypto/tls has no field %s of type %v", f.name, f.is)
		}
		*f.at = field.Offset
	}
	if err := s.test(); err != nil {
		return nil, fmt.Errorf("slimtls: %w", err)
	}
	return s, nil
}

// Settle drops what only the handshake needed. Call it once, after the handshake and before anything else uses c. From then on
// c.ConnectionState has no certificates.
func (s *Slimmer) Settle(c *tls.Conn) {
	*at[[]*x509.Certificate](c, s.certificates) = nil
	*at[[][]*x509.Certificate](c, s.chains) = nil
	*at[func(string, []byte, int) ([]byte, error)](c, s.exporter) = nil
	*at[[]byte](c, s.resumption) = nil
	s.Idle(c)
}

// Lend gives c a buffer to read records into, if it has none, so that a busy connection does not allocate one each time it was idle.
// It reports whether c has taken the buffer, which must be empty and belongs to c then until Idle returns it. Call Lend from the
// goroutine that reads.
func (s *Slimmer) Lend(c *tls.Conn, buffer []byte) (taken bool) {
	record := at[bytes.Buffer](c, s.record)
	if record.Cap() > 0 {
		return false
	}
	*record = *bytes.NewBuffer(buffer)
	return true
}

// Idle drops the buffers of c that are empty and returns the one for records, empty, or nil while something in it is still to be
// read. Nothing in c refers to it any more. Call Idle when there is nothing to read, from the goroutine that reads.
func (s *Slimmer) Idle(c *tls.Conn) []byte {
	if b := at[bytes.Buffer](c, s.handshake); b.Len() == 0 {
		*b = bytes.Buffer{}
	}
	record, plaintext := at[bytes.Buffer](c, s.record), at[bytes.Reader](c, s.plaintext)
	if record.Len() > 0 || plaintext.Len() > 0 {
		return nil
	}
	record.Reset()
	buffer := record.AvailableBuffer()
	*record = bytes.Buffer{}
	plaintext.Reset(nil)
	return buffer
}

// at returns the field of c at offset.
func at[T any](c *tls.Conn, offset uintptr) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(c), offset))
}
