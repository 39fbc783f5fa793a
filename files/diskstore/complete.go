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

// PartMin is the least a part may have, in bytes, unless it is the last.
const PartMin = 5 << 20

// Named is a part as a client names it to complete an upload.
type Named struct {
	Number   int
	ETag     string // without quotes
	Checksum string // in base64; empty for any
}

// CompleteUpload makes an object of parts of an upload, in the order of named;
// the others are gone. want is the checksum that the object must have, empty for
// any.
func (s *Store) CompleteUpload(ctx context.Context, bucket, key, id string, named []Named, want string, p Precondition) (Version, error) {
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
	return s.settle(ctx, bucket, key, p, made, func(tx store.Tx) ([]string, error) {
		for i, part := range chosen { // replaced since, or the upload ended
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

// choose returns an upload and those of its parts that are named.
func (s *Store) choose(ctx context.Context, bucket, key, id string, named []Named) (u uploadRecord, chosen []partRecord, err error) {
	if len(named) == 0 {
		return u, nil, refuse(InvalidRequest, "You must specify at least one part")
	}
	if !slices.IsSortedFunc(named, func(a, b Named) int { return a.Number - b.Number }) {
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

// join writes parts into one content. The blob is for the caller to keep or to
// discard; there is none beside an error.
func (s *Store) join(ctx context.Context, u uploadRecord, chosen []partRecord) (blob string, got received, err error) {
	algorithm := u.Algorithm
	if !u.Full {
		algorithm = "" // that of all bytes is not wanted
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

// partReader reads a content that is opened when it is its turn.
type partReader struct {
	ctx  context.Context // of the one call that this lives in
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

// etagOf returns the ETag of an object of several parts: the MD5 of theirs, and
// how many they are.
func etagOf(chosen []partRecord) string {
	h := md5.New()
	for _, p := range chosen {
		raw, _ := hex.DecodeString(p.ETag) // we wrote it
		h.Write(raw)
	}
	return fmt.Sprintf("%x-%d", h.Sum(nil), len(chosen))
}
