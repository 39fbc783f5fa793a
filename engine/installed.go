package engine

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// PackageConfig says whether the service keeps account of the versions that
// jobs bring to things (jobs-lifecycle.md section 13).
type PackageConfig struct {
	Enabled bool
	RoleARN string // stored and returned; nothing is written in its name
}

// PackageConfigUpdate is a change of a PackageConfig; what is nil stays.
type PackageConfigUpdate struct {
	Enabled *bool
	RoleARN *string
}

// thePackageConfig is the key of the only record in packageConfigs.
const thePackageConfig = "account"

// PackageConfiguration returns the settings in force.
func (e *Engine) PackageConfiguration(ctx context.Context) (PackageConfig, error) {
	var c PackageConfig
	err := e.view(ctx, func(r store.Reader) (err error) {
		c, err = packageConfig(r)
		return err
	})
	return c, err
}

func packageConfig(r store.Reader) (PackageConfig, error) {
	c, err := packageConfigs.Get(r, thePackageConfig)
	if err != nil || c == nil {
		return PackageConfig{}, err
	}
	return *c, nil
}

// UpdatePackageConfiguration changes the settings, in force for every execution
// that ends from then on. It fails with Invalid when enabled without a role.
func (e *Engine) UpdatePackageConfiguration(ctx context.Context, u PackageConfigUpdate) error {
	return e.do(ctx, func(b *batch) error {
		c, err := packageConfig(b)
		if err != nil {
			return err
		}
		if u.Enabled != nil {
			c.Enabled = *u.Enabled
		}
		if u.RoleARN != nil {
			c.RoleARN = *u.RoleARN
		}
		if c.Enabled && c.RoleARN == "" {
			return muster.Errorf(muster.Invalid, "versionUpdateByJobsConfig needs a roleArn to be enabled")
		}
		packageConfigs.Put(b, thePackageConfig, c)
		return nil
	})
}

// Inventory returns what a thing carries. It fails with NotFound when there is
// no such thing, or nothing was ever brought to it while that was kept account
// of.
func (e *Engine) Inventory(ctx context.Context, thing muster.ThingName) (muster.Inventory, error) {
	var i muster.Inventory
	err := e.view(ctx, func(r store.Reader) error {
		if err := mustHaveThing(r, thing); err != nil {
			return err
		}
		found, err := inventories.Get(r, string(thing))
		if err != nil {
			return err
		}
		if found == nil {
			return muster.Errorf(muster.NotFound, "No package version was brought to thing %s", thing)
		}
		i = *found
		return nil
	})
	return i, err
}

// install keeps account of what an execution that SUCCEEDED has brought to its
// thing. A version that is gone by now has no attributes any more.
func (b *batch) install(x *muster.Execution, j *muster.Job) error {
	if j == nil || len(j.Packages) == 0 {
		return nil
	}
	c, err := packageConfig(b)
	if err != nil || !c.Enabled {
		return err
	}
	old, err := inventories.Get(b, string(x.Thing))
	if err != nil {
		return err
	}
	if old == nil {
		old = &muster.Inventory{}
	}
	var brought []muster.PackageVersion
	for _, release := range j.Packages {
		v := muster.PackageVersion{Package: release.Package, Name: release.Version}
		if found, err := packageVersions.Get(b, releaseKey(release)); err != nil {
			return err
		} else if found != nil {
			v = *found
		}
		brought = append(brought, v)
	}
	inventories.Put(b, string(x.Thing), muster.Inventory{
		Installed: old.Installed.After(brought), Version: old.Version + 1, ChangedAt: b.Now,
	})
	return nil
}
