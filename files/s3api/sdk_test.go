package s3api_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
)

// wantCode fails unless err is an error of the API with the code.
func wantCode(t *testing.T, call string, err error, code string) {
	t.Helper()
	var modelled smithy.APIError
	if !errors.As(err, &modelled) || modelled.ErrorCode() != code {
		t.Errorf("%s = %v, want %s", call, err, code)
	}
}

// The SDK works with its defaults, over HTTP and over TLS, where it sends bodies in chunks
// with a trailer.
func TestTheStockClient(t *testing.T) {
	plain := newEnv(t, s3api.Options{}, "", diskstore.Limits{})
	secure := newEnv(t, s3api.Options{}, "", diskstore.Limits{})
	handler := secure.Config.Handler
	secure.Close()
	secure.Server = httptest.NewTLSServer(handler)
	t.Cleanup(secure.Close)
	for scheme, e := range map[string]*env{"http": plain, "https": secure} {
		t.Run(scheme, func(t *testing.T) { roundTrip(t, e) })
	}
}

func roundTrip(t *testing.T, e *env) {
	c, ctx := e.client(admin), t.Context()
	lab := aws.String("lab")
	for _, key := range []string{"plain", "a b/ä€+~(*)'!/x%2F?&=#.bin", "dots/../up", "//lead//"} {
		for _, algorithm := range []types.ChecksumAlgorithm{
			"", types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme, types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
		} {
			text := strings.Repeat("0123456789", 20_000) + string(algorithm)
			put, err := c.PutObject(ctx, &s3.PutObjectInput{
				Bucket: lab, Key: &key, Body: strings.NewReader(text), ChecksumAlgorithm: algorithm,
				ContentType: aws.String("text/plain"), CacheControl: aws.String("no-store"), Metadata: map[string]string{"by": "me"},
			})
			if err != nil {
				t.Fatalf("PutObject(%q, %s) = %v", key, algorithm, err)
			}
			got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: lab, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
			if err != nil {
				t.Fatalf("GetObject(%q) = %v", key, err)
			}
			body, err := io.ReadAll(got.Body) // which checks the checksum
			got.Body.Close()
			if err != nil || string(body) != text {
				t.Errorf("GetObject(%q, %s) reads %d bytes, %v", key, algorithm, len(body), err)
			}
			if *got.ETag != *put.ETag || *got.ContentType != "text/plain" || *got.CacheControl != "no-store" || got.Metadata["by"] != "me" || got.ContentEncoding != nil {
				t.Errorf("GetObject(%q) = %+v", key, got)
			}
		}
	}
	listed, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: lab, Prefix: aws.String("a b/"), EncodingType: types.EncodingTypeUrl})
	if err != nil || len(listed.Contents) != 1 || *listed.KeyCount != 1 {
		t.Errorf("ListObjectsV2 = %+v, %v", listed, err)
	}
	multipart(t, c)
	copies(t, c)
	deletes(t, c)
}

