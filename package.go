package muster

import (
	"maps"
	"strings"
)

// PackageName names a software package: 1 to 128 characters of
// [a-zA-Z0-9-_.].
type PackageName string

// VersionName names a version of a software package: 1 to 64 characters of
// [a-zA-Z0-9-_.].
type VersionName string

// Package is a piece of software of which devices have a version installed
// (jobs-lifecycle.md section 13). It is a value: rules return changed copies.
type Package struct {
	Name        PackageName
	Description string
	Default     VersionName // empty: none
	CreatedAt   Instant
	ModifiedAt  Instant
	Token       string // the client token of the last change, by which a repeated request is recognized
}

// PackageUpdate is a requested change of a package; nil fields stay as they are.
type PackageUpdate struct {
	Description *string
	Default     *VersionName
	NoDefault   bool // removes the default version
}

// Apply returns the package after u at the instant now. It fails with Invalid.
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

// The states of a version, in the contract's words. Jobs can bring all but drafts to
// devices.
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

// versionMoves is the state machine of a version: from, action, to. A published
// version never becomes a draft again.
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
	Artifact    *Object // the file of the version, nil if there is none; its Region is that of the deployment
	Recipe      string  // instructions for devices; stored and returned
	Status      VersionStatus
	CreatedAt   Instant
	ModifiedAt  Instant
	Token       string // like that of a Package
}

// Ready reports whether jobs may bring the version to devices.
func (v PackageVersion) Ready() bool { return v.Status != VersionDraft }

// VersionAttributesMax bounds the total size of the attributes of a version, in
// bytes, so that a job document can contain them all.
const VersionAttributesMax = 16 << 10

// Check returns an Invalid error when the attributes are too large.
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

// VersionUpdate is a requested change of a version; nil fields stay as they are.
type VersionUpdate struct {
	Description *string
	Attributes  map[string]string
	Artifact    *Object
	Recipe      *string
	Action      VersionAction // empty: none
}

// Apply returns the version after u at the instant now. Attributes, artifact and
// recipe can only change in a draft, since devices may have any other version
// installed. It fails with Invalid or Conflict.
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
	Version VersionName // may be DefaultVersion or NoVersion
}

// Special version names in jobs.
const (
	DefaultVersion VersionName = "$default" // the default version at the time when the job is created
	NoVersion      VersionName = "$null"    // the package is to be removed
)

// The words in the ARN of a version of a package.
const (
	packageResource = "package"
	versionInARN    = "/version/"
)

// PackageARN returns the ARN of a package.
func (a Account) PackageARN(name PackageName) string { return a.ARN(packageResource, string(name)) }

// ReleaseARN returns the ARN of a version of a package.
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

// ReleaseOf reads the part after the kind of the ARN of a package or of a version;
// Version is empty for a package.
func ReleaseOf(name string) Release {
	p, v, _ := strings.Cut(name, versionInARN)
	return Release{PackageName(p), VersionName(v)}
}

// Inventory says what is installed on a thing, according to the jobs that succeeded
// on it (jobs-lifecycle.md section 13).
type Inventory struct {
	Installed Installed
	Version   int64 // from 1; each change adds 1
	ChangedAt Instant
}

// Installed says which versions of packages are installed on a thing. It is never
// changed in place.
type Installed map[PackageName]InstalledVersion

// InstalledVersion is the version of a package that is installed on a thing.
type InstalledVersion struct {
	Version    VersionName       `json:"version"`
	Attributes map[string]string `json:"attributes"`
}

// After returns what is installed after a job brought versions to the thing. A
// version with the name NoVersion removes its package.
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
