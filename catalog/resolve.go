package catalog

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Resolve returns the release that a job installs if it asks for asked: with the default
// version filled in, and checked (jobs-control-plane.md section 3.1, check 14). It fails
// with NotFound, or with Invalid for a draft.
func (c *Catalog) Resolve(r store.Reader, asked muster.Release) (muster.Release, error) {
	if asked.Version == muster.NoVersion {
		_, err := softwarePackage(r, asked.Package)
		return asked, err
	}
	release, err := c.WithDefault(r, asked)
	if err != nil {
		return release, err
	}
	v, err := packageVersion(r, release)
	if err == nil && !v.Ready() {
		err = muster.Errorf(muster.Invalid, "Version %s of package %s is a draft: jobs bring versions that are published", v.Name, v.Package)
	}
	return release, err
}

// WithDefault returns release with muster.DefaultVersion replaced by the default version
// of the package. It fails with NotFound.
func (c *Catalog) WithDefault(r store.Reader, release muster.Release) (muster.Release, error) {
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

// Version returns a version, or fails with NotFound.
func (c *Catalog) Version(r store.Reader, release muster.Release) (muster.PackageVersion, error) {
	return packageVersion(r, release)
}