func multipart(t *testing.T, c *s3.Client) {
	t.Helper()
	ctx, lab, key := t.Context(), aws.String("lab"), aws.String("multi/part")
	large := bytes.Repeat([]byte("x"), diskstore.PartMin)
	for _, algorithm := range []types.ChecksumAlgorithm{"", types.ChecksumAlgorithmSha256, types.ChecksumAlgorithmCrc64nvme} {
		u, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: lab, Key: key, ChecksumAlgorithm: algorithm})
		if err != nil {
			t.Fatal(err)
		}
		var done []types.CompletedPart
		for i, part := range [][]byte{large, []byte("the rest")} {
			p, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: lab, Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(part), ChecksumAlgorithm: algorithm})
			if err != nil {
				t.Fatal(err)
			}
			done = append(done, types.CompletedPart{
				PartNumber: aws.Int32(int32(i + 1)), ETag: p.ETag,
				ChecksumCRC32: p.ChecksumCRC32, ChecksumSHA256: p.ChecksumSHA256, ChecksumCRC64NVME: p.ChecksumCRC64NVME,
			})
		}
		listed, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: lab, Key: key, UploadId: u.UploadId, MaxParts: aws.Int32(1)})
		if err != nil || len(listed.Parts) != 1 || !*listed.IsTruncated || *listed.NextPartNumberMarker != "1" || *listed.Parts[0].Size != diskstore.PartMin {
			t.Errorf("ListParts = %+v, %v", listed, err)
		}
		unfinished, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: lab})
		if err != nil || len(unfinished.Uploads) != 1 || *unfinished.Uploads[0].UploadId != *u.UploadId {
			t.Errorf("ListMultipartUploads = %+v, %v", unfinished, err)
		}
		made, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: lab, Key: key, UploadId: u.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
		})
		if err != nil || !strings.HasSuffix(*made.ETag, `-2"`) {
			t.Fatalf("CompleteMultipartUpload (%s) = %+v, %v", algorithm, made, err)
		}
		got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: lab, Key: key, ChecksumMode: types.ChecksumModeEnabled})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil || string(body) != string(large)+"the rest" {
			t.Errorf("GetObject after it reads %d bytes, %v", len(body), err)
		}
	}
	u, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: lab, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: lab, Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(1), CopySource: aws.String("lab/plain"), CopySourceRange: aws.String("bytes=1-3")})
	if err != nil || *p.CopyPartResult.ETag != `"202cb962ac59075b964b07152d234b70"` { // of 123
		t.Errorf("UploadPartCopy = %+v, %v", p, err)
	}
	if _, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: lab, Key: key, UploadId: u.UploadId}); err != nil {
		t.Errorf("AbortMultipartUpload = %v", err)
	}
	_, err = c.ListParts(ctx, &s3.ListPartsInput{Bucket: lab, Key: key, UploadId: u.UploadId})
	wantCode(t, "ListParts of what was aborted", err, "NoSuchUpload")
}

func copies(t *testing.T, c *s3.Client) {
	t.Helper()
	ctx, lab := t.Context(), aws.String("lab")
	from := aws.String("/lab/a%20b/%C3%A4%E2%82%AC%2B~%28%2A%29%27%21/x%252F%3F%26%3D%23.bin")
	if _, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: lab, Key: aws.String("copy"), CopySource: from}); err != nil {
		t.Fatalf("CopyObject = %v", err)
	}
	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: lab, Key: aws.String("copy")})
	if err != nil || head.Metadata["by"] != "me" {
		t.Errorf("HeadObject of a copy = %+v, %v", head, err)
	}
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: lab, Key: aws.String("copy"), CopySource: aws.String("lab/copy")})
	wantCode(t, "CopyObject onto itself", err, "InvalidRequest")
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: lab, Key: aws.String("copy"), CopySource: aws.String("lab/copy"), MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"by": "you"},
	})
	if head, headErr := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: lab, Key: aws.String("copy")}); err != nil || headErr != nil || head.Metadata["by"] != "you" {
		t.Errorf("CopyObject with other metadata = %v, and then %+v", err, head)
	}
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: lab, Key: aws.String("copy2"), CopySource: aws.String("lab/copy"), CopySourceIfNoneMatch: head.ETag})
	wantCode(t, "CopyObject of what it must not be", err, "PreconditionFailed")
}

func deletes(t *testing.T, c *s3.Client) {
	t.Helper()
	ctx, lab := t.Context(), aws.String("lab")
	if _, err := c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: lab, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	one, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: lab, Key: aws.String("v"), Body: strings.NewReader("one")})
	if err != nil || one.VersionId == nil {
		t.Fatalf("PutObject with versions = %+v, %v", one, err)
	}
	gone, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: lab, Key: aws.String("v")})
	if err != nil || !*gone.DeleteMarker || gone.VersionId == nil {
		t.Errorf("DeleteObject = %+v, %v", gone, err)
	}
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: lab, Key: aws.String("v")})
	wantCode(t, "GetObject of what was deleted", err, "NoSuchKey")
	old, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: lab, Key: aws.String("v"), VersionId: one.VersionId})
	if err != nil || *old.VersionId != *one.VersionId {
		t.Fatalf("GetObject of a version = %+v, %v", old, err)
	}
	old.Body.Close()
	versions, err := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: lab, Prefix: aws.String("v")})
	if err != nil || len(versions.Versions) != 1 || len(versions.DeleteMarkers) != 1 || !*versions.DeleteMarkers[0].IsLatest {
		t.Errorf("ListObjectVersions = %+v, %v", versions, err)
	}

	all, err := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: lab})
	if err != nil {
		t.Fatal(err)
	}
	var ids []types.ObjectIdentifier
	for _, v := range all.Versions {
		ids = append(ids, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
	}
	for _, v := range all.DeleteMarkers {
		ids = append(ids, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
	}
	out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: lab, Delete: &types.Delete{Objects: ids}})
	if err != nil || len(out.Deleted) != len(ids) || len(out.Errors) != 0 {
		t.Errorf("DeleteObjects of %d = %+v, %v", len(ids), out, err)
	}
	if _, err := c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: lab}); err != nil {
		t.Errorf("DeleteBucket = %v", err)
	}
	_, err = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: lab})
	wantCode(t, "ListObjectsV2 of what is gone", err, "NoSuchBucket")
}

