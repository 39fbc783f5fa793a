package s3api

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/internal/respond"
	"github.com/muster-iot/muster/sigv4"
)

// xmlMax is the longest XML body, in bytes: enough for 10,000 parts with their checksums,
// or 1,000 long keys.
const xmlMax = 4 << 20

// readXML reads and verifies the whole body before it decodes it.
func (c *call) readXML(into any) error {
	text, err := io.ReadAll(io.LimitReader(c.body, xmlMax+1))
	switch {
	case err != nil:
		return err
	case len(text) > xmlMax:
		return refuse("MalformedXML", "The XML you provided is longer than %d bytes", xmlMax)
	case xml.Unmarshal(text, into) != nil:
		return refuse("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	return nil
}

type bucketsXML struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
	Owner   ownerXML
	Buckets []bucketXML `xml:"Buckets>Bucket"`
}

type ownerXML struct{ ID, DisplayName string }

type bucketXML struct{ Name, CreationDate string }

func (s *Server) owner() ownerXML { return ownerXML{s.o.Account, s.o.Account} }

func (s *Server) listBuckets(ctx context.Context, c *call) error {
	all, err := s.o.Files.Buckets(ctx)
	if err != nil {
		return err
	}
	out := bucketsXML{Owner: s.owner(), Buckets: []bucketXML{}}
	for _, b := range all {
		out.Buckets = append(out.Buckets, bucketXML{b.Name, stamp(b.Created)})
	}
	c.writeXML(http.StatusOK, out)
	return nil
}

func (s *Server) createBucket(ctx context.Context, c *call) error {
	var in struct{ LocationConstraint string }
	if err := c.readXML(&in); err != nil && !emptyBody(c, err) {
		return err
	}
	if in.LocationConstraint != "" && in.LocationConstraint != s.o.Region {
		return refuse("IllegalLocationConstraintException", "The %s location constraint is incompatible for the region specific endpoint this request was sent to.", respond.Clip(in.LocationConstraint))
	}
	if c.r.Header.Get("X-Amz-Bucket-Object-Lock-Enabled") == "true" {
		return refuse("NotImplemented", "A header you provided implies functionality that is not implemented.")
	}
	if err := s.o.Files.CreateBucket(ctx, c.bucket); err != nil {
		return err
	}
	c.w.Header().Set("Location", "/"+c.bucket)
	c.w.Header().Set("Content-Length", "0")
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// emptyBody reports whether err is that of readXML for an empty body.
func emptyBody(c *call, err error) bool {
	_, unsigned := errors.AsType[*sigv4.Error](err)
	return c.r.ContentLength == 0 && !unsigned
}

func (s *Server) headBucket(ctx context.Context, c *call) error {
	if _, err := s.o.Files.Bucket(ctx, c.bucket); err != nil {
		return err
	}
	c.w.Header().Set("X-Amz-Bucket-Region", s.o.Region)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) deleteBucket(ctx context.Context, c *call) error {
	if err := s.o.Files.DeleteBucket(ctx, c.bucket); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

type locationXML struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
	Region  string   `xml:",chardata"`
}

func (s *Server) getBucketLocation(ctx context.Context, c *call) error {
	if _, err := s.o.Files.Bucket(ctx, c.bucket); err != nil {
		return err
	}
	region := s.o.Region
	if region == "us-east-1" { // the oldest region has none in its answer
		region = ""
	}
	c.writeXML(http.StatusOK, locationXML{Region: region})
	return nil
}

type versioningXML struct {
	XMLName xml.Name             `xml:"http://s3.amazonaws.com/doc/2006-03-01/ VersioningConfiguration"`
	Status  diskstore.Versioning `xml:",omitempty"`
}

func (s *Server) getBucketVersioning(ctx context.Context, c *call) error {
	b, err := s.o.Files.Bucket(ctx, c.bucket)
	if err != nil {
		return err
	}
	c.writeXML(http.StatusOK, versioningXML{Status: b.Versioning})
	return nil
}

func (s *Server) putBucketVersioning(ctx context.Context, c *call) error {
	var in struct{ Status, MfaDelete string }
	if err := c.readXML(&in); err != nil {
		return err
	}
	if in.MfaDelete == "Enabled" {
		return refuse("NotImplemented", "MFA Delete is not implemented.")
	}
	if err := s.o.Files.SetVersioning(ctx, c.bucket, diskstore.Versioning(in.Status)); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}
