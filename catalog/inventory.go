package catalog

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// PackageConfig says whether the service records the versions that jobs bring to
// things (jobs-lifecycle.md section 13).
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
func (c *Catalog) PackageConfiguration(ctx context.Context) (PackageConfig, error) {
	var config PackageConfig
	err := c.commits.View(ctx, func(r store.Reader) (err error) {
		config, err = packageConfig(r)
		return err
	})
	return config, err
}

func packageConfig(r store.Reader) (PackageConfig, error) {
	c, err := tables.config.Get(r, thePackageConfig)
	if err != nil || c == nil {
		return PackageConfig{}, err
	}
	return *c, nil
}

// UpdatePackageConfiguration changes the settings, in force for every execution
// that ends from then on. It fails with Invalid when enabled without a role.
func (c *Catalog) UpdatePackageConfiguration(ctx context.Context, u PackageConfigUpdate) error {
	return c.commits.Do(ctx, func(tx *commit.Tx) error {
		config, err := packageConfig(tx)
		if err != nil {
			return err
		}
		if u.Enabled != nil {
			config.Enabled = *u.Enabled
		}
		if u.RoleARN != nil {
			config.RoleARN = *u.RoleARN
		}
		if config.Enabled && config.RoleARN == "" {
			return muster.Errorf(muster.Invalid, "versionUpdateByJobsConfig needs a roleArn to be enabled")
		}
		tables.config.Put(tx, thePackageConfig, config)
		return nil
	})
}

// Inventory returns what a thing carries. It fails with NotFound when there is
// no such thing, or nothing was ever brought to it while that was recorded.
func (c *Catalog) Inventory(ctx context.Context, thing muster.ThingName) (muster.Inventory, error) {
	var i muster.Inventory
	err := c.commits.View(ctx, func(r store.Reader) error {
		if err := c.things.RequireThing(r, thing); err != nil {
			return err
		}
		found, err := tables.inventories.Get(r, string(thing))
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

// Install records that releases were brought to a thing, if the service records
// that. A version that is gone by now has no attributes any more.
func (c *Catalog) Install(tx *commit.Tx, thing muster.ThingName, releases []muster.Release) error {
	if len(releases) == 0 {
		return nil
	}
	config, err := packageConfig(tx)
	if err != nil || !config.Enabled {
		return err
	}
	old, err := tables.inventories.Get(tx, string(thing))
	if err != nil {
		return err
	}
	if old == nil {
		old = &muster.Inventory{}
	}
	var brought []muster.PackageVersion
	for _, release := range releases {
		v := muster.PackageVersion{Package: release.Package, Name: release.Version}
		if found, err := tables.versions.Get(tx, releaseKey(release)); err != nil {
			return err
		} else if found != nil {
			v = *found
		}
		brought = append(brought, v)
	}
	tables.inventories.Put(tx, string(thing), muster.Inventory{
		Installed: old.Installed.After(brought), Version: old.Version + 1, ChangedAt: tx.Now,
	})
	return nil
}

// ThingDeleted forgets what a thing carried.
func (c *Catalog) ThingDeleted(tx *commit.Tx, thing muster.ThingName) {
	tables.inventories.Delete(tx, string(thing))
}
