package awsiot

import (
	"context"
	"maps"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/catalog"
	"github.com/muster-iot/muster/listing"
)

// Catalog keeps software packages and their versions (jobs-lifecycle.md section 13). A
// call that is repeated with the same token takes effect once; an empty token is none.
type Catalog interface {
	CreatePackage(ctx context.Context, in muster.Package, tags []muster.Tag) (muster.Package, error)
	CreatePackageVersion(ctx context.Context, in muster.PackageVersion, tags []muster.Tag) (muster.PackageVersion, error)
	DeletePackage(ctx context.Context, name muster.PackageName) error
	DeletePackageVersion(ctx context.Context, release muster.Release) error
	// ListPackageVersions lists versions with this status; "" lists all.
	ListPackageVersions(ctx context.Context, of muster.PackageName, status muster.VersionStatus, p listing.Page) (catalog.PackageVersionList, error)
	ListPackages(ctx context.Context, p listing.Page) (catalog.PackageList, error)
	Package(ctx context.Context, name muster.PackageName) (muster.Package, error)
	PackageConfiguration(ctx context.Context) (catalog.PackageConfig, error)
	PackageVersion(ctx context.Context, release muster.Release) (muster.PackageVersion, error)
	UpdatePackage(ctx context.Context, name muster.PackageName, u muster.PackageUpdate, token string) error
	UpdatePackageConfiguration(ctx context.Context, u catalog.PackageConfigUpdate) error
	UpdatePackageVersion(ctx context.Context, release muster.Release, u muster.VersionUpdate, token string) error
}

// packageOperations are the operations on software packages and their versions
// (jobs-control-plane.md section 6.2, jobs-lifecycle.md section 13).
type packageOperations struct {
	account account
	catalog Catalog
}

func (o packageOperations) createPackageNeeds(in *wire.CreatePackageRequest) needs {
	return tagged(tagList(in.Tags), o.account.ARN("package", *in.PackageName))
}

func (o packageOperations) createPackage(ctx context.Context, in *wire.CreatePackageRequest) (*wire.CreatePackageResponse, error) {
	p, err := o.catalog.CreatePackage(ctx, muster.Package{
		Name: muster.PackageName(*in.PackageName), Description: wire.Or(in.Description, ""), Token: wire.Or(in.ClientToken, ""),
	}, tagsOf(tagList(in.Tags)))
	if err != nil {
		return nil, err
	}
	return &wire.CreatePackageResponse{PackageName: text(p.Name), PackageARN: o.account.packageARN(p.Name), Description: text(p.Description)}, nil
}

// tagList turns a map of tags, which these operations have, into a list of tags,
// which all other operations have.
func tagList(tags map[string]string) []wire.Tag {
	var list []wire.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, wire.Tag{Key: &key, Value: new(tags[key])})
	}
	return list
}

func (a account) packageARN(name muster.PackageName) *string {
	return new(a.PackageARN(name))
}

func (o packageOperations) getPackage(ctx context.Context, in *wire.GetPackageRequest) (*wire.GetPackageResponse, error) {
	p, err := o.catalog.Package(ctx, muster.PackageName(*in.PackageName))
	if err != nil {
		return nil, err
	}
	return &wire.GetPackageResponse{
		PackageName: text(p.Name), PackageARN: o.account.packageARN(p.Name), Description: text(p.Description),
		DefaultVersionName: text(p.Default), CreationDate: instant(p.CreatedAt), LastModifiedDate: instant(p.ModifiedAt),
	}, nil
}

func (o packageOperations) updatePackageNeeds(in *wire.UpdatePackageRequest) needs {
	if in.DefaultVersionName == nil {
		return needs{}
	}
	return o.account.versionNeeds(in.PackageName, in.DefaultVersionName)
}

func (o packageOperations) updatePackage(ctx context.Context, in *wire.UpdatePackageRequest) error {
	return o.catalog.UpdatePackage(ctx, muster.PackageName(*in.PackageName), muster.PackageUpdate{
		Description: in.Description,
		Default:     optional[muster.VersionName](in.DefaultVersionName),
		NoDefault:   wire.Or(in.UnsetDefaultVersion, false),
	}, wire.Or(in.ClientToken, ""))
}

func (o packageOperations) deletePackage(ctx context.Context, in *wire.DeletePackageRequest) error {
	return o.catalog.DeletePackage(ctx, muster.PackageName(*in.PackageName))
}

func (o packageOperations) listPackages(ctx context.Context, in *wire.ListPackagesRequest) (*wire.ListPackagesResponse, error) {
	list, err := o.catalog.ListPackages(ctx, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListPackagesResponse{
		PackageSummaries: each(list.Packages, func(p muster.Package) wire.PackageSummary {
			return wire.PackageSummary{
				PackageName: text(p.Name), DefaultVersionName: text(p.Default),
				CreationDate: instant(p.CreatedAt), LastModifiedDate: instant(p.ModifiedAt),
			}
		}),
		NextToken: text(list.Next),
	}, nil
}

func (o packageOperations) getPackageConfiguration(ctx context.Context, _ *wire.GetPackageConfigurationRequest) (*wire.GetPackageConfigurationResponse, error) {
	c, err := o.catalog.PackageConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	return &wire.GetPackageConfigurationResponse{
		VersionUpdateByJobsConfig: &wire.VersionUpdateByJobsConfig{Enabled: &c.Enabled, RoleARN: text(c.RoleARN)},
	}, nil
}

func (o packageOperations) updatePackageConfiguration(ctx context.Context, in *wire.UpdatePackageConfigurationRequest) error {
	c := wire.Or(in.VersionUpdateByJobsConfig, wire.VersionUpdateByJobsConfig{})
	return o.catalog.UpdatePackageConfiguration(ctx, catalog.PackageConfigUpdate{Enabled: c.Enabled, RoleARN: c.RoleARN})
}
