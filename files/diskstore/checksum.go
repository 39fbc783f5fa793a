package diskstore

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"slices"
)

// Algorithm is the algorithm of a checksum. Empty means no checksum.
type Algorithm string

// The algorithms of S3 that stock clients use.
const (
	CRC32     Algorithm = "CRC32"
	CRC32C    Algorithm = "CRC32C"
	CRC64NVME Algorithm = "CRC64NVME"
	SHA1      Algorithm = "SHA1"
	SHA256    Algorithm = "SHA256"
)

// Algorithms returns all algorithms.
func Algorithms() []Algorithm { return []Algorithm{CRC32, CRC32C, CRC64NVME, SHA1, SHA256} }

// Known reports whether a is one of Algorithms.
func (a Algorithm) Known() bool { return slices.Contains(Algorithms(), a) }

// Checksum is a checksum of an object or of a part.
type Checksum struct {
	Algorithm Algorithm `json:"algorithm,omitempty"`
	// Value is in base64. A Composite one ends in a hyphen and the number of parts.
	Value string `json:"value,omitempty"`
}

// The two types of checksum of an object from a multipart upload.
const (
	FullObject = "FULL_OBJECT" // of all bytes
	Composite  = "COMPOSITE"   // of the checksums of the parts
)

// Type returns FullObject, Composite, or "" when there is no checksum.
func (c Checksum) Type() string {
	switch {
	case c.Value == "":
		return ""
	case slices.Contains([]byte(c.Value), '-'): // not a letter of base64
		return Composite
	}
	return FullObject
}

// nvme is the table of CRC-64/NVME.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// castagnoli is the table of CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newSum returns a hash of an algorithm, nil for the empty one.
func (a Algorithm) newSum() hash.Hash {
	switch a {
	case CRC32:
		return crc32.NewIEEE()
	case CRC32C:
		return crc32.New(castagnoli)
	case CRC64NVME:
		return crc64.New(nvme)
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	}
	return nil
}

// encode returns the value of a hash, as S3 writes it.
func encode(h hash.Hash) string { return base64.StdEncoding.EncodeToString(h.Sum(nil)) }

// composite returns the checksum of the checksums of parts, or "" when one of them has
// no checksum.
func (a Algorithm) composite(parts []partRecord) string {
	h := a.newSum()
	for _, p := range parts {
		raw, err := base64.StdEncoding.DecodeString(p.Checksum.Value)
		if err != nil || p.Checksum.Algorithm != a {
			return ""
		}
		h.Write(raw)
	}
	return fmt.Sprintf("%s-%d", encode(h), len(parts))
}
