package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/codesign"
	"github.com/muster-iot/muster/files"
)

// jobFiles is the store of job files as the engine asks it, with the words of
// jobs-control-plane.md section 6.6, and with the profile that signs.
type jobFiles struct {
	store  *files.Store
	region string            // of URLs that name none
	signer *codesign.Profile // nil: nothing is signed
}

// jobFiles returns the store of job files for the engine, with the profile that
// the operator chose.
func (s *server) jobFiles() (*jobFiles, error) {
	f := &jobFiles{store: s.files, region: s.c.Region}
	if s.c.SigningProfile == "" {
		return f, nil
	}
	var err error
	if f.signer, err = s.data.signing().Open(s.c.SigningProfile); err != nil {
		return nil, fmt.Errorf("--signing-profile: %w", err)
	}
	return f, nil
}

// signedMax is the largest file that is read to be signed, in bytes.
const signedMax = 5 << 30

func (f *jobFiles) Locate(url string) (muster.Object, error) {
	a, err := f.store.Find(url)
	if err != nil {
		return muster.Object{}, err
	}
	if a.Region == "" {
		a.Region = f.region
	}
	return muster.Object{Region: a.Region, Bucket: a.Bucket, Key: a.Key, Version: a.Version}, nil
}

func (f *jobFiles) Check(ctx context.Context, o muster.Object, upload bool) error {
	err := f.store.CheckBucket(ctx, o.Bucket)
	switch {
	case isKind(err, muster.NotFound) && upload:
		return muster.Errorf(muster.Invalid, "S3 bucket in job document presigned url upload placeholder not found")
	case isKind(err, muster.NotFound):
		return muster.Errorf(muster.Invalid, "Provided S3 bucket is not valid: %s. Error: The specified bucket does not exist", o.Bucket)
	case err != nil || o.Version == "":
		return err
	}
	_, err = f.store.Stat(ctx, artifact(o))
	return noVersion(err)
}

func (f *jobFiles) Sign(ctx context.Context, o muster.Object) (string, error) {
	if f.signer == nil {
		return "", muster.Errorf(muster.Invalid, "This server signs nothing; it has no --signing-profile")
	}
	if o.Region != f.region {
		return "", muster.Errorf(muster.Invalid, "Objects to be signed are in the region %s, not in %s", f.region, o.Region)
	}
	if err := f.signer.Valid(time.Now()); err != nil {
		return "", muster.Errorf(muster.Invalid, "Nothing can be signed: %v", err)
	}
	file, _, err := f.store.Open(ctx, artifact(o), signedMax)
	if isKind(err, muster.LimitExceeded) {
		return "", muster.Errorf(muster.Invalid, "The object %s is too large to be signed", o.Key)
	}
	if err != nil {
		return "", noVersion(err)
	}
	defer func() { _ = file.Close() }()
	signature, err := f.signer.Sign(file)
	return signature.String(), err
}

func (f *jobFiles) Presign(o muster.Object, upload bool, life time.Duration, at muster.Instant) (string, error) {
	if upload {
		return f.store.PresignPut(artifact(o), life, at.Time()), nil
	}
	return f.store.PresignGet(artifact(o), life, at.Time()), nil
}

func artifact(o muster.Object) files.Object {
	return files.Object{Bucket: o.Bucket, Key: o.Key, Version: o.Version}
}

// noVersion says in the contract's words that a version is not there.
func noVersion(err error) error {
	if isKind(err, muster.NotFound) {
		return muster.Errorf(muster.Invalid, "VersionId not found when attempting to access s3 url")
	}
	return err
}

func isKind(err error, kind muster.Kind) bool {
	e := (*muster.Error)(nil)
	return errors.As(err, &e) && e.Kind == kind
}
