package s3api

import (
	"context"
	"encoding/xml"
	"net/http"

	"github.com/muster-iot/muster/files/diskstore"
)

type deleteXML struct {
	Quiet  bool
	Object []struct {
		Key       string
		VersionID string `xml:"VersionId"`
	}
}

type deletedXML struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
	Deleted []deletedObjectXML
	Errors  []deleteErrorXML `xml:"Error"`
}

type deletedObjectXML struct {
	Key                   string
	VersionID             string `xml:"VersionId,omitempty"`
	DeleteMarker          bool   `xml:",omitempty"`
	DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId,omitempty"`
}

type deleteErrorXML struct {
	Key       string
	VersionID string `xml:"VersionId,omitempty"`
	Code      string
	Message   string
}

// deleteObjects deletes up to diskstore.ListMax objects, each independently.
func (s *Server) deleteObjects(ctx context.Context, c *call) error {
	var in deleteXML
	if err := c.readXML(&in); err != nil {
		return err
	}
	if len(in.Object) == 0 || len(in.Object) > diskstore.ListMax {
		return refuse("MalformedXML", "Between 1 and %d objects can be deleted at once", diskstore.ListMax)
	}
	if _, err := s.o.Files.Bucket(ctx, c.bucket); err != nil {
		return err
	}
	for _, o := range in.Object {
		c.attempt.Resources = append(c.attempt.Resources, bucketARN(c.bucket)+"/"+o.Key)
	}
	var out deletedXML
	for _, o := range in.Object {
		done, err := s.deleteOne(ctx, c, o.Key, o.VersionID)
		switch {
		case err != nil:
			f := failureOf(c, err)
			if f.code == internalError {
				return err
			}
			s.refused(ctx, c, err)
			out.Errors = append(out.Errors, deleteErrorXML{o.Key, o.VersionID, f.code, f.message})
		case !in.Quiet:
			shown := deletedObjectXML{Key: o.Key, VersionID: o.VersionID, DeleteMarker: done.Marker}
			if done.Marker {
				shown.DeleteMarkerVersionID = done.Version
			}
			out.Deleted = append(out.Deleted, shown)
		}
	}
	c.writeXML(http.StatusOK, out)
	return nil
}

func (s *Server) deleteOne(ctx context.Context, c *call, key, version string) (diskstore.Deleted, error) {
	action := "s3:DeleteObject"
	if version != "" {
		action = "s3:DeleteObjectVersion"
	}
	if err := c.caller.Authorize(action, []string{bucketARN(c.bucket) + "/" + key}, c.vars); err != nil {
		return diskstore.Deleted{}, err
	}
	return s.o.Files.Delete(ctx, c.bucket, key, version)
}
