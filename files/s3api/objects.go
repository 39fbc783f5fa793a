package s3api

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/muster-iot/muster/files/diskstore"
)

func (s *Server) putObject(ctx context.Context, c *call) error {
	if c.r.Header.Get("X-Amz-Copy-Source") != "" {
		return s.copyObject(ctx, c)
	}
	content, err := c.content()
	if err != nil {
		return err
	}
	if c.own {
		content.Max = s.o.Limits.LinkBytes
	}
	a, err := attributes(c.r.Header)
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
	v, err := s.o.Files.Put(ctx, c.bucket, c.key, content, a, p)
	if err != nil {
		return err
	}
	header := c.w.Header()
	header.Set("ETag", quoted(v.ETag))
	version(header, v.ID)
	checksum(header, v.Checksum)
	header.Set("Content-Length", "0")
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func quoted(etag string) string { return `"` + etag + `"` }

func (s *Server) headObject(ctx context.Context, c *call) error {
	v, err := s.o.Files.Stat(ctx, c.bucket, c.key, c.query.Get("versionId"))
	if err != nil {
		return err
	}
	_, err = c.describe(v)
	return err
}

func (s *Server) getObject(ctx context.Context, c *call) error {
	if !take(s.downloads) {
		return errBusy
	}
	defer func() { <-s.downloads }()
	f, v, err := s.o.Files.Open(ctx, c.bucket, c.key, c.query.Get("versionId"))
	if err != nil {
		return err
	}
	defer f.Close()
	part, err := c.describe(v)
	if err != nil || part.length == 0 {
		return err
	}
	if part.start > 0 {
		if _, err := f.Seek(part.start, io.SeekStart); err != nil {
			return err
		}
	}
	return c.send(f, part.length)
}

// describe answers with the headers of an object, or with 304 when the caller has it
// already. It returns the part of the content that must follow.
func (c *call) describe(v diskstore.Version) (extent, error) {
	if c.query.Has("partNumber") {
		return extent{}, refuse("NotImplemented", "A part of an object is had by its range.")
	}
	header := c.w.Header()
	header.Set("ETag", quoted(v.ETag))
	header.Set("Last-Modified", v.Modified.Format(http.TimeFormat))
	version(header, v.ID)
	switch checkConditions(c.r.Header, v) {
	case http.StatusNotModified:
		c.w.WriteHeader(http.StatusNotModified)
		return extent{}, nil
	case http.StatusPreconditionFailed:
		return extent{}, refuse("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	}
	part, partial := requested(c.r.Header, v)
	if partial && part.length == 0 {
		header.Set("Content-Range", "bytes */"+strconv.FormatInt(v.Size, 10))
		return extent{}, refuse("InvalidRange", "The requested range is not satisfiable")
	}
	c.attributes(v)
	header.Set("Accept-Ranges", "bytes")
	header.Set("Content-Length", strconv.FormatInt(part.length, 10))
	if partial {
		header.Set("Content-Range", part.contentRange(v.Size))
		c.w.WriteHeader(http.StatusPartialContent)
		return part, nil
	}
	if c.r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" { // of all bytes, so never with a part
		checksum(header, v.Checksum)
	}
	c.w.WriteHeader(http.StatusOK)
	return part, nil
}

// attributes sets the headers of an object from its attributes, or as the caller asks for
// them instead. The content may be anything, so browsers are told not to guess its type
// and not to run it.
func (c *call) attributes(v diskstore.Version) {
	header := c.w.Header()
	header.Set("Content-Type", "binary/octet-stream")
	for name, value := range v.Headers {
		header.Set(name, value)
	}
	for _, name := range kept {
		if value := c.query.Get("response-" + strings.ToLower(name)); value != "" {
			header.Set(name, value)
		}
	}
	for name, value := range v.Metadata {
		header[strings.ToLower(metadataPrefix)+name] = []string{value} // in lower case, because some clients show the name as sent
	}
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
}

func (s *Server) deleteObject(ctx context.Context, c *call) error {
	done, err := s.o.Files.Delete(ctx, c.bucket, c.key, c.query.Get("versionId"))
	if err != nil {
		return err
	}
	version(c.w.Header(), done.Version)
	if done.Marker {
		c.w.Header().Set("X-Amz-Delete-Marker", "true")
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

type copyResult struct {
	XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CopyObjectResult"`
	ETag         string
	LastModified string
}

// copyObject copies within the store (CopyObject, whose method and path are those of
// PutObject).
func (s *Server) copyObject(ctx context.Context, c *call) error {
	c.called("CopyObject")
	from, err := s.source(ctx, c)
	if err != nil {
		return err
	}
	var a *diskstore.Attributes
	switch directive := c.r.Header.Get("X-Amz-Metadata-Directive"); directive {
	case "", "COPY":
		if from.bucket == c.bucket && from.Key == c.key && !from.named {
			return refuse("InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
		}
		_, err = attributes(c.r.Header) // to refuse missing features
	case "REPLACE":
		var given diskstore.Attributes
		given, err = attributes(c.r.Header)
		a = &given
	default:
		err = refuse("InvalidArgument", "Unknown metadata directive.")
	}
	if err != nil {
		return err
	}
	v, err := s.o.Files.Copy(ctx, from.bucket, from.Key, from.ID, c.bucket, c.key, a)
	if err != nil {
		return err
	}
	version(c.w.Header(), v.ID)
	c.writeXML(http.StatusOK, copyResult{ETag: quoted(v.ETag), LastModified: stamp(v.Modified)})
	return nil
}

// source is the object that a request copies.
type source struct {
	diskstore.Version
	bucket string
	named  bool // the request names the version
}

// source reads X-Amz-Copy-Source, and checks that the caller may read that object and that
// the conditions of the request hold for it.
func (s *Server) source(ctx context.Context, c *call) (source, error) {
	text, versionID, named := strings.Cut(c.r.Header.Get("X-Amz-Copy-Source"), "?versionId=")
	text, err := url.PathUnescape(strings.TrimPrefix(text, "/"))
	bucket, key, ok := strings.Cut(strings.TrimPrefix(text, "/"), "/")
	if err != nil || !ok {
		return source{}, refuse("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	action := "s3:GetObject"
	if named {
		action = "s3:GetObjectVersion"
	}
	c.attempt.Resources = append(c.attempt.Resources, bucketARN(bucket)+"/"+key)
	if err := c.caller.Authorize(action, []string{bucketARN(bucket) + "/" + key}, c.vars); err != nil {
		return source{}, err
	}
	v, err := s.o.Files.Stat(ctx, bucket, key, versionID)
	if err != nil {
		return source{}, err
	}
	conditions := http.Header{}
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if value := c.r.Header.Get("X-Amz-Copy-Source-" + name); value != "" {
			conditions.Set(name, value)
		}
	}
	if checkConditions(conditions, v) != http.StatusOK {
		return source{}, refuse("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	}
	return source{v, bucket, named}, nil
}

// stamp formats an instant as S3 does in XML.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

type taggingXML struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ Tagging"`
	TagSet  struct{}
}

// getObjectTagging answers that an object has no tags, since there are none here. Clients
// ask before they copy an object.
func (s *Server) getObjectTagging(ctx context.Context, c *call) error {
	if _, err := s.o.Files.Stat(ctx, c.bucket, c.key, c.query.Get("versionId")); err != nil {
		return err
	}
	c.writeXML(http.StatusOK, taggingXML{})
	return nil
}
