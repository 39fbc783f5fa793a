package s3api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
)

// level says whether a path names nothing, a bucket or an object.
type level int

const (
	service level = iota // nothing
	bucket
	object
)

// operation is a row of the table of operations: how it is recognised and what serves it.
type operation struct {
	name   string
	method string
	on     level
	// sub is the parameter that distinguishes it from others with the same method and
	// path; empty for none.
	sub    string
	action string // its name in policies; empty when run calls authorize itself
	run    func(s *Server, ctx context.Context, c *call) error
}

// operations are in order: the first that matches a request is taken.
var operations = []operation{
	{"ListBuckets", http.MethodGet, service, "", "s3:ListAllMyBuckets", (*Server).listBuckets},

	{"GetBucketLocation", http.MethodGet, bucket, "location", "s3:GetBucketLocation", (*Server).getBucketLocation},
	{"GetBucketVersioning", http.MethodGet, bucket, "versioning", "s3:GetBucketVersioning", (*Server).getBucketVersioning},
	{"ListObjectVersions", http.MethodGet, bucket, "versions", "s3:ListBucketVersions", (*Server).listObjectVersions},
	{"ListMultipartUploads", http.MethodGet, bucket, "uploads", "s3:ListBucketMultipartUploads", (*Server).listMultipartUploads},
	{"ListObjectsV2", http.MethodGet, bucket, "list-type", "s3:ListBucket", (*Server).listObjectsV2},
	{"ListObjects", http.MethodGet, bucket, "", "s3:ListBucket", (*Server).listObjects},
	{"HeadBucket", http.MethodHead, bucket, "", "s3:ListBucket", (*Server).headBucket},
	{"PutBucketVersioning", http.MethodPut, bucket, "versioning", "s3:PutBucketVersioning", (*Server).putBucketVersioning},
	{"CreateBucket", http.MethodPut, bucket, "", "s3:CreateBucket", (*Server).createBucket},
	{"DeleteBucket", http.MethodDelete, bucket, "", "s3:DeleteBucket", (*Server).deleteBucket},
	{"DeleteObjects", http.MethodPost, bucket, "delete", "", (*Server).deleteObjects}, // authorized for each key

	{"ListParts", http.MethodGet, object, "uploadId", "s3:ListMultipartUploadParts", (*Server).listParts},
	{"GetObjectTagging", http.MethodGet, object, "tagging", "s3:GetObjectTagging", (*Server).getObjectTagging},
	{"GetObject", http.MethodGet, object, "", "s3:GetObject", (*Server).getObject},
	{"HeadObject", http.MethodHead, object, "", "s3:GetObject", (*Server).headObject},
	{"UploadPart", http.MethodPut, object, "uploadId", "s3:PutObject", (*Server).uploadPart},
	{"PutObject", http.MethodPut, object, "", "s3:PutObject", (*Server).putObject},
	{"CreateMultipartUpload", http.MethodPost, object, "uploads", "s3:PutObject", (*Server).createMultipartUpload},
	{"CompleteMultipartUpload", http.MethodPost, object, "uploadId", "s3:PutObject", (*Server).completeMultipartUpload},
	{"AbortMultipartUpload", http.MethodDelete, object, "uploadId", "s3:AbortMultipartUpload", (*Server).abortMultipartUpload},
	{"DeleteObject", http.MethodDelete, object, "", "s3:DeleteObject", (*Server).deleteObject},
}

// Actions returns the actions of this API that policies can name, sorted.
func Actions() []string {
	actions := []string{"s3:GetObjectVersion", "s3:DeleteObjectVersion"} // see call.authorize
	for _, op := range operations {
		if op.action != "" {
			actions = append(actions, op.action)
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// parameters are those that do not choose an operation. One that is neither here nor in a
// row of operations belongs to a missing feature of S3.
var parameters = []string{
	"continuation-token", "delimiter", "encoding-type", "fetch-owner", "key-marker", "marker", "max-keys", "max-parts",
	"max-uploads", "max-buckets", "part-number-marker", "partNumber", "prefix", "bucket-region", "start-after", "upload-id-marker",
	"version-id-marker", "versionId", "x-id",
	"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
	"response-content-type", "response-expires",
}

// find returns the operation of a request.
func find(c *call) (operation, error) {
	on := service
	switch {
	case c.key != "":
		on = object
	case c.bucket != "":
		on = bucket
	}
	known := false
	for _, op := range operations {
		if op.on != on {
			continue
		}
		if known = known || op.sub == ""; op.method == c.r.Method && (op.sub == "" || c.query.Has(op.sub)) && understood(c.query, op) {
			return op, nil
		}
	}
	if slices.ContainsFunc(operations, func(op operation) bool { return op.on == on && op.method == c.r.Method && op.sub == "" }) {
		return operation{}, refuse("NotImplemented", "A parameter you provided implies functionality that is not implemented.")
	}
	return operation{}, refuse("MethodNotAllowed", "The specified method is not allowed against this resource.")
}

// understood reports whether op supports all parameters of a query.
func understood(query url.Values, op operation) bool {
	for name := range query {
		if name != op.sub && !slices.Contains(parameters, name) && !signing(name) {
			return false
		}
	}
	return true
}
