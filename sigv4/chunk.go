package sigv4

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

const (
	// chunkLineMax bounds the line before a chunk and each line of the trailer, in
	// bytes.
	chunkLineMax = 1 << 10
	// trailersMax bounds the lines of a trailer.
	trailersMax = 10
)

// chunkReader reads a body in the aws-chunked coding. Each chunk is a line with its
// size in hexadecimal and, when chunks are signed, ";chunk-signature=" and a
// signature, then its bytes and CRLF. The last chunk has size 0 and no bytes; a
// trailer may follow.
type chunkReader struct {
	body    *Body
	from    *bufio.Reader
	trailer http.Header

	left      int64 // bytes of the chunk that are not yet read
	signature string
	sum       hash.Hash // of the chunk; nil when chunks are not signed
	began     bool
	err       error // sticky; io.EOF at the end
}

func newChunkReader(b *Body, from io.Reader, trailer http.Header) *chunkReader {
	r := &chunkReader{body: b, from: bufio.NewReaderSize(from, 32<<10), trailer: trailer}
	if b.payload != streamingUnsigned {
		r.sum = sha256.New()
	}
	return r
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, r.err
	}
	for r.left == 0 && r.err == nil {
		r.err = r.next()
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.from.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if r.sum != nil {
		r.sum.Write(p[:n])
	}
	if err != nil {
		r.err = cutShort(err)
	}
	return n, r.err
}

// cutShort returns the error of a body that ends before its last chunk.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next ends one chunk and begins the next. It returns io.EOF after the last.
func (r *chunkReader) next() error {
	if r.began {
		if err := r.end(); err != nil {
			return err
		}
		if line, err := r.line(); err != nil || line != "" {
			return r.malformed(err)
		}
	}
	line, err := r.line()
	if err != nil {
		return err
	}
	size, signature, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 62)
	if err != nil {
		return r.malformed(nil)
	}
	r.left, r.began = int64(n), true
	var signed bool
	if r.signature, signed = strings.CutPrefix(signature, "chunk-signature="); r.sum != nil {
		if !signed {
			return r.malformed(nil)
		}
		r.sum.Reset()
	}
	if n > 0 {
		return nil
	}
	if err := r.end(); err != nil {
		return err
	}
	return r.last()
}

// end checks the signature of the chunk that was read.
func (r *chunkReader) end() error {
	if r.sum != nil && !r.body.follows(r.signature, r.body.chunk(r.sum.Sum(nil))) {
		return refuse(InvalidSignature, mismatchText)
	}
	return nil
}

// last reads the trailer and the empty line after the last chunk.
func (r *chunkReader) last() error {
	var canonical strings.Builder
	signature := ""
	for range trailersMax {
		line, err := r.line()
		if errors.Is(err, io.ErrUnexpectedEOF) && line == "" && r.trailerDone(signature) {
			line, err = "", nil // some clients omit the empty line
		}
		if err != nil {
			return err
		}
		if line == "" {
			if r.body.payload == streamingTrailer && !r.body.follows(signature, r.body.trailer([]byte(canonical.String()))) {
				return refuse(InvalidSignature, mismatchText)
			}
			return io.EOF
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return r.malformed(nil)
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "x-amz-trailer-signature" {
			signature = value
			continue
		}
		r.trailer.Add(textproto.CanonicalMIMEHeaderKey(name), value)
		canonical.WriteString(name + ":" + value + "\n")
	}
	return r.malformed(nil)
}

// trailerDone reports whether the body may end here without an empty line.
func (r *chunkReader) trailerDone(signature string) bool {
	return signature != "" || r.body.payload != streamingTrailer
}

// line reads a line and returns it without its end.
func (r *chunkReader) line() (string, error) {
	var line []byte
	for {
		c, err := r.from.ReadByte()
		if err != nil {
			return string(line), cutShort(err)
		}
		if c == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		if line = append(line, c); len(line) > chunkLineMax {
			return "", r.malformed(nil)
		}
	}
}

// malformed returns err or, when that is nil, what is wrong with the coding.
func (r *chunkReader) malformed(err error) error {
	if err != nil {
		return err
	}
	return refuse(InvalidBody, "The body is not in the aws-chunked coding that its headers announce.")
}
