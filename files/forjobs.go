package files

import (
	"context"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/codesign"
)

// ForJobs is what jobs need of the store of job files, with the error sentences of
// jobs-control-plane.md section 6.6. Its fields are set once; then it may be used by
// many goroutines.
type ForJobs struct {
	Store  *Store
	Region string            // the deployment's, which URLs without a region mean and outside of which nothing is signed
	Signer *codesign.Profile // nil: nothing is signed
	Now    func() time.Time  // real time, for the validity of Signer's certificate
}

// signedMax is the largest file that is read to be signed, in bytes.
const signedMax = 5 << 30

// Locate returns the object that a URL names, in the deployment's region when the URL names none; the key may be empty.
// It fails as Store.Find does.
func (f *ForJobs) Locate(url string) (muster.Object, error) {
	a, err := f.Store.Find(url)
	if err != nil {
		return muster.Object{}, err
	}
	if a.Region == "" {
		a.Region = f.Region
	}
	return muster.Object{Region: a.Region, Bucket: a.Bucket, Key: a.Key, Version: a.Version}, nil
}

// Check returns an Invalid error unless the bucket of o exists and, when o has a version, that version too; upload
// chooses the sentence. Forbidden and Unavailable come from the store.
func (f *ForJobs) Check(ctx context.Context, o muster.Object, upload bool) error {
	err := f.Store.CheckBucket(ctx, o.Bucket)
	switch {
	case muster.IsKind(err, muster.NotFound) && upload:
		return muster.Errorf(muster.Invalid, "S3 bucket in job document presigned url upload placeholder not found")
	case muster.IsKind(err, muster.NotFound):
		return muster.Errorf(muster.Invalid, "Provided S3 bucket is not valid: %s. Error: The specified bucket does not exist", o.Bucket)
	case err != nil || o.Version == "":
		return err
	}
	_, err = f.Store.Stat(ctx, objectOf(o))
	return noVersion(err)
}

// Sign returns the signature of an object, in base64. It is Invalid without a Signer that is valid now, outside of
// the deployment's region, for an object that is not there and for one of more than 5 GiB.
func (f *ForJobs) Sign(ctx context.Context, o muster.Object) (string, error) {
	if f.Signer == nil {
		return "", muster.Errorf(muster.Invalid, "This server signs nothing; it has no --signing-profile")
	}
	if o.Region != f.Region {
		return "", muster.Errorf(muster.Invalid, "Objects to be signed are in the region %s, not in %s", f.Region, o.Region)
	}
	if err := f.Signer.Valid(f.Now()); err != nil {
		return "", muster.Errorf(muster.Invalid, "Nothing can be signed: %v", err)
	}
	file, _, err := f.Store.Open(ctx, objectOf(o), signedMax)
	if muster.IsKind(err, muster.LimitExceeded) {
		return "", muster.Errorf(muster.Invalid, "The object %s is too large to be signed", o.Key)
	}
	if err != nil {
		return "", noVersion(err)
	}
	defer func() { _ = file.Close() }()
	signature, err := f.Signer.Sign(file)
	return signature.String(), err
}

// Presign returns a URL with which anybody can GET o, or PUT it for an upload, for life from the instant at. The store is
// not asked. The same arguments give the same URL while the store's key is the same.
func (f *ForJobs) Presign(o muster.Object, upload bool, life time.Duration, at muster.Instant) (string, error) {
	if upload {
		return f.Store.PresignPut(objectOf(o), life, at.Time()), nil
	}
	return f.Store.PresignGet(objectOf(o), life, at.Time()), nil
}

func objectOf(o muster.Object) Object {
	return Object{Bucket: o.Bucket, Key: o.Key, Version: o.Version}
}

// noVersion returns the contract's error for a version that does not exist, instead of NotFound.
func noVersion(err error) error {
	if muster.IsKind(err, muster.NotFound) {
		return muster.Errorf(muster.Invalid, "VersionId not found when attempting to access s3 url")
	}
	return err
}
