package files_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/codesign"
	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/sigv4"
)

// oneBucket is a store with the bucket lab, and in it version 7 of fw.bin.
type oneBucket struct{}

func (oneBucket) CheckBucket(_ context.Context, bucket string) error {
	if bucket != "lab" {
		return muster.Errorf(muster.NotFound, "no such bucket")
	}
	return nil
}

func (oneBucket) Stat(_ context.Context, o files.Object) (files.Info, error) {
	if o != (files.Object{Bucket: "lab", Key: "fw.bin", Version: "7"}) {
		return files.Info{}, muster.Errorf(muster.NotFound, "no such version")
	}
	return files.Info{Size: 8}, nil
}

func (b oneBucket) Open(ctx context.Context, o files.Object, limit int64) (io.ReadCloser, files.Info, error) {
	info, err := b.Stat(ctx, o)
	return io.NopCloser(strings.NewReader("firmware")), info, err
}

func newForJobs(t *testing.T) *files.ForJobs {
	t.Helper()
	signer, err := codesign.Folder(t.TempDir()).Create("fleet", codesign.ECDSA, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse("http://127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	e := &files.Endpoint{URL: base, Region: "us-east-1", Credential: func() sigv4.Credential {
		return sigv4.Credential{AccessKeyID: "AKID", Secret: "secret"}
	}}
	return &files.ForJobs{Store: &files.Store{Endpoint: e, Objects: oneBucket{}}, Region: "us-east-1", Signer: signer, Now: time.Now}
}

// Errors of the store become those of the contract (jobs-control-plane.md section
// 6.6).
func TestForJobsSpeaksTheContract(t *testing.T) {
	f := newForJobs(t)
	check := func(o muster.Object, upload bool) func() error {
		return func() error { return f.Check(t.Context(), o, upload) }
	}
	sign := func(o muster.Object) func() error {
		return func() error { _, err := f.Sign(t.Context(), o); return err }
	}
	locate := func(url string) func() error {
		return func() error { _, err := f.Locate(url); return err }
	}
	for name, test := range map[string]struct {
		call    func() error
		message string // empty: no error
	}{
		"a bucket that is there":        {check(muster.Object{Bucket: "lab", Key: "not yet there"}, false), ""},
		"an upload to it":               {check(muster.Object{Bucket: "lab", Key: "k"}, true), ""},
		"a version that is there":       {check(muster.Object{Bucket: "lab", Key: "fw.bin", Version: "7"}, false), ""},
		"a version that is not":         {check(muster.Object{Bucket: "lab", Key: "fw.bin", Version: "8"}, false), "VersionId not found when attempting to access s3 url"},
		"a bucket that is not there":    {check(muster.Object{Bucket: "bal", Key: "k"}, false), "Provided S3 bucket is not valid: bal. Error: The specified bucket does not exist"},
		"an upload to it ":              {check(muster.Object{Bucket: "bal", Key: "k"}, true), "S3 bucket in job document presigned url upload placeholder not found"},
		"a signature of a version":      {sign(muster.Object{Region: "us-east-1", Bucket: "lab", Key: "fw.bin", Version: "7"}), ""},
		"a signature of another":        {sign(muster.Object{Region: "us-east-1", Bucket: "lab", Key: "fw.bin", Version: "8"}), "VersionId not found when attempting to access s3 url"},
		"a signature in another region": {sign(muster.Object{Region: "eu-west-1", Bucket: "lab", Key: "fw.bin", Version: "7"}), "Objects to be signed are in the region us-east-1, not in eu-west-1"},
		"a bucket that cannot be":       {locate("https://s3.amazonaws.com/A/k"), "Given S3 bucket name is invalid."},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.call()
			if test.message == "" && err != nil || test.message != "" && (!invalid(err) || !strings.Contains(err.Error(), test.message)) {
				t.Errorf("got %v, want %q", err, test.message)
			}
		})
	}
	f.Signer = nil
	if _, err := f.Sign(t.Context(), muster.Object{Region: "us-east-1", Bucket: "lab", Key: "fw.bin", Version: "7"}); !invalid(err) {
		t.Errorf("Sign without a profile = %v, want Invalid", err)
	}
}

func TestForJobsPresigns(t *testing.T) {
	f := newForJobs(t)
	for link, want := range map[string]muster.Object{
		"https://lab.s3.eu-west-1.amazonaws.com/a%20b?versionId=7": {Region: "eu-west-1", Bucket: "lab", Key: "a b", Version: "7"},
		"http://127.0.0.1:8080/lab/fw.bin":                         {Region: "us-east-1", Bucket: "lab", Key: "fw.bin"},
	} {
		if o, err := f.Locate(link); err != nil || o != want {
			t.Errorf("Locate(%s) = %+v, %v, want %+v", link, o, err, want)
		}
	}
	o := muster.Object{Bucket: "lab", Key: "fw.bin", Version: "7"}
	get, err := f.Presign(o, false, time.Minute, 1_790_000_000_999)
	again, _ := f.Presign(o, false, time.Minute, 1_790_000_000_000)
	put, _ := f.Presign(o, true, time.Minute, 1_790_000_000_000)
	if err != nil || get != again || !strings.Contains(get, "X-Amz-Date=20260921T141320Z") || !strings.Contains(get, "X-Amz-Expires=60") || !strings.Contains(get, "versionId=7") {
		t.Errorf("Presign twice in a second = %s and %s, %v", get, again, err)
	}
	if put == get || strings.Contains(put, "versionId") {
		t.Errorf("Presign of an upload = %s, want another signature and no version", put)
	}
	signature, err := f.Sign(t.Context(), muster.Object{Region: "us-east-1", Bucket: "lab", Key: "fw.bin", Version: "7"})
	if _, notBase64 := base64.StdEncoding.DecodeString(signature); err != nil || notBase64 != nil {
		t.Errorf("Sign = %q, %v, want base64", signature, err)
	}
}

func invalid(err error) bool {
	e, ok := errors.AsType[*muster.Error](err)
	return ok && e.Kind == muster.Invalid
}
