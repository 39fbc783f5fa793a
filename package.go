package muster

import (
	"maps"
	"strings"
)

// PackageName names a software package: 1 to 128 characters of
// [a-zA-Z0-9-_.].
type PackageName string

// VersionName names a version of a software package: 1 to 64 characters of the
// same.
type VersionName string

// Package is a piece of software that devices carry a version of
// (jobs-lifecycle.md section 13). It is a value; rules return changed copies.
type Package struct {
	Name        PackageName
	Description string
	Default     VersionName // empty: none
	CreatedAt   Instant
	ModifiedAt  Instant
	Token       string // the client token of the last change, so that it can be repeated
}

// PackageUpdate is a change that somebody asks of a package; what is nil stays.
type PackageUpdate struct {
	Description *string
	Default     *VersionName
	NoDefault   bool // takes the default version away
}

// Apply returns the package that u makes of p at the instant now. It fails with
// Invalid.
func (p Package) Apply(u PackageUpdate, now Instant) (Package, error) {
	if u.NoDefault && u.Default != nil {
		return p, Errorf(Invalid, "defaultVersionName and unsetDefaultVersion exclude each other")
	}
	if u.Description != nil {
		p.Description = *u.Description
	}
	if u.Default != nil {
		p.Default = *u.Default
	}
	if u.NoDefault {
		p.Default = ""
	}
	p.ModifiedAt = now
	return p, nil
}

// VersionStatus is the state of a version of a package.
type VersionStatus string

// The states of a version, in the contract's words. Jobs may bring those that
// are not drafts.
const (
	VersionDraft      VersionStatus = "DRAFT"
	VersionPublished  VersionStatus = "PUBLISHED"
	VersionDeprecated VersionStatus = "DEPRECATED"
)

// VersionAction changes the state of a version.
type VersionAction string

// The two actions, in the contract's words.
const (
	PublishVersion   VersionAction = "PUBLISH"
	DeprecateVersion VersionAction = "DEPRECATE"
)

// versionMoves is the state machine of a version: from, action, to. A version
// that was published is never a draft again.
var versionMoves = map[VersionStatus]map[VersionAction]VersionStatus{
	VersionDraft:      {PublishVersion: VersionPublished},
	VersionPublished:  {DeprecateVersion: VersionDeprecated},
	VersionDeprecated: {PublishVersion: VersionPublished},
}

// PackageVersion is one version of a package. Its maps are never changed in
// place.
type PackageVersion struct {
	Package     PackageName
	Name        VersionName
	Description string
	Attributes  map[string]string
	Artifact    *Object // the file that it consists of; its Region is the deployment's
	Recipe      string  // for those who install it; stored and returned
	Status      VersionStatus
	CreatedAt   Instant
	ModifiedAt  Instant
	Token       string // as that of a Package
}

// Ready reports whether jobs may bring the version to devices.
func (v PackageVersion) Ready() bool { return v.Status != VersionDraft }

// VersionAttributesMax bounds what the attributes of a version have together,
// in bytes: a document that takes them all in must hold them.
const VersionAttributesMax = 16 << 10

// Check returns an Invalid error unless there may be such a version.
func (v PackageVersion) Check() error {
	total := 0
	for key, value := range v.Attributes {
		total += len(key) + len(value)
	}
	if total > VersionAttributesMax {
		return Errorf(Invalid, "attributes has %d bytes; at most %d are allowed", total, VersionAttributesMax)
	}
	return nil
}

// VersionUpdate is a change that somebody asks of a version; what is nil stays.
type VersionUpdate struct {
	Description *string
	Attributes  map[string]string
	Artifact    *Object
	Recipe      *string
	Action      VersionAction // empty: none
}

// Apply returns the version that u makes of v at the instant now. What devices
// may have already does not change: attributes, artifact and recipe are those
// of a draft. It fails with Invalid or Conflict.
func (v PackageVersion) Apply(u VersionUpdate, now Instant) (PackageVersion, error) {
	if v.Status != VersionDraft && (u.Attributes != nil || u.Artifact != nil || u.Recipe != nil) {
		return v, Errorf(Conflict, "Version %s of package %s is %s: only a draft can get other attributes, another artifact or recipe", v.Name, v.Package, v.Status)
	}
	if u.Description != nil {
		v.Description = *u.Description
	}
	if u.Attributes != nil {
		v.Attributes = maps.Clone(u.Attributes)
	}
	if u.Artifact != nil {
		v.Artifact = u.Artifact
	}
	if u.Recipe != nil {
		v.Recipe = *u.Recipe
	}
	if u.Action != "" {
		to, ok := versionMoves[v.Status][u.Action]
		if !ok {
			return v, Errorf(Conflict, "Version %s of package %s is %s, which does not allow %s", v.Name, v.Package, v.Status, u.Action)
		}
		v.Status = to
	}
	v.ModifiedAt = now
	return v, v.Check()
}

// Release names a version of a package as jobs refer to it.
type Release struct {
	Package PackageName
	Version VersionName // DefaultVersion, or NoVersion for none
}

// What stands for a version where a job refers to it.
const (
	DefaultVersion VersionName = "$default" // the default version when the job is made
	NoVersion      VersionName = "$null"    // the package is to be removed
)

// The words in the ARN of a version of a package.
const (
	packageResource = "package"
	versionInARN    = "/version/"
)

// PackageARN returns the name of a package.
func (a Account) PackageARN(name PackageName) string { return a.ARN(packageResource, string(name)) }

// ReleaseARN returns the name of a version of a package.
func (a Account) ReleaseARN(r Release) string {
	return a.ARN(packageResource, string(r.Package)+versionInARN+string(r.Version))
}

// Release reads the ARN of a version of a package. It fails with Invalid, or
// with NotFound for another account or region.
func (a Account) Release(arn string) (Release, error) {
	kind, name, err := a.ParseARN(arn)
	if err != nil {
		return Release{}, err
	}
	r := ReleaseOf(name)
	if kind != packageResource || r.Version == "" || strings.Contains(string(r.Version), "/") {
		return Release{}, Errorf(Invalid, "%s is not the ARN of a package version", arn)
	}
	return r, nil
}

// ReleaseOf splits what an ARN of a package has after its kind; the version is
// empty when it is that of a package.
func ReleaseOf(name string) Release {
	p, v, _ := strings.Cut(name, versionInARN)
	return Release{PackageName(p), VersionName(v)}
}

// Inventory is what a thing carries, as its jobs have brought it
// (jobs-lifecycle.md section 13).
type Inventory struct {
	Installed Installed
	Version   int64 // grows with each change, from 1
	ChangedAt Instant
}

// Installed says which versions of packages a thing carries. It is a value and
// never changed in place.
type Installed map[PackageName]InstalledVersion

// InstalledVersion is the version of a package that a thing carries.
type InstalledVersion struct {
	Version    VersionName       `json:"version"`
	Attributes map[string]string `json:"attributes"`
}

// After returns what the thing carries once versions were brought to it; one
// of the name NoVersion takes the package away.
func (i Installed) After(versions []PackageVersion) Installed {
	after := make(Installed, len(i)+len(versions))
	maps.Copy(after, i)
	for _, v := range versions {
		if v.Name == NoVersion {
			delete(after, v.Package)
			continue
		}
		attributes := v.Attributes
		if attributes == nil {
			attributes = map[string]string{}
		}
		after[v.Package] = InstalledVersion{v.Name, attributes}
	}
	return after
}
