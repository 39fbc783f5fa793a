package awsiot

import (
	"context"
	"maps"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/engine"
)

func (n *needs) createPackage(in *wire.CreatePackageRequest) {
	n.tagged(tagList(in.Tags), n.account.ARN("package", *in.PackageName))
}

func (s *Server) createPackage(ctx context.Context, in *wire.CreatePackageRequest) (*wire.CreatePackageResponse, error) {
	p, err := s.o.Engine.CreatePackage(ctx, muster.Package{
		Name: muster.PackageName(*in.PackageName), Description: wire.Or(in.Description, ""), Token: wire.Or(in.ClientToken, ""),
	}, tagsOf(tagList(in.Tags)))
	if err != nil {
		return nil, err
	}
	return &wire.CreatePackageResponse{PackageName: text(p.Name), PackageARN: s.packageARN(p.Name), Description: text(p.Description)}, nil
}

// tagList turns the tags of the operations that have a map of them into the
// list that the others have.
func tagList(tags map[string]string) []wire.Tag {
	var list []wire.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, wire.Tag{Key: &key, Value: new(tags[key])})
	}
	return list
}

func (s *Server) packageARN(name muster.PackageName) *string {
	return new(s.o.Account.PackageARN(name))
}

func (s *Server) getPackage(ctx context.Context, in *wire.GetPackageRequest) (*wire.GetPackageResponse, error) {
	p, err := s.o.Engine.Package(ctx, muster.PackageName(*in.PackageName))
	if err != nil {
		return nil, err
	}
	return &wire.GetPackageResponse{
		PackageName: text(p.Name), PackageARN: s.packageARN(p.Name), Description: text(p.Description),
		DefaultVersionName: text(p.Default), CreationDate: instant(p.CreatedAt), LastModifiedDate: instant(p.ModifiedAt),
	}, nil
}

func (n *needs) updatePackage(in *wire.UpdatePackageRequest) {
	if in.DefaultVersionName != nil {
		n.version(in.PackageName, in.DefaultVersionName)
	}
}

func (s *Server) updatePackage(ctx context.Context, in *wire.UpdatePackageRequest) error {
	return s.o.Engine.UpdatePackage(ctx, muster.PackageName(*in.PackageName), muster.PackageUpdate{
		Description: in.Description,
		Default:     optional[muster.VersionName](in.DefaultVersionName),
		NoDefault:   wire.Or(in.UnsetDefaultVersion, false),
	}, wire.Or(in.ClientToken, ""))
}

func (s *Server) deletePackage(ctx context.Context, in *wire.DeletePackageRequest) error {
	return s.o.Engine.DeletePackage(ctx, muster.PackageName(*in.PackageName))
}

func (s *Server) listPackages(ctx context.Context, in *wire.ListPackagesRequest) (*wire.ListPackagesResponse, error) {
	list, err := s.o.Engine.ListPackages(ctx, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListPackagesResponse{PackageSummaries: make([]wire.PackageSummary, 0, len(list.Packages)), NextToken: text(list.Next)}
	for _, p := range list.Packages {
		out.PackageSummaries = append(out.PackageSummaries, wire.PackageSummary{
			PackageName: text(p.Name), DefaultVersionName: text(p.Default),
			CreationDate: instant(p.CreatedAt), LastModifiedDate: instant(p.ModifiedAt),
		})
	}
	return out, nil
}

func (s *Server) getPackageConfiguration(ctx context.Context, _ *wire.GetPackageConfigurationRequest) (*wire.GetPackageConfigurationResponse, error) {
	c, err := s.o.Engine.PackageConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	return &wire.GetPackageConfigurationResponse{
		VersionUpdateByJobsConfig: &wire.VersionUpdateByJobsConfig{Enabled: &c.Enabled, RoleARN: text(c.RoleARN)},
	}, nil
}

func (s *Server) updatePackageConfiguration(ctx context.Context, in *wire.UpdatePackageConfigurationRequest) error {
	c := wire.Or(in.VersionUpdateByJobsConfig, wire.VersionUpdateByJobsConfig{})
	return s.o.Engine.UpdatePackageConfiguration(ctx, engine.PackageConfigUpdate{Enabled: c.Enabled, RoleARN: c.RoleARN})
}
