package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/engine"
)

// version adds a version of a package, which its path names beside the package.
func (n *needs) version(name, version *string) string {
	arn := n.account.ReleaseARN(release(name, version))
	n.arns(arn)
	return arn
}

func (n *needs) createPackageVersion(in *wire.CreatePackageVersionRequest) {
	n.tagged(tagList(in.Tags), n.version(in.PackageName, in.VersionName))
	n.artifact(in.Artifact)
}

func (n *needs) getPackageVersion(in *wire.GetPackageVersionRequest) {
	n.version(in.PackageName, in.VersionName)
}

func (n *needs) updatePackageVersion(in *wire.UpdatePackageVersionRequest) {
	n.version(in.PackageName, in.VersionName)
	n.artifact(in.Artifact)
}

func (n *needs) deletePackageVersion(in *wire.DeletePackageVersionRequest) {
	n.version(in.PackageName, in.VersionName)
}

// artifact adds the file of a version, which jobs send to devices.
func (n *needs) artifact(in *wire.PackageVersionArtifact) {
	if o, err := artifact(in, n.account.Region); err == nil && o != nil {
		n.asks = append(n.asks, fileAsks(engine.Use{File: *o})...)
	}
}

func release(name, version *string) muster.Release {
	return muster.Release{Package: muster.PackageName(*name), Version: muster.VersionName(*version)}
}

func (s *Server) createPackageVersion(ctx context.Context, in *wire.CreatePackageVersionRequest) (*wire.CreatePackageVersionResponse, error) {
	artifact, err := artifact(in.Artifact, s.o.Account.Region)
	if err != nil {
		return nil, err
	}
	v, err := s.o.Engine.CreatePackageVersion(ctx, muster.PackageVersion{
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
		PackageName: text(v.Package), VersionName: text(v.Name), PackageVersionARN: s.versionARN(v),
		Description: text(v.Description), Attributes: v.Attributes, Status: text(v.Status),
	}, nil
}

// artifact reads where the file of a version lies.
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

func (s *Server) versionARN(v muster.PackageVersion) *string {
	return new(s.o.Account.ReleaseARN(muster.Release{Package: v.Package, Version: v.Name}))
}

func (s *Server) getPackageVersion(ctx context.Context, in *wire.GetPackageVersionRequest) (*wire.GetPackageVersionResponse, error) {
	v, err := s.o.Engine.PackageVersion(ctx, release(in.PackageName, in.VersionName))
	if err != nil {
		return nil, err
	}
	return &wire.GetPackageVersionResponse{
		PackageName: text(v.Package), VersionName: text(v.Name), PackageVersionARN: s.versionARN(v),
		Description: text(v.Description), Attributes: v.Attributes, Artifact: artifactShape(v.Artifact), Recipe: text(v.Recipe),
		Status: text(v.Status), CreationDate: instant(v.CreatedAt), LastModifiedDate: instant(v.ModifiedAt),
	}, nil
}

func (s *Server) updatePackageVersion(ctx context.Context, in *wire.UpdatePackageVersionRequest) error {
	artifact, err := artifact(in.Artifact, s.o.Account.Region)
	if err != nil {
		return err
	}
	return s.o.Engine.UpdatePackageVersion(ctx, release(in.PackageName, in.VersionName), muster.VersionUpdate{
		Description: in.Description,
		Attributes:  in.Attributes,
		Artifact:    artifact,
		Recipe:      in.Recipe,
		Action:      muster.VersionAction(wire.Or(in.Action, "")),
	}, wire.Or(in.ClientToken, ""))
}

func (s *Server) deletePackageVersion(ctx context.Context, in *wire.DeletePackageVersionRequest) error {
	return s.o.Engine.DeletePackageVersion(ctx, release(in.PackageName, in.VersionName))
}

func (s *Server) listPackageVersions(ctx context.Context, in *wire.ListPackageVersionsRequest) (*wire.ListPackageVersionsResponse, error) {
	list, err := s.o.Engine.ListPackageVersions(ctx, muster.PackageName(*in.PackageName), muster.VersionStatus(wire.Or(in.Status, "")), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListPackageVersionsResponse{PackageVersionSummaries: make([]wire.PackageVersionSummary, 0, len(list.Versions)), NextToken: text(list.Next)}
	for _, v := range list.Versions {
		out.PackageVersionSummaries = append(out.PackageVersionSummaries, wire.PackageVersionSummary{
			PackageName: text(v.Package), VersionName: text(v.Name), Status: text(v.Status),
			CreationDate: instant(v.CreatedAt), LastModifiedDate: instant(v.ModifiedAt),
		})
	}
	return out, nil
}

// releases reads the ARNs of the versions that a job brings. How many there are
// is for the engine to judge.
func (s *Server) releases(arns []string) ([]muster.Release, error) {
	var all []muster.Release
	for _, arn := range arns {
		r, err := s.o.Account.Release(arn)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (s *Server) releaseARNs(all []muster.Release) []string {
	var arns []string
	for _, r := range all {
		arns = append(arns, s.o.Account.ReleaseARN(r))
	}
	return arns
}
