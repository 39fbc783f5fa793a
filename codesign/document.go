package codesign

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// Element is the codesign element of a job document (jobs-control-plane.md section
// 6.5). It includes the certificates, for devices that know only their issuers.
type Element struct {
	RawPayloadSize     int64     `json:"rawPayloadSize"`
	Signature          string    `json:"signature"`
	SignatureAlgorithm string    `json:"signatureAlgorithm"`
	Certificate        string    `json:"certificate,omitempty"` // PEM
	PayloadLocation    *Location `json:"payloadLocation,omitempty"`
}

// Location is where the signed file is stored.
type Location struct {
	S3 S3Object `json:"s3"`
}

// S3Object names an object; without Version, the current version.
type S3Object struct {
	BucketName string `json:"bucketName"`
	Key        string `json:"key"`
	Version    string `json:"version,omitempty"`
}

// ParseS3Object reads s3://bucket/key or s3://bucket/key?versionId=version.
func ParseS3Object(text string) (S3Object, error) {
	plain, query, _ := strings.Cut(strings.TrimPrefix(text, "s3://"), "?")
	bucket, key, _ := strings.Cut(plain, "/")
	values, err := url.ParseQuery(query)
	if err != nil || !strings.HasPrefix(text, "s3://") || bucket == "" || key == "" {
		return S3Object{}, fmt.Errorf("%q is not s3://bucket/key?versionId=…", text)
	}
	return S3Object{BucketName: bucket, Key: key, Version: values.Get("versionId")}, nil
}

// Element returns the codesign element of a file that p signed; at may be nil.
func (p *Profile) Element(s Signature, at *S3Object) Element {
	e := Element{RawPayloadSize: s.Size, Signature: s.String(), SignatureAlgorithm: p.Type.Algorithm(), Certificate: p.ChainPEM()}
	if at != nil {
		e.PayloadLocation = &Location{*at}
	}
	return e
}

// FreeRTOS returns the members of an afr_ota document of FreeRTOS that describe a
// file that p signed, as JSON.
func (p *Profile) FreeRTOS(s Signature) ([]byte, error) {
	return json.Marshal(map[string]any{"filesize": s.Size, p.Type.Member(): s.String()})
}
