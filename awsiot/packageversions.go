package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/jobs"
)

// versionNeeds asks for a version of a package. The path has asked for the package.
func (a account) versionNeeds(name, version *string) needs {
	return arns(a.ReleaseARN(release(name, version)))
}

func (o packageOperations) createPackageVersionNeeds(in *wire.CreatePackageVersionRequest) needs {
	tags := tagged(tagList(in.Tags), o.account.ReleaseARN(release(in.PackageName, in.VersionName)))
	return o.account.versionNeeds(in.PackageName, in.VersionName).and(tags, o.account.artifactNeeds(in.Artifact))
}

func (o packageOperations) getPackageVersionNeeds(in *wire.GetPackageVersionRequest) needs {
	return o.account.versionNeeds(in.PackageName, in.VersionName)
}

func (o packageOperations) updatePackageVersionNeeds(in *wire.UpdatePackageVersionRequest) needs {
	return o.account.versionNeeds(in.PackageName, in.VersionName).and(o.account.artifactNeeds(in.Artifact))
}

func (o packageOperations) deletePackageVersionNeeds(in *wire.DeletePackageVersionRequest) needs {
	return o.account.versionNeeds(in.PackageName, in.VersionName)
}

// artifactNeeds asks for the file of a version, because jobs give it to devices.
func (a account) artifactNeeds(in *wire.PackageVersionArtifact) needs {
	o, err := artifact(in, a.Region)
	if err != nil || o == nil {
		return needs{}
	}
	return needs{asks: fileAsks(jobs.Use{File: *o})}
}

func release(name, version *string) muster.Release {
	return muster.Release{Package: muster.PackageName(*name), Version: muster.VersionName(*version)}
}

func (o packageOperations) createPackageVersion(ctx context.Context, in *wire.CreatePackageVersionRequest) (*wire.CreatePackageVersionResponse, error) {
	artifact, err := artifact(in.Artifact, o.account.Region)
	if err != nil {
		return nil, err
	}
	v, err := o.catalog.CreatePackageVersion(ctx, muster.PackageVersion{
		Package:     muster.PackageName(*in.PackageName),
		Name:        muster.VersionName(*in.VersionName),
		Description: wire.Or(in.Description, ""),
		Attributes:  in.Attributes,
		Artifact:    artifact,
		Recipe:      wire.Or(in.Recipe, ""),
		Token:       wire.Or(in.ClientToken, ""),
	}, tagsOf(tagList(in.Tags)))
	if err != nil {
		return nil, err
	}
	return &wire.CreatePackageVersionResponse{
		PackageName: text(v.Package), VersionName: text(v.Name), PackageVersionARN: o.account.versionARN(v),
		Description: text(v.Description), Attributes: v.Attributes, Status: text(v.Status),
	}, nil
}

// artifact reads the location of the file of a version, nil if there is none.
func artifact(in *wire.PackageVersionArtifact, region string) (*muster.Object, error) {
	if in == nil || in.S3Location == nil {
		return nil, nil
	}
	at := in.S3Location
	if at.Bucket == nil || at.Key == nil {
		return nil, muster.Errorf(muster.Invalid, "The s3Location of an artifact needs a bucket and a key")
	}
	return &muster.Object{Region: region, Bucket: *at.Bucket, Key: *at.Key, Version: wire.Or(at.Version, "")}, nil
}

func artifactShape(o *muster.Object) *wire.PackageVersionArtifact {
	if o == nil {
		return nil
	}
	return &wire.PackageVersionArtifact{S3Location: &wire.S3Location{Bucket: &o.Bucket, Key: &o.Key, Version: text(o.Version)}}
}

func (a account) versionARN(v muster.PackageVersion) *string {
	return new(a.ReleaseARN(muster.Release{Package: v.Package, Version: v.Name}))
}

func (o packageOperations) getPackageVersion(ctx context.Context, in *wire.GetPackageVersionRequest) (*wire.GetPackageVersionResponse, error) {
	v, err := o.catalog.PackageVersion(ctx, release(in.PackageName, in.VersionName))
	if err != nil {
		return nil, err
	}
	return &wire.GetPackageVersionResponse{
		PackageName: text(v.Package), VersionName: text(v.Name), PackageVersionARN: o.account.versionARN(v),
		Description: text(v.Description), Attributes: v.Attributes, Artifact: artifactShape(v.Artifact), Recipe: text(v.Recipe),
		Status: text(v.Status), CreationDate: instant(v.CreatedAt), LastModifiedDate: instant(v.ModifiedAt),
	}, nil
}

func (o packageOperations) updatePackageVersion(ctx context.Context, in *wire.UpdatePackageVersionRequest) error {
	artifact, err := artifact(in.Artifact, o.account.Region)
	if err != nil {
		return err
	}
	return o.catalog.UpdatePackageVersion(ctx, release(in.PackageName, in.VersionName), muster.VersionUpdate{
		Description: in.Description,
		Attributes:  in.Attributes,
		Artifact:    artifact,
		Recipe:      in.Recipe,
		Action:      muster.VersionAction(wire.Or(in.Action, "")),
	}, wire.Or(in.ClientToken, ""))
}

func (o packageOperations) deletePackageVersion(ctx context.Context, in *wire.DeletePackageVersionRequest) error {
	return o.catalog.DeletePackageVersion(ctx, release(in.PackageName, in.VersionName))
}

func (o packageOperations) listPackageVersions(ctx context.Context, in *wire.ListPackageVersionsRequest) (*wire.ListPackageVersionsResponse, error) {
	list, err := o.catalog.ListPackageVersions(ctx, muster.PackageName(*in.PackageName), muster.VersionStatus(wire.Or(in.Status, "")), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListPackageVersionsResponse{
		PackageVersionSummaries: each(list.Versions, func(v muster.PackageVersion) wire.PackageVersionSummary {
			return wire.PackageVersionSummary{
				PackageName: text(v.Package), VersionName: text(v.Name), Status: text(v.Status),
				CreationDate: instant(v.CreatedAt), LastModifiedDate: instant(v.ModifiedAt),
			}
		}),
		NextToken: text(list.Next),
	}, nil
}

// releases reads the ARNs of the versions that a job installs. Jobs limits how many
// there may be.
func (a account) releases(arns []string) ([]muster.Release, error) {
	var all []muster.Release
	for _, arn := range arns {
		r, err := a.Release(arn)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (a account) releaseARNs(all []muster.Release) []string {
	var arns []string
	for _, r := range all {
		arns = append(arns, a.ReleaseARN(r))
	}
	return arns
}
