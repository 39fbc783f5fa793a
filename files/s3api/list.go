package s3api

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"strconv"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/sigv4"
)

// spell returns a name as written in a listing: escaped if the caller asks for that,
// since XML cannot contain every key.
func (c *call) spell(name string) string {
	if c.query.Get("encoding-type") == "url" {
		return sigv4.EscapePath(name)
	}
	return name
}

// listing reads the parameters that all listings have in common. limit is the name of
// the one that bounds the page.
func (c *call) listing(limit, after, afterID string) (diskstore.Query, error) {
	q := diskstore.Query{
		Prefix: c.query.Get("prefix"), Delimiter: c.query.Get("delimiter"),
		After: c.query.Get(after), Max: diskstore.ListMax,
	}
	if afterID != "" && q.After != "" {
		q.AfterID = c.query.Get(afterID)
	}
	if coding := c.query.Get("encoding-type"); coding != "" && coding != "url" {
		return q, refuse("InvalidArgument", "Invalid Encoding Method specified in Request")
	}
	n, err := c.number(limit, diskstore.ListMax)
	q.Max = min(n, diskstore.ListMax)
	return q, err
}

// number reads a parameter that is a number of at least 0; absent is its default.
func (c *call) number(name string, absent int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, refuse("InvalidArgument", "Provided %s not an integer or within integer range", name)
	}
	return int(n), nil
}

type prefixXML struct{ Prefix string }

func (c *call) prefixes(all []string) []prefixXML {
	var out []prefixXML
	for _, p := range all {
		out = append(out, prefixXML{c.spell(p)})
	}
	return out
}

type objectXML struct {
	Key               string
	LastModified      string
	ETag              string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              int64
	Owner             *ownerXML `xml:",omitempty"`
	StorageClass      string
}

type objectsXML struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	Marker                *string `xml:",omitempty"`
	NextMarker            string  `xml:",omitempty"`
	StartAfter            string  `xml:",omitempty"`
	ContinuationToken     string  `xml:",omitempty"`
	NextContinuationToken string  `xml:",omitempty"`
	KeyCount              *int    `xml:",omitempty"`
	MaxKeys               int
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []objectXML
	CommonPrefixes        []prefixXML
}

// objectsPage returns what ListObjects and ListObjectsV2 have in common.
func (s *Server) objectsPage(ctx context.Context, c *call, q diskstore.Query, owned bool) (objectsXML, diskstore.Page[diskstore.Version], error) {
	page, err := s.o.Files.List(ctx, c.bucket, q)
	if err != nil {
		return objectsXML{}, page, err
	}
	out := objectsXML{
		Name: c.bucket, Prefix: c.spell(q.Prefix), MaxKeys: q.Max, Delimiter: c.spell(q.Delimiter),
		EncodingType: c.query.Get("encoding-type"), IsTruncated: page.More, CommonPrefixes: c.prefixes(page.Prefixes),
	}
	for _, v := range page.Items {
		o := objectXML{
			Key: c.spell(v.Key), LastModified: stamp(v.Modified), ETag: quoted(v.ETag), Size: v.Size, StorageClass: "STANDARD",
			ChecksumAlgorithm: string(v.Checksum.Algorithm), ChecksumType: v.Checksum.Type(),
		}
		if owned {
			owner := s.owner()
			o.Owner = &owner
		}
		out.Contents = append(out.Contents, o)
	}
	return out, page, nil
}

func (s *Server) listObjects(ctx context.Context, c *call) error {
	q, err := c.listing("max-keys", "marker", "")
	if err != nil {
		return err
	}
	out, page, err := s.objectsPage(ctx, c, q, true)
	if err != nil {
		return err
	}
	marker := c.spell(q.After)
	out.Marker = &marker
	if page.More {
		out.NextMarker = c.spell(page.Next)
	}
	c.writeXML(http.StatusOK, out)
	return nil
}

func (s *Server) listObjectsV2(ctx context.Context, c *call) error {
	if c.query.Get("list-type") != "2" {
		return refuse("InvalidArgument", "Invalid List Type specified in Request")
	}
	q, err := c.listing("max-keys", "start-after", "")
	if err != nil {
		return err
	}
	token := c.query.Get("continuation-token")
	if token != "" {
		after, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return refuse("InvalidArgument", "The continuation token provided is incorrect")
		}
		q.After = string(after)
	}
	out, page, err := s.objectsPage(ctx, c, q, c.query.Get("fetch-owner") == "true")
	if err != nil {
		return err
	}
	count := len(out.Contents) + len(out.CommonPrefixes)
	out.KeyCount, out.ContinuationToken, out.StartAfter = &count, token, c.spell(c.query.Get("start-after"))
	if page.More {
		out.NextContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(page.Next))
	}
	c.writeXML(http.StatusOK, out)
	return nil
}

type versionXML struct {
	XMLName           xml.Name // Version or DeleteMarker
	Key               string
	VersionID         string `xml:"VersionId"`
	IsLatest          bool
	LastModified      string
	ETag              string `xml:",omitempty"`
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              *int64 `xml:",omitempty"`
	StorageClass      string `xml:",omitempty"`
	Owner             ownerXML
}

type versionsXML struct {
	XMLName             xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListVersionsResult"`
	Name                string
	Prefix              string
	KeyMarker           string
	VersionIDMarker     string `xml:"VersionIdMarker"`
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
	MaxKeys             int
	Delimiter           string `xml:",omitempty"`
	EncodingType        string `xml:",omitempty"`
	IsTruncated         bool
	Versions            []versionXML
	CommonPrefixes      []prefixXML
}

func (s *Server) listObjectVersions(ctx context.Context, c *call) error {
	q, err := c.listing("max-keys", "key-marker", "version-id-marker")
	if err != nil {
		return err
	}
	page, err := s.o.Files.ListVersions(ctx, c.bucket, q)
	if err != nil {
		return err
	}
	out := versionsXML{
		Name: c.bucket, Prefix: c.spell(q.Prefix), KeyMarker: c.spell(q.After), VersionIDMarker: q.AfterID, MaxKeys: q.Max,
		Delimiter: c.spell(q.Delimiter), EncodingType: c.query.Get("encoding-type"), IsTruncated: page.More,
		CommonPrefixes: c.prefixes(page.Prefixes),
	}
	if page.More {
		out.NextKeyMarker, out.NextVersionIDMarker = c.spell(page.Next), page.NextID
	}
	for _, v := range page.Items {
		shown := versionXML{
			XMLName: xml.Name{Local: "Version"}, Key: c.spell(v.Key), VersionID: v.ID, IsLatest: v.Latest,
			LastModified: stamp(v.Modified), Owner: s.owner(),
		}
		if v.Marker {
			shown.XMLName.Local = "DeleteMarker"
		} else {
			size := v.Size
			shown.ETag, shown.Size, shown.StorageClass = quoted(v.ETag), &size, "STANDARD"
			shown.ChecksumAlgorithm, shown.ChecksumType = string(v.Checksum.Algorithm), v.Checksum.Type()
		}
		out.Versions = append(out.Versions, shown)
	}
	c.writeXML(http.StatusOK, out)
	return nil
}
