package catalog

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// CreatePackage makes a software package with the name, the description and the client
// token of in. A package that exists with the same token is returned unchanged: the request
// was repeated. It fails with AlreadyExists otherwise, and with Invalid or LimitExceeded
// for the tags.
func (c *Catalog) CreatePackage(ctx context.Context, in muster.Package, given []muster.Tag) (muster.Package, error) {
	labels, err := muster.Retag(nil, given)
	if err != nil {
		return muster.Package{}, err
	}
	return commit.Do(ctx, c.commits, func(tx *commit.Tx) (p muster.Package, err error) {
		old, err := tables.packages.Get(tx, string(in.Name))
		if err != nil {
			return p, err
		}
		if old != nil {
			if p = *old; repeats(in.Token, p.Token) {
				return p, nil
			}
			return p, muster.Existsf(string(in.Name), c.account.PackageARN(in.Name), "Package %s already exists", in.Name)
		}
		p = muster.Package{Name: in.Name, Description: in.Description, CreatedAt: tx.Now, ModifiedAt: tx.Now, Token: in.Token}
		tables.packages.Put(tx, string(p.Name), p)
		tags.Put(tx, KindPackage, string(p.Name), labels)
		return p, nil
	})
}

// repeats reports whether a request has been carried out already: it has the client token
// of the last one, and not an empty one.
func repeats(token, last string) bool { return token != "" && token == last }

// Package returns a package, or fails with NotFound.
func (c *Catalog) Package(ctx context.Context, name muster.PackageName) (muster.Package, error) {
	var p muster.Package
	err := c.commits.View(ctx, func(r store.Reader) (err error) {
		p, err = softwarePackage(r, name)
		return err
	})
	return p, err
}

func softwarePackage(r store.Reader, name muster.PackageName) (muster.Package, error) {
	return tables.packages.Require(r, string(name), func() error {
		return muster.Errorf(muster.NotFound, "Package %s does not exist", name)
	})
}

func wantPackage(name muster.PackageName) func(*commit.Wants) {
	return func(w *commit.Wants) { w.Record(tables.packages.Table, string(name)) }
}

// UpdatePackage changes a package, or does nothing if token is that of the last change. A
// new default version must be published. It fails with NotFound, Invalid or Conflict.
func (c *Catalog) UpdatePackage(ctx context.Context, name muster.PackageName, u muster.PackageUpdate, token string) error {
	return c.commits.Do(ctx, func(tx *commit.Tx) error {
		p, err := softwarePackage(tx, name)
		if err != nil || repeats(token, p.Token) {
			return err
		}
		if u.Default != nil {
			v, err := packageVersion(tx, muster.Release{Package: name, Version: *u.Default})
			if err != nil {
				return err
			}
			if v.Status != muster.VersionPublished {
				return muster.Errorf(muster.Conflict, "Version %s of package %s is %s: only a published version can be the default", v.Name, name, v.Status)
			}
		}
		if p, err = p.Apply(u, tx.Now); err != nil {
			return err
		}
		p.Token = token
		tables.packages.Put(tx, string(name), p)
		return nil
	}, wantPackage(name), func(w *commit.Wants) {
		if u.Default != nil {
			wantVersion(muster.Release{Package: name, Version: *u.Default})(w)
		}
	})
}

// DeletePackage removes a package and its tags, or succeeds if there is none. It fails with
// Invalid while the package has versions.
func (c *Catalog) DeletePackage(ctx context.Context, name muster.PackageName) error {
	return c.commits.Do(ctx, func(tx *commit.Tx) error {
		used, err := tables.versions.AnyUnder(tx, string(name))
		if err != nil {
			return err
		}
		if used {
			return muster.Errorf(muster.Invalid, "Package %s cannot be deleted while it has versions", name)
		}
		tables.packages.Delete(tx, string(name))
		tags.Put(tx, KindPackage, string(name), nil)
		return nil
	})
}

// PackageList is a page of packages.
type PackageList struct {
	Packages []muster.Package
	Next     string // token of the next page; empty on the last
}

// ListPackages lists packages by name. It fails with Invalid.
func (c *Catalog) ListPackages(ctx context.Context, p listing.Page) (list PackageList, err error) {
	l, err := c.pages.Begin(p, "packages")
	if err != nil {
		return list, err
	}
	err = c.commits.View(ctx, func(r store.Reader) (err error) {
		list.Packages, list.Next, err = listing.Fill(l, tables.packages.Scan(r, l.From(""), ""), func(row store.Row[muster.Package]) (muster.Package, bool, error) {
			return row.Value, true, nil
		})
		return err
	})
	return list, err
}
