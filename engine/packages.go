package engine

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// CreatePackage makes a software package of which in gives name, description
// and token. The same request, which has the same token, may come again; it
// fails with AlreadyExists for any other, and with Invalid or LimitExceeded for
// the tags.
func (e *Engine) CreatePackage(ctx context.Context, in muster.Package, given []muster.Tag) (muster.Package, error) {
	labels, err := muster.Retag(nil, given)
	if err != nil {
		return muster.Package{}, err
	}
	return do(ctx, e, func(b *batch) (p muster.Package, err error) {
		old, err := packages.Get(b, string(in.Name))
		if err != nil {
			return p, err
		}
		if old != nil {
			if p = *old; repeats(in.Token, p.Token) {
				return p, nil
			}
			err := muster.Errorf(muster.AlreadyExists, "Package %s already exists", in.Name)
			err.ResourceID, err.ResourceARN = string(in.Name), e.o.Account.PackageARN(in.Name)
			return p, err
		}
		p = muster.Package{Name: in.Name, Description: in.Description, CreatedAt: b.Now, ModifiedAt: b.Now, Token: in.Token}
		packages.Put(b, string(p.Name), p)
		b.putTags(kindPackage, string(p.Name), labels)
		return p, nil
	})
}

// repeats reports whether a request is one that was carried out already: it has
// the client token of the last one.
func repeats(token, last string) bool { return token != "" && token == last }

// Package returns a package, or fails with NotFound.
func (e *Engine) Package(ctx context.Context, name muster.PackageName) (muster.Package, error) {
	var p muster.Package
	err := e.view(ctx, func(r store.Reader) (err error) {
		p, err = softwarePackage(r, name)
		return err
	})
	return p, err
}

func softwarePackage(r store.Reader, name muster.PackageName) (muster.Package, error) {
	p, err := packages.Get(r, string(name))
	if err != nil {
		return muster.Package{}, err
	}
	if p == nil {
		return muster.Package{}, muster.Errorf(muster.NotFound, "Package %s does not exist", name)
	}
	return *p, nil
}

// UpdatePackage changes a package. Its default version must be one that jobs
// may bring. It fails with NotFound, Invalid or Conflict.
func (e *Engine) UpdatePackage(ctx context.Context, name muster.PackageName, u muster.PackageUpdate, token string) error {
	return e.do(ctx, func(b *batch) error {
		p, err := softwarePackage(b, name)
		if err != nil || repeats(token, p.Token) {
			return err
		}
		if u.Default != nil {
			v, err := packageVersion(b, muster.Release{Package: name, Version: *u.Default})
			if err != nil {
				return err
			}
			if v.Status != muster.VersionPublished {
				return muster.Errorf(muster.Conflict, "Version %s of package %s is %s: only a published version can be the default", v.Name, name, v.Status)
			}
		}
		if p, err = p.Apply(u, b.Now); err != nil {
			return err
		}
		p.Token = token
		packages.Put(b, string(name), p)
		return nil
	})
}

// DeletePackage removes a package without versions, and its tags; one that is
// not there is no fault. It fails with Invalid.
func (e *Engine) DeletePackage(ctx context.Context, name muster.PackageName) error {
	return e.do(ctx, func(b *batch) error {
		used, err := anyUnder(b, packageVersions, string(name))
		if err != nil {
			return err
		}
		if used {
			return muster.Errorf(muster.Invalid, "Package %s cannot be deleted while it has versions", name)
		}
		packages.Delete(b, string(name))
		b.putTags(kindPackage, string(name), nil)
		return nil
	})
}

// PackageList is a page of packages.
type PackageList struct {
	Packages []muster.Package
	Next     string // token of the next page; empty on the last
}

// ListPackages lists packages by name.
func (e *Engine) ListPackages(ctx context.Context, p Page) (list PackageList, err error) {
	l, err := e.listing(p, "packages")
	if err != nil {
		return list, err
	}
	err = e.view(ctx, func(r store.Reader) (err error) {
		list.Packages, list.Next, err = fill(l, packages.Scan(r, l.from(""), ""), func(row store.Row[muster.Package]) (muster.Package, bool, error) {
			return row.Value, true, nil
		})
		return err
	})
	return list, err
}
