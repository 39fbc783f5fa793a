package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The values of X-Amz-Content-Sha256 that announce a body in chunks (the
// aws-chunked coding of S3).
const (
	streamingSigned   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingTrailer  = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// Body is what a signature covers of a body that is not read yet.
type Body struct {
	// Chunked is true when the body is in the aws-chunked coding, so that its content
	// is shorter than Content-Length.
	Chunked bool

	payload  string // of X-Amz-Content-Sha256
	time     time.Time
	scope    Scope
	key      []byte
	previous string // the signature that the next chunk's signature builds on
}

// VerifyHead is Verify for a request whose body is too long to hold in memory. It
// verifies all but the body, which must then be read through the Reader of the
// returned Body: only when that ends without an error is the body verified. Only
// requests scoped to "s3" are accepted, since S3 signs paths and bodies differently.
func (v *Verifier) VerifyHead(r *http.Request, now time.Time) (Signature, *Body, error) {
	path, rawQuery := target(r)
	c, query, err := v.read(r, rawQuery)
	if err != nil {
		return c.Signature, nil, err
	}
	if err := v.checkScope(c.Signature); err != nil {
		refused := *err
		refused.Code = WrongScope
		return c.Signature, nil, &refused
	}
	credential, err := v.checkClaim(c, now)
	if err != nil {
		return c.Signature, nil, err
	}
	b, err := bodyOf(r, c, query)
	if err != nil {
		return c.Signature, nil, err
	}
	if name := c.unsignedHeader(r.Header); name != "" {
		return c.Signature, nil, refuse(UnsignedHeader, "There were headers present in the request which were not signed: %s", shorten(name))
	}
	c.UnsignedPayload = b.payload == unsignedPayload || b.payload == streamingUnsigned
	signed := b.payload
	if c.Presigned && !c.coversPayload(query) {
		signed = unsignedPayload
	}
	verified, key, err := v.verifyClaim(c, r, path, query, signed, credential.Secret)
	if err != nil {
		return verified, nil, err
	}
	b.time, b.scope, b.key, b.previous = c.Time, c.Scope, key, c.value
	return verified, b, nil
}

// UnverifiedBody is the Body of a request whose signature is not checked: its reader
// only removes the coding of chunks.
func UnverifiedBody(r *http.Request) *Body {
	switch stated := r.Header.Get("X-Amz-Content-Sha256"); stated {
	case streamingSigned, streamingTrailer, streamingUnsigned:
		return &Body{Chunked: true, payload: streamingUnsigned}
	}
	return &Body{payload: unsignedPayload}
}

// unsignedHeader returns an X-Amz- header of a request that its signature does not
// cover, "" for none. Such headers change what a request does, so S3 refuses them:
// otherwise anyone who holds a presigned URL could add some. The exception is the
// digest of a body that the signature leaves open, since it can only make the
// request fail.
func (c claim) unsignedHeader(header http.Header) string {
	for name := range header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && !slices.Contains(c.SignedHeaders, name) && (name != "x-amz-content-sha256" || !c.Presigned) {
			return name
		}
	}
	return ""
}

// coversPayload reports whether a presigned request states the hash of its body.
func (c claim) coversPayload(query []param) bool {
	return first(query, "X-Amz-Content-Sha256") != nil || slices.Contains(c.SignedHeaders, "x-amz-content-sha256")
}

// bodyOf returns what a request states of its body.
func bodyOf(r *http.Request, c claim, query []param) (*Body, error) {
	stated := r.Header.Get("X-Amz-Content-Sha256")
	if p := first(query, "X-Amz-Content-Sha256"); p != nil {
		if stated != "" && stated != p.value {
			return nil, refuse(IncompleteSignature, "The X-Amz-Content-Sha256 of the query and that of the headers differ.")
		}
		stated = p.value
	}
	b := &Body{payload: stated}
	switch stated {
	case "":
		if !c.Presigned {
			return nil, refuse(IncompleteSignature, "Missing required header for this request: x-amz-content-sha256")
		}
		b.payload = unsignedPayload
	case unsignedPayload:
	case streamingSigned, streamingTrailer, streamingUnsigned:
		if b.Chunked = true; c.Presigned {
			return nil, refuse(IncompleteSignature, "A presigned request cannot have a body in chunks.")
		}
	default:
		if digest, err := hex.DecodeString(stated); err != nil || len(digest) != sha256.Size {
			return nil, refuse(IncompleteSignature, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")
		}
	}
	return b, nil
}

// BodyReader reads a body and verifies it. When the body is not the one that was
// signed, Read returns an *Error instead of io.EOF, or earlier; what was read until
// then must be discarded.
type BodyReader struct {
	io.Reader
	// Trailer holds the headers after the last chunk. It is complete when Read has
	// returned io.EOF. Names are in canonical form.
	Trailer http.Header
}

// Reader returns a reader of the body in from, without the coding of its chunks. It
// may be called once.
func (b *Body) Reader(from io.Reader) *BodyReader {
	trailer := http.Header{}
	switch {
	case b.Chunked:
		return &BodyReader{newChunkReader(b, from, trailer), trailer}
	case b.payload == unsignedPayload:
		return &BodyReader{from, trailer}
	}
	return &BodyReader{&hashReader{from: from, want: b.payload, sum: sha256.New()}, trailer}
}

// hashReader compares a body with its SHA-256.
type hashReader struct {
	from io.Reader
	want string // in hexadecimal
	sum  hash.Hash
}

func (h *hashReader) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	h.sum.Write(p[:n])
	if err == io.EOF && !strings.EqualFold(hex.EncodeToString(h.sum.Sum(nil)), h.want) {
		return n, refuse(InvalidBody, "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return n, err
}

// chunk returns the signature that the next chunk must have, by the digest of its
// bytes.
func (b *Body) chunk(digest []byte) string {
	empty := sha256.Sum256(nil)
	return b.sign("AWS4-HMAC-SHA256-PAYLOAD", hex.EncodeToString(empty[:])+"\n"+hex.EncodeToString(digest))
}

// trailer returns the signature that the trailer must have, by its canonical form.
func (b *Body) trailer(canonical []byte) string {
	digest := sha256.Sum256(canonical)
	return b.sign("AWS4-HMAC-SHA256-TRAILER", hex.EncodeToString(digest[:]))
}

func (b *Body) sign(kind, rest string) string {
	text := kind + "\n" + b.time.UTC().Format(TimeFormat) + "\n" + b.scope.String() + "\n" + b.previous + "\n" + rest
	return hex.EncodeToString(keyedHash(b.key, text))
}

// follows reports whether signature is the wanted one, and then has the next one
// build on it.
func (b *Body) follows(signature, want string) bool {
	b.previous = want
	return hmac.Equal([]byte(signature), []byte(want))
}
