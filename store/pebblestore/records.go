package pebblestore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// Pebble's log and manifest are sequences of records. A file is cut into blocks
// of 32 KiB, a record into chunks that do not cross blocks, and each chunk has a
// checksum. Pebble takes the first chunk that is not whole for the end of the
// file, as it must after a crash. scanRecords reads on, to distinguish a torn end
// from damage with records after it (docs/decisions/0015-damage.md). The format is
// that of the package github.com/cockroachdb/pebble/v2/record.
const (
	blockLen = 32 << 10
	// headMax is how many bytes of each record are kept: its description is there.
	headMax = 64

	plainHeader     = 7               // checksum, length, type
	logHeader       = plainHeader + 4 // and the number of the log
	logOffsetHeader = logHeader + 8   // and how far the log was synced, which Muster does not use
	chunkKinds      = byte(4)         // types come in groups of four: whole, first, middle, last
	trailerKind     = chunkKinds + 1  // ends a log that was closed
)

// placement says which part of its record a chunk is.
type placement byte

const (
	wholeRecord placement = iota
	firstPart
	middlePart
	lastPart
)

// recordForm is how the chunks of a file are written.
type recordForm struct {
	log    bool   // it is a log, whose chunks carry its number
	number uint32 // of the log, its low 32 bits
}

// chunk is one piece of a record, within a block.
type chunk struct {
	placement placement
	size      int // with its header
	payload   []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func chunkSum(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// chunkAt returns the chunk that b, the rest of a block, begins with, if it is
// whole.
func (f recordForm) chunkAt(b []byte) (c chunk, ok bool) {
	if len(b) < plainHeader {
		return c, false
	}
	kind, header := b[6], plainHeader
	switch group := (kind - 1) / chunkKinds; {
	case kind == 0, !f.log && group != 0, f.log && group == 0, group > 2:
		return c, false
	case group == 1:
		header = logHeader
	case group == 2:
		header = logOffsetHeader
	}
	size := header + int(binary.LittleEndian.Uint16(b[4:]))
	if size > len(b) || f.log && binary.LittleEndian.Uint32(b[plainHeader:]) != f.number {
		return c, false
	}
	if chunkSum(b[6:size]) != binary.LittleEndian.Uint32(b) {
		return c, false
	}
	return chunk{placement((kind - 1) % chunkKinds), size, b[header:size]}, true
}

// trailerAt reports whether b begins with the mark of a log that was closed.
func (f recordForm) trailerAt(b []byte) bool {
	return f.log && len(b) >= logHeader && binary.LittleEndian.Uint32(b) == 0 && binary.LittleEndian.Uint16(b[4:]) == 0 &&
		b[6] == trailerKind && binary.LittleEndian.Uint32(b[plainHeader:]) == f.number+1
}

// padding reports whether b, the rest of a whole block, is too short for another
// chunk.
func (f recordForm) padding(b []byte) bool {
	least := plainHeader
	if f.log {
		least = logOffsetHeader
	}
	if len(b) >= least {
		return false
	}
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}

// foundRecord is a whole record.
type foundRecord struct {
	head []byte // its first bytes, headMax at most; valid during the call
	at   int64  // the offset of its first chunk
	size int64  // of its payload, in bytes
	torn bool   // it follows the first place in the file that is not part of a whole record
}

// fileEnd says how the whole records from the front of a file end.
type fileEnd struct {
	at     int64 // the offset after the last of them
	closed bool  // the mark of a log that was closed follows
	torn   bool  // something else follows
}

// scanRecords calls each for all whole records of a file, in their order.
func scanRecords(file io.Reader, form recordForm, each func(foundRecord)) (fileEnd, error) {
	s := recordScan{form: form, each: each}
	for {
		n, err := io.ReadFull(file, s.block[:])
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return s.end, err
		}
		if s.read(s.block[:n]); s.end.closed {
			return s.end, nil
		}
		if s.base += int64(n); n < blockLen {
			s.end.torn = s.end.torn || s.open
			return s.end, nil
		}
	}
}

type recordScan struct {
	form  recordForm
	each  func(foundRecord)
	end   fileEnd
	base  int64       // the offset of the block
	open  bool        // a record has begun and not ended
	now   foundRecord // what there is of it
	block [blockLen]byte
}

func (s *recordScan) read(block []byte) {
	for at := 0; at < len(block); {
		rest := block[at:]
		c, ok := s.form.chunkAt(rest)
		switch {
		case ok:
			s.take(c, s.base+int64(at))
			at += c.size
		case s.end.torn: // look for the next whole chunk, wherever it is
			s.open = false
			at++
		case s.form.padding(rest) && len(block) == blockLen:
			at = len(block)
		case s.form.trailerAt(rest) && !s.open:
			s.end.closed = true
			return
		default:
			s.end.torn, s.open = true, false
		}
	}
}

// take adds the chunk at an offset to its record.
func (s *recordScan) take(c chunk, at int64) {
	begins := c.placement == wholeRecord || c.placement == firstPart
	if begins == s.open {
		s.end.torn = true // chunks are missing, though the ones around them are whole
	}
	switch {
	case begins:
		s.open, s.now = true, foundRecord{head: s.now.head[:0], at: at, torn: s.end.torn}
	case !s.open:
		return // the rest of a record whose beginning is lost
	}
	s.now.head = append(s.now.head, c.payload[:min(len(c.payload), headMax-len(s.now.head))]...)
	s.now.size += int64(len(c.payload))
	if c.placement == firstPart || c.placement == middlePart {
		return
	}
	s.open = false
	if !s.now.torn {
		s.end.at = at + int64(c.size)
	}
	s.each(s.now)
}
