package diskstore

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/muster-iot/muster/store"
)

// PartMin is the smallest size of a part, in bytes, except the last.
const PartMin = 5 << 20

// CompletedPart names a part in a request to complete a multipart upload.
type CompletedPart struct {
	Number   int
	ETag     string // without quotes
	Checksum string // in base64; empty when the client does not check it
}

// CompleteUpload makes an object from the named parts of a multipart upload, in that
// order, and removes the other parts. want is the checksum that the object must have,
// empty for any.
func (s *Store) CompleteUpload(ctx context.Context, bucket, key, id string, named []CompletedPart, want string, p Precondition) (Version, error) {
	u, chosen, err := s.choose(ctx, bucket, key, id, named)
	if err != nil {
		return Version{}, err
	}
	blob, got, err := s.join(ctx, u, chosen)
	if err != nil {
		return Version{}, err
	}
	if want != "" && want != got.checksum.Value {
		s.discard(blob, got.size)
		return Version{}, refuse(BadDigest, "The %s you specified did not match the calculated checksum.", got.checksum.Algorithm)
	}
	made := record{
		Attributes: u.Attributes, Blob: blob, Size: got.size, ETag: etagOf(chosen), Checksum: got.checksum, SHA256: got.hex(), Parts: len(chosen),
	}
	return s.commit(ctx, bucket, key, p, made, func(tx store.Tx) ([]string, error) {
		for i, part := range chosen { // replaced meanwhile, or the upload ended
			now, err := parts.Get(tx, partKey(id, named[i].Number))
			if err != nil {
				return nil, err
			}
			if now == nil || now.Blob != part.Blob {
				return nil, refuse(InvalidPart, "Part %d changed while the upload was being completed.", named[i].Number)
			}
		}
		return endUpload(tx, bucket, key, id)
	})
}

// choose returns a multipart upload and its named parts, after checking them.
func (s *Store) choose(ctx context.Context, bucket, key, id string, named []CompletedPart) (u uploadRecord, chosen []partRecord, err error) {
	if len(named) == 0 {
		return u, nil, refuse(InvalidRequest, "You must specify at least one part")
	}
	if !slices.IsSortedFunc(named, func(a, b CompletedPart) int { return a.Number - b.Number }) {
		return u, nil, refuse(InvalidPartOrder, "The list of parts was not in ascending order. Parts must be ordered by part number.")
	}
	var total int64
	err = s.o.Index.View(ctx, func(r store.Reader) (err error) {
		if _, err = bucketOf(r, bucket); err != nil {
			return err
		}
		if u, err = findUpload(r, bucket, key, id); err != nil {
			return err
		}
		for i, n := range named {
			p, err := parts.Get(r, partKey(id, n.Number))
			if err != nil {
				return err
			}
			if p == nil || p.ETag != n.ETag || n.Checksum != "" && n.Checksum != p.Checksum.Value || i > 0 && named[i-1].Number == n.Number {
				return refuse(InvalidPart, "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
			}
			if i < len(named)-1 && p.Size < PartMin {
				return refuse(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size: part %d has %d bytes, %d are the least", n.Number, p.Size, PartMin)
			}
			total += p.Size
			chosen = append(chosen, *p)
		}
		return nil
	})
	if err == nil && total > s.o.Limits.ObjectSize {
		err = tooLarge(s.o.Limits.ObjectSize)
	}
	return u, chosen, err
}

// join writes parts into one content, durably. The caller must keep or discard its
// blob. With an error there is none.
func (s *Store) join(ctx context.Context, u uploadRecord, chosen []partRecord) (blob string, got received, err error) {
	algorithm := u.Algorithm
	if !u.Full {
		algorithm = "" // no checksum of all bytes is kept
	}
	var size int64
	readers := make([]io.Reader, len(chosen))
	for i, p := range chosen {
		readers[i] = &partReader{ctx: ctx, path: s.blobs.path(p.Blob)}
		size += p.Size
	}
	blob, got, err = s.receive(Content{Body: io.MultiReader(readers...), Size: size, Algorithm: algorithm, joined: true})
	if errors.Is(err, os.ErrNotExist) {
		err = refuse(NoSuchUpload, "The upload ended while it was being completed.")
	}
	if err != nil {
		return "", got, fmt.Errorf("join parts: %w", err)
	}
	if u.Algorithm != "" && !u.Full {
		got.checksum = Checksum{u.Algorithm, u.Algorithm.composite(chosen)}
	}
	return blob, got, nil
}

// partReader reads the content of a part. It opens the file with the first Read, so
// that few files are open at once.
type partReader struct {
	ctx  context.Context // of the call that made it
	path string
	f    *os.File
}

func (p *partReader) Read(b []byte) (n int, err error) {
	if err := p.ctx.Err(); err != nil {
		p.f.Close()
		return 0, err
	}
	if p.f == nil {
		if p.f, err = os.Open(p.path); err != nil {
			return 0, err
		}
	}
	if n, err = p.f.Read(b); err != nil {
		p.f.Close()
	}
	return n, err
}

// etagOf returns the ETag of an object from a multipart upload: the MD5 of the MD5s of
// its parts, a hyphen and their number.
func etagOf(chosen []partRecord) string {
	h := md5.New()
	for _, p := range chosen {
		raw, _ := hex.DecodeString(p.ETag) // valid, because PutPart wrote it
		h.Write(raw)
	}
	return fmt.Sprintf("%x-%d", h.Sum(nil), len(chosen))
}
