package s3api

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"strings"

	"github.com/muster-iot/muster/files/diskstore"
)

// owned is the owner of a multipart upload.
type owned struct{ Initiator, Owner ownerXML }

type uploadStartedXML struct {
	XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
	Bucket   string
	Key      string
	UploadID string `xml:"UploadId"`
}

func (s *Server) createMultipartUpload(ctx context.Context, c *call) error {
	a, err := attributes(c.r.Header)
	if err != nil {
		return err
	}
	algorithm := diskstore.Algorithm(strings.ToUpper(c.r.Header.Get("X-Amz-Checksum-Algorithm")))
	if algorithm != "" && !algorithm.Known() {
		return unknownAlgorithm(string(algorithm))
	}
	kind := c.r.Header.Get("X-Amz-Checksum-Type")
	if kind != "" && kind != diskstore.FullObject && kind != diskstore.Composite {
		return refuse("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
	}
	u, err := s.o.Files.CreateUpload(ctx, c.bucket, c.key, a, algorithm, kind)
	if err != nil {
		return err
	}
	if algorithm != "" {
		c.w.Header().Set("X-Amz-Checksum-Algorithm", string(algorithm))
		c.w.Header().Set("X-Amz-Checksum-Type", u.ChecksumType)
	}
	c.writeXML(http.StatusOK, uploadStartedXML{Bucket: c.bucket, Key: c.key, UploadID: u.ID})
	return nil
}

func (s *Server) uploadPart(ctx context.Context, c *call) error {
	number, err := c.number("partNumber", 0)
	if err != nil {
		return err
	}
	if c.r.Header.Get("X-Amz-Copy-Source") != "" {
		return s.uploadPartCopy(ctx, c, number)
	}
	content, err := c.content()
	if err != nil {
		return err
	}
	if !take(s.uploads) {
		return errBusy
	}
	defer func() { <-s.uploads }()
	p, err := s.o.Files.PutPart(ctx, c.bucket, c.key, c.query.Get("uploadId"), number, content)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", quoted(p.ETag))
	if p.Checksum.Value != "" {
		c.w.Header().Set(checksumPrefix+string(p.Checksum.Algorithm), p.Checksum.Value)
	}
	c.w.Header().Set("Content-Length", "0")
	c.w.WriteHeader(http.StatusOK)
	return nil
}

type partCopiedXML struct {
	XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CopyPartResult"`
	ETag         string
	LastModified string
	checksumsXML
}

// uploadPartCopy makes a part from a stored object (UploadPartCopy, whose method and path
// are those of UploadPart).
func (s *Server) uploadPartCopy(ctx context.Context, c *call, number int) error {
	c.called("UploadPartCopy")
	from, err := s.source(ctx, c)
	if err != nil {
		return err
	}
	part := extent{0, from.Size}
	if text := c.r.Header.Get("X-Amz-Copy-Source-Range"); text != "" {
		var ok bool
		if part, ok = parseRange(text, from.Size); !ok || part.length == 0 {
			return refuse("InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
		}
	}
	if !take(s.uploads) {
		return errBusy
	}
	defer func() { <-s.uploads }()
	f, _, err := s.o.Files.Open(ctx, from.bucket, from.Key, from.ID)
	if err != nil {
		return err
	}
	defer f.Close()
	content := diskstore.Content{Body: io.NewSectionReader(f, part.start, part.length), Size: part.length}
	p, err := s.o.Files.PutPart(ctx, c.bucket, c.key, c.query.Get("uploadId"), number, content)
	if err != nil {
		return err
	}
	c.writeXML(http.StatusOK, partCopiedXML{ETag: quoted(p.ETag), LastModified: stamp(p.Stored), checksumsXML: checksumsOf(p.Checksum)})
	return nil
}

// checksumsXML is a checksum, in the element of its algorithm.
type checksumsXML struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
}

// member returns the field of an algorithm, nil for the empty one.
func (x *checksumsXML) member(a diskstore.Algorithm) *string {
	return map[diskstore.Algorithm]*string{
		diskstore.CRC32: &x.ChecksumCRC32, diskstore.CRC32C: &x.ChecksumCRC32C, diskstore.CRC64NVME: &x.ChecksumCRC64NVME,
		diskstore.SHA1: &x.ChecksumSHA1, diskstore.SHA256: &x.ChecksumSHA256,
	}[a]
}

func checksumsOf(c diskstore.Checksum) checksumsXML {
	var x checksumsXML
	if place := x.member(c.Algorithm); place != nil {
		*place = c.Value
	}
	return x
}

type completeXML struct {
	Part []struct {
		PartNumber int
		ETag       string
		checksumsXML
	}
}

type completedXML struct {
	XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
	Location string
	Bucket   string
	Key      string
	ETag     string
	checksumsXML
	ChecksumType string `xml:",omitempty"`
}

func (s *Server) completeMultipartUpload(ctx context.Context, c *call) error {
	var in completeXML
	if err := c.readXML(&in); err != nil {
		return err
	}
	if len(in.Part) > diskstore.PartsMax {
		return refuse("InvalidArgument", "An upload has at most %d parts", diskstore.PartsMax)
	}
	id := c.query.Get("uploadId")
	u, err := s.o.Files.Upload(ctx, c.bucket, c.key, id)
	if err != nil {
		return err
	}
	var named []diskstore.CompletedPart
	for _, p := range in.Part {
		n := diskstore.CompletedPart{Number: p.PartNumber, ETag: strings.Trim(p.ETag, `"`)}
		if place := p.member(u.Algorithm); place != nil {
			n.Checksum = *place
		}
		named = append(named, n)
	}
	_, want, err := statedChecksum(c.r.Header)
	if err != nil {
		return err
	}
	p, err := precondition(c.r.Header)
	if err != nil {
		return err
	}
	if !take(s.uploads) {
		return errBusy
	}
	defer func() { <-s.uploads }()
	v, err := s.o.Files.CompleteUpload(ctx, c.bucket, c.key, id, named, want, p)
	if err != nil {
		return err
	}
	version(c.w.Header(), v.ID)
	c.writeXML(http.StatusOK, completedXML{
		Location: "/" + c.bucket + "/" + c.key, Bucket: c.bucket, Key: c.key, ETag: quoted(v.ETag),
		checksumsXML: checksumsOf(v.Checksum), ChecksumType: v.Checksum.Type(),
	})
	return nil
}

func (s *Server) abortMultipartUpload(ctx context.Context, c *call) error {
	if err := s.o.Files.AbortUpload(ctx, c.bucket, c.key, c.query.Get("uploadId")); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

type partXML struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	checksumsXML
}

type partsXML struct {
	XMLName              xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
	Bucket               string
	Key                  string
	UploadID             string `xml:"UploadId"`
	PartNumberMarker     int
	NextPartNumberMarker int `xml:",omitempty"`
	MaxParts             int
	IsTruncated          bool
	ChecksumAlgorithm    string `xml:",omitempty"`
	ChecksumType         string `xml:",omitempty"`
	owned
	StorageClass string
	Part         []partXML
}

func (s *Server) listParts(ctx context.Context, c *call) error {
	after, err := c.number("part-number-marker", 0)
	if err != nil {
		return err
	}
	most, err := c.number("max-parts", diskstore.ListMax)
	if err != nil {
		return err
	}
	most = min(most, diskstore.ListMax)
	id := c.query.Get("uploadId")
	u, err := s.o.Files.Upload(ctx, c.bucket, c.key, id)
	if err != nil {
		return err
	}
	list, more, err := s.o.Files.Parts(ctx, c.bucket, c.key, id, after, most)
	if err != nil {
		return err
	}
	out := partsXML{
		Bucket: c.bucket, Key: c.spell(c.key), UploadID: id, PartNumberMarker: after, MaxParts: most, IsTruncated: more,
		ChecksumAlgorithm: string(u.Algorithm), ChecksumType: u.ChecksumType,
		owned: owned{s.owner(), s.owner()}, StorageClass: "STANDARD",
	}
	for _, p := range list {
		out.Part = append(out.Part, partXML{p.Number, stamp(p.Stored), quoted(p.ETag), p.Size, checksumsOf(p.Checksum)})
		out.NextPartNumberMarker = p.Number
	}
	c.writeXML(http.StatusOK, out)
	return nil
}

type uploadXML struct {
	Key      string
	UploadID string `xml:"UploadId"`
	owned
	StorageClass      string
	Initiated         string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

type uploadsXML struct {
	XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
	Prefix             string
	Delimiter          string `xml:",omitempty"`
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Upload             []uploadXML
	CommonPrefixes     []prefixXML
}

func (s *Server) listMultipartUploads(ctx context.Context, c *call) error {
	q, err := c.listing("max-uploads", "key-marker", "upload-id-marker")
	if err != nil {
		return err
	}
	page, err := s.o.Files.Uploads(ctx, c.bucket, q)
	if err != nil {
		return err
	}
	out := uploadsXML{
		Bucket: c.bucket, KeyMarker: c.spell(q.After), UploadIDMarker: q.AfterID, Prefix: c.spell(q.Prefix), Delimiter: c.spell(q.Delimiter),
		EncodingType: c.query.Get("encoding-type"), MaxUploads: q.Max, IsTruncated: page.More, CommonPrefixes: c.prefixes(page.Prefixes),
	}
	if page.More {
		out.NextKeyMarker, out.NextUploadIDMarker = c.spell(page.Next), page.NextID
	}
	for _, u := range page.Items {
		out.Upload = append(out.Upload, uploadXML{
			Key: c.spell(u.Key), UploadID: u.ID, owned: owned{s.owner(), s.owner()}, StorageClass: "STANDARD",
			Initiated: stamp(u.Begun), ChecksumAlgorithm: string(u.Algorithm), ChecksumType: u.ChecksumType,
		})
	}
	c.writeXML(http.StatusOK, out)
	return nil
}