func TestBuckets(t *testing.T) {
	e := newEnv(t, s3api.Options{}, "", diskstore.Limits{})
	c, ctx := e.client(admin), t.Context()
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("more"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: region}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("more")})
	wantCode(t, "CreateBucket again", err, "BucketAlreadyOwnedByYou")
	_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("far"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "us-west-2"}})
	wantCode(t, "CreateBucket elsewhere", err, "IllegalLocationConstraintException")
	list, err := c.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil || len(list.Buckets) != 2 || *list.Buckets[1].Name != "more" || list.Buckets[1].CreationDate.IsZero() {
		t.Errorf("ListBuckets = %+v, %v", list, err)
	}
	at, err := c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("more")})
	if err != nil || at.LocationConstraint != region {
		t.Errorf("GetBucketLocation = %+v, %v", at, err)
	}
	head, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("more")})
	if err != nil || *head.BucketRegion != region {
		t.Errorf("HeadBucket = %+v, %v", head, err)
	}
	v, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String("more")})
	if err != nil || v.Status != "" {
		t.Errorf("GetBucketVersioning = %+v, %v", v, err)
	}
}

// The paginators of the SDK reach the end of both listings.
func TestPagination(t *testing.T) {
	e := newEnv(t, s3api.Options{}, "", diskstore.Limits{})
	c, ctx := e.client(admin), t.Context()
	for i := range 7 {
		e.must("PUT", fmt.Sprintf("/lab/%d/%%0Ax%%20", i), "")
	}
	n := 0
	for pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String("lab"), MaxKeys: aws.Int32(2), EncodingType: types.EncodingTypeUrl}); pages.HasMorePages(); n++ {
		if _, err := pages.NextPage(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n != 4 {
		t.Errorf("%d pages of 2 have 7 objects, want 4", n)
	}
	var prefixes []string
	marker := ""
	for more := true; more; {
		page, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: aws.String("lab"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(3), Marker: &marker})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.CommonPrefixes {
			prefixes = append(prefixes, *p.Prefix)
		}
		if more = *page.IsTruncated; more {
			marker = *page.NextMarker
		}
	}
	if got := strings.Join(prefixes, " "); got != "0/ 1/ 2/ 3/ 4/ 5/ 6/" {
		t.Errorf("ListObjects pages through %s", got)
	}
}

func TestPresignedByTheStockClient(t *testing.T) {
	e := newEnv(t, s3api.Options{}, "", diskstore.Limits{})
	p := s3.NewPresignClient(e.client(admin))
	put, err := p.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lab"), Key: aws.String("a b+ä")}, s3.WithPresignExpires(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(put.Method, put.URL, strings.NewReader("text"))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, put.SignedHeader)
	if got := e.send(r); got.status != 200 {
		t.Fatalf("PUT = %s", got)
	}
	get, err := p.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("a b+ä"), ResponseContentType: aws.String("text/x")})
	if err != nil {
		t.Fatal(err)
	}
	if r, err = http.NewRequest(get.Method, get.URL, nil); err != nil {
		t.Fatal(err)
	}
	if got := e.send(r); got.status != 200 || got.body != "text" || got.header.Get("Content-Type") != "text/x" {
		t.Errorf("GET = %s", got)
	}
}
