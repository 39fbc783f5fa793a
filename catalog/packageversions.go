package catalog

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// CreatePackageVersion makes a version of a package, as a draft, with all fields of in but
// status and times. A version that exists with the same client token is returned
// unchanged: the request was repeated. It fails with AlreadyExists otherwise, with Invalid
// if the package does not exist, and with Invalid or LimitExceeded for the tags.
func (c *Catalog) CreatePackageVersion(ctx context.Context, in muster.PackageVersion, given []muster.Tag) (muster.PackageVersion, error) {
	if err := in.Check(); err != nil {
		return muster.PackageVersion{}, err
	}
	labels, err := muster.Retag(nil, given)
	if err != nil {
		return muster.PackageVersion{}, err
	}
	release := muster.Release{Package: in.Package, Version: in.Name}
	return commit.Do(ctx, c.commits, func(tx *commit.Tx) (v muster.PackageVersion, err error) {
		if err := mustHavePackage(tx, in.Package); err != nil {
			return v, err
		}
		old, err := tables.versions.Get(tx, releaseKey(release))
		if err != nil {
			return v, err
		}
		if old != nil {
			if v = *old; repeats(in.Token, v.Token) {
				return v, nil
			}
			return v, muster.Existsf(string(in.Name), c.account.ReleaseARN(release), "Version %s of package %s already exists", in.Name, in.Package)
		}
		v = in
		v.Status, v.CreatedAt, v.ModifiedAt = muster.VersionDraft, tx.Now, tx.Now
		tables.versions.Put(tx, releaseKey(release), v)
		tags.Put(tx, KindPackage, c.releaseName(release), labels)
		return v, nil
	}, wantPackage(in.Package), wantVersion(release))
}

// mustHavePackage fails with Invalid if the package does not exist. It is for operations
// whose contract has no NotFound.
func mustHavePackage(r store.Reader, name muster.PackageName) error {
	if there, err := tables.packages.Has(r, string(name)); err != nil || there {
		return err
	}
	return muster.Errorf(muster.Invalid, "Package %s does not exist", name)
}

func releaseKey(r muster.Release) string { return store.JoinKey(string(r.Package), string(r.Version)) }

// releaseName returns the part of the ARN of a version after its kind.
func (c *Catalog) releaseName(r muster.Release) string {
	_, name, _ := c.account.ParseARN(c.account.ReleaseARN(r)) // it is of this account
	return name
}

// PackageVersion returns a version, or fails with NotFound.
func (c *Catalog) PackageVersion(ctx context.Context, release muster.Release) (muster.PackageVersion, error) {
	var v muster.PackageVersion
	err := c.commits.View(ctx, func(r store.Reader) (err error) {
		v, err = packageVersion(r, release)
		return err
	})
	return v, err
}

func packageVersion(r store.Reader, release muster.Release) (muster.PackageVersion, error) {
	return tables.versions.Require(r, releaseKey(release), func() error {
		return muster.Errorf(muster.NotFound, "Version %s of package %s does not exist", release.Version, release.Package)
	})
}

func wantVersion(release muster.Release) func(*commit.Wants) {
	return func(w *commit.Wants) { w.Record(tables.versions.Table, releaseKey(release)) }
}

// UpdatePackageVersion changes a version, or does nothing if token is that of the last
// change. The default version of a package cannot be deprecated. It fails with NotFound,
// Invalid or Conflict.
func (c *Catalog) UpdatePackageVersion(ctx context.Context, release muster.Release, u muster.VersionUpdate, token string) error {
	return c.commits.Do(ctx, func(tx *commit.Tx) error {
		v, err := packageVersion(tx, release)
		if err != nil || repeats(token, v.Token) {
			return err
		}
		if u.Action == muster.DeprecateVersion {
			if err := notDefault(tx, release, muster.Conflict); err != nil {
				return err
			}
		}
		if v, err = v.Apply(u, tx.Now); err != nil {
			return err
		}
		v.Token = token
		tables.versions.Put(tx, releaseKey(release), v)
		return nil
	}, wantPackage(release.Package), wantVersion(release))
}

// notDefault returns an error of the given kind if a version is the default of its package.
func notDefault(tx *commit.Tx, release muster.Release, kind muster.Kind) error {
	p, err := tables.packages.Get(tx, string(release.Package))
	if err != nil || p == nil || p.Default != release.Version {
		return err
	}
	return muster.Errorf(kind, "Version %s is the default version of package %s: unset that first", release.Version, release.Package)
}

// DeletePackageVersion removes a version and its tags, or succeeds if there is none. Jobs
// that install it stay as they are. It fails with Invalid for the default version.
func (c *Catalog) DeletePackageVersion(ctx context.Context, release muster.Release) error {
	return c.commits.Do(ctx, func(tx *commit.Tx) error {
		if err := notDefault(tx, release, muster.Invalid); err != nil {
			return err
		}
		tables.versions.Delete(tx, releaseKey(release))
		tags.Put(tx, KindPackage, c.releaseName(release), nil)
		return nil
	})
}

// PackageVersionList is a page of the versions of a package.
type PackageVersionList struct {
	Versions []muster.PackageVersion
	Next     string // token of the next page; empty on the last
}

// ListPackageVersions lists the versions of a package by name: those with a status, or all
// if it is empty. It fails with Invalid, also if the package does not exist.
func (c *Catalog) ListPackageVersions(ctx context.Context, of muster.PackageName, status muster.VersionStatus, p listing.Page) (list PackageVersionList, err error) {
	l, err := c.pages.Begin(p, "package versions", of, status)
	if err != nil {
		return list, err
	}
	err = c.commits.View(ctx, func(r store.Reader) (err error) {
		from, to := store.Under(string(of))
		commit.PrefetchView(r, func(w *commit.Wants) {
			wantPackage(of)(w)
			w.Range(tables.versions.Table, l.From(from), to)
		})
		if err := mustHavePackage(r, of); err != nil {
			return err
		}
		list.Versions, list.Next, err = listing.Fill(l, tables.versions.Scan(r, l.From(from), to), func(row store.Row[muster.PackageVersion]) (muster.PackageVersion, bool, error) {
			return row.Value, status == "" || row.Value.Status == status, nil
		})
		return err
	})
	return list, err
}
