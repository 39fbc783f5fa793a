package diskstore

import (
	"time"

	"github.com/muster-iot/muster/store"
)

// Attributes are what the uploader of an object states about it.
type Attributes struct {
	// Headers are returned with the object: Content-Type, Cache-Control,
	// Content-Disposition, Content-Encoding, Content-Language, Expires.
	Headers map[string]string `json:"headers,omitempty"`
	// Metadata is the client's metadata, by names without x-amz-meta-.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// record is one version of an object, or a delete marker.
type record struct {
	Attributes
	Blob     string   `json:"blob,omitempty"` // empty for a marker
	Size     int64    `json:"size"`
	ETag     string   `json:"etag,omitempty"` // without quotes
	Checksum Checksum `json:"checksum,omitzero"`
	SHA256   string   `json:"sha256,omitempty"` // of the content, in hex, where the ETag is not its MD5
	Parts    int      `json:"parts,omitempty"`  // of a multipart upload; else 0
	Modified int64    `json:"modified"`         // milliseconds since the epoch
	Order    string   `json:"order"`            // sorts the versions of a key, the newest first
	Null     bool     `json:"null,omitempty"`   // its version is NullVersion
	Marker   bool     `json:"marker,omitempty"`
}

// NullVersion is the version id of an object that was stored without versioning.
const NullVersion = "null"

// version returns the id of the version.
func (r record) version() string {
	if r.Null {
		return NullVersion
	}
	return r.Order
}

// Version is one version of an object, or a delete marker.
type Version struct {
	Key string
	Attributes
	ID       string // NullVersion without versioning
	Latest   bool
	Marker   bool // a delete marker; of the following it has Modified only
	Modified time.Time
	Size     int64
	ETag     string // without quotes
	Checksum Checksum
	Parts    int // of a multipart upload; 0 without one
}

func (r record) show(key string, latest bool) Version {
	return Version{
		Key: key, Attributes: r.Attributes, ID: r.version(), Latest: latest, Marker: r.Marker,
		Modified: time.UnixMilli(r.Modified).UTC(), Size: r.Size, ETag: r.ETag, Checksum: r.Checksum, Parts: r.Parts,
	}
}

// current returns the current version of an object and the newest of the others; each
// is nil when there is none.
func current(r store.Reader, bucket, key string) (now *record, then *record, err error) {
	if now, err = objects.Get(r, store.JoinKey(bucket, key)); err != nil {
		return nil, nil, err
	}
	from, to := store.Under(bucket, key)
	for row, err := range olds.Scan(r, from, to) {
		if err != nil {
			return nil, nil, err
		}
		return now, &row.Value, nil
	}
	return now, nil, nil
}

// find returns a version of an object, the current one when version is empty. With an
// Error that has a Marker, the record is the delete marker.
func find(r store.Reader, bucket, key, version string) (found record, latest bool, err error) {
	if _, err := bucketOf(r, bucket); err != nil {
		return record{}, false, err
	}
	now, then, err := current(r, bucket, key)
	if err != nil {
		return record{}, false, err
	}
	if version == "" {
		switch {
		case now != nil:
			return *now, true, nil
		case then != nil && then.Marker:
			return *then, true, &Error{Code: NoSuchKey, Message: noSuchKey, Marker: then.version()}
		}
		return record{}, false, refuse(NoSuchKey, noSuchKey)
	}
	if now != nil && now.version() == version {
		return *now, true, nil
	}
	old, err := oldVersion(r, bucket, key, version)
	switch {
	case err != nil:
		return record{}, false, err
	case old == nil:
		return record{}, false, refuse(NoSuchVersion, "The specified version does not exist.")
	}
	latest = now == nil && then.Order == old.Order
	if old.Marker {
		return *old, latest, &Error{Code: MethodNotAllowed, Message: "The specified version is a delete marker.", Marker: old.version()}
	}
	return *old, latest, nil
}

const noSuchKey = "The specified key does not exist."

// oldVersion returns a version that is not current, nil when there is none.
func oldVersion(r store.Reader, bucket, key, version string) (*record, error) {
	if version != NullVersion {
		if len(version) != orderLength { // a longer text may contain what a key of the index must not
			return nil, nil
		}
		old, err := olds.Get(r, store.JoinKey(bucket, key, version))
		if old != nil && old.Null {
			old = nil
		}
		return old, err
	}
	from, to := store.Under(bucket, key)
	for row, err := range olds.Scan(r, from, to) {
		if err != nil {
			return nil, err
		}
		if row.Value.Null {
			return &row.Value, nil
		}
	}
	return nil, nil
}
