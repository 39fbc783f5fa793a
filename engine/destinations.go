package engine

import (
	"cmp"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobdoc"
	"github.com/muster-iot/muster/store"
)

// PackagesMax bounds the versions of packages that one job brings
// (jobs-control-plane.md section 9).
const PackagesMax = 25

// deliver resolves what a job brings, and puts into its document what that asks
// of packages (jobs-control-plane.md section 6.2).
func (d *draft) deliver(r store.Reader, account muster.Account) error {
	if len(d.Config.Packages) > PackagesMax {
		return muster.Errorf(muster.LimitExceeded, "A job may bring at most %d package versions; this one brings %d", PackagesMax, len(d.Config.Packages))
	}
	all := make([]jobdoc.Destination, 0, len(d.Config.Packages))
	for _, asked := range d.Config.Packages {
		resolved, err := resolve(r, asked)
		if err != nil {
			return err
		}
		if err := permitted(d.Rights, Use{Package: resolved, Brought: true}); err != nil {
			return err
		}
		all = append(all, jobdoc.Destination{Asked: asked, Resolved: resolved})
		d.packages = append(d.packages, resolved)
	}
	text, err := jobdoc.FillPackages(d.document.Text, all, account.Region, func(asked muster.Release) (muster.PackageVersion, error) {
		return d.read(r, asked)
	})
	if err != nil || text == d.document.Text {
		return err
	}
	d.document.Before = cmp.Or(d.document.Before, d.document.Text)
	d.document.Text = text
	return nil
}

// read returns a version that the document takes something from.
func (d *draft) read(r store.Reader, asked muster.Release) (muster.PackageVersion, error) {
	if err := permitted(d.Rights, Use{Package: asked}); err != nil {
		return muster.PackageVersion{}, err
	}
	release, err := withDefault(r, asked)
	if err == nil && release != asked {
		err = permitted(d.Rights, Use{Package: release})
	}
	if err != nil {
		return muster.PackageVersion{}, err
	}
	return packageVersion(r, release)
}

// resolve returns the version that a job brings, which must be one it may bring
// (jobs-control-plane.md section 3.1, check 14).
func resolve(r store.Reader, asked muster.Release) (muster.Release, error) {
	if asked.Version == muster.NoVersion {
		_, err := softwarePackage(r, asked.Package)
		return asked, err
	}
	release, err := withDefault(r, asked)
	if err != nil {
		return release, err
	}
	v, err := packageVersion(r, release)
	if err == nil && !v.Ready() {
		err = muster.Errorf(muster.Invalid, "Version %s of package %s is a draft: jobs bring versions that are published", v.Name, v.Package)
	}
	return release, err
}

// withDefault puts the name of the default version in the place of
// muster.DefaultVersion. It fails with NotFound.
func withDefault(r store.Reader, release muster.Release) (muster.Release, error) {
	if release.Version != muster.DefaultVersion {
		return release, nil
	}
	p, err := softwarePackage(r, release.Package)
	if err != nil {
		return release, err
	}
	if p.Default == "" {
		return release, muster.Errorf(muster.NotFound, "Package %s has no default version", p.Name)
	}
	release.Version = p.Default
	return release, nil
}
