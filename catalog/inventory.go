package catalog

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// PackageConfig says whether the service records the versions that jobs install on things
// (jobs-lifecycle.md section 13). The zero PackageConfig records nothing.
type PackageConfig struct {
	Enabled bool
	RoleARN string // stored and returned, otherwise unused
}

// PackageConfigUpdate is a change of a PackageConfig. Nil leaves a field unchanged.
type PackageConfigUpdate struct {
	Enabled *bool
	RoleARN *string
}

// thePackageConfig is the key of the only record in tables.config.
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

// UpdatePackageConfiguration changes the settings for the executions that end after it. It
// fails with Invalid if enabled without a role.
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

// Inventory returns the versions installed on a thing. It fails with NotFound if the thing
// does not exist, or nothing was recorded for it.
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

// Install records that releases were installed on a thing, if that is enabled. A version
// that has been deleted is recorded without attributes.
func (c *Catalog) Install(tx *commit.Tx, thing muster.ThingName, releases []muster.Release) error {
	if len(releases) == 0 {
		return nil
	}
	config, err := packageConfig(tx)
	if err != nil || !config.Enabled {
		return err
	}
	tx.PrefetchFar(func(w *commit.Wants) {
		w.Record(tables.inventories.Table, string(thing))
		for _, release := range releases {
			wantVersion(release)(w)
		}
	})
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

// ThingDeleted removes the inventory of a thing.
func (c *Catalog) ThingDeleted(tx *commit.Tx, thing muster.ThingName) {
	tables.inventories.Delete(tx, string(thing))
}
