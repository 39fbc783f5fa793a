package jobdoc

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/muster-iot/muster"
)

// packagePlaceholder is one ${aws:iot:package:P:version:V:…} of a job document
// (jobs-control-plane.md section 6.2).
type packagePlaceholder struct {
	muster.Release        // both names empty: the only destination of the job
	key            string // of one attribute; empty: all attributes, as a JSON object
	file           bool   // a link to the artifact instead of attributes
}

// readPackage reads the argument of a package placeholder.
func (p placeholder) readPackage() (packagePlaceholder, error) {
	parts := strings.SplitN(p.argument, ":", 5)
	if len(parts) < 4 || parts[1] != "version" {
		return packagePlaceholder{}, p.malformed()
	}
	read := packagePlaceholder{Release: muster.Release{Package: muster.PackageName(parts[0]), Version: muster.VersionName(parts[2])}}
	switch {
	case (parts[0] == "") != (parts[2] == ""):
		return read, muster.Errorf(muster.Invalid, "Empty package name and version name have to be used in pair.")
	case read.Version == muster.NoVersion:
		return read, errNullVersion
	}
	switch what := parts[3]; {
	case what == "attributes" && len(parts) == 4:
	case what == "attributes" && parts[4] != "":
		read.key = parts[4]
	case (what == "artifact" || what == "artifact-location") && len(parts) == 5 && parts[4] == linkKind:
		read.file = true
	default:
		return read, p.malformed()
	}
	return read, nil
}

var errNullVersion = muster.Errorf(muster.Invalid, "$null is not allowed to be referenced as a package version in job documents.")

func (p placeholder) malformed() error {
	return muster.Errorf(muster.Invalid, "The placeholder ${aws:iot:%s:%s} is none that asks something of a package", p.kind, p.argument)
}

// FillPackages returns a document with its package placeholders replaced: by
// attributes of the version or, for an artifact, by a placeholder for a link.
// Everything else stays byte for byte. destinations are the versions that the job
// brings; if there are any, placeholders may name only those. find returns a
// version, whose name may be muster.DefaultVersion. FillPackages fails with Invalid
// or with the error of find.
func FillPackages(document string, destinations []Destination, region string, find func(muster.Release) (muster.PackageVersion, error)) (string, error) {
	return rewriteStrings(document, func(value string) (string, bool, error) {
		return fillValue(value, destinations, region, find)
	})
}

// Destination is a version that a job brings to its things.
type Destination struct {
	Asked    muster.Release // as the request named it
	Resolved muster.Release // with the version that muster.DefaultVersion stood for
}

// fillValue returns the JSON that replaces a string value, and whether there were
// package placeholders in it.
func fillValue(value string, destinations []Destination, region string, find func(muster.Release) (muster.PackageVersion, error)) (text string, changed bool, err error) {
	found, err := placeholders(value)
	if err != nil {
		return "", false, err
	}
	for _, p := range slices.Backward(found) {
		if p.kind != packageKind {
			continue
		}
		read, err := p.readPackage()
		if err != nil {
			return "", false, err
		}
		release, err := read.among(destinations)
		if err != nil {
			return "", false, err
		}
		v, err := find(release)
		if err != nil {
			return "", false, err
		}
		whole := p.start == 0 && p.end == len(value)
		if read.key == "" && !read.file {
			object, err := allAttributes(v, whole)
			return object, true, err
		}
		put, err := read.of(v, region)
		if err != nil {
			return "", false, err
		}
		value, changed = value[:p.start]+put+value[p.end:], true
	}
	return quote(value), changed, nil
}

// among returns the version that the placeholder means. It fails with Invalid
// unless that is one of destinations, where there are any.
func (p packagePlaceholder) among(destinations []Destination) (muster.Release, error) {
	if p.Package == "" {
		switch {
		case len(destinations) != 1:
			return p.Release, muster.Errorf(muster.Invalid, "Cannot resolve empty package name and version name given multiple elements in destination package versions.")
		case destinations[0].Resolved.Version == muster.NoVersion:
			return p.Release, errNullVersion
		}
		return destinations[0].Resolved, nil
	}
	for _, d := range destinations {
		if p.Release == d.Asked || p.Release == d.Resolved {
			return d.Resolved, nil
		}
	}
	if len(destinations) > 0 {
		return p.Release, muster.Errorf(muster.Invalid, "Version %s of package %s is not among the destinationPackageVersions of the job", p.Version, p.Package)
	}
	return p.Release, nil
}

// allAttributes returns the attributes of v as a JSON object. It can only replace
// a whole string value.
func allAttributes(v muster.PackageVersion, whole bool) (string, error) {
	if !whole {
		return "", muster.Errorf(muster.Invalid, "A placeholder for all attributes of a package version must be a whole string")
	}
	if len(v.Attributes) == 0 {
		return "{}", nil
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(v.Attributes)) {
		b.WriteString("," + quote(key) + ":" + quote(v.Attributes[key]))
	}
	return "{" + b.String()[1:] + "}", nil
}

// of returns the text that replaces the placeholder: one attribute of v, or a
// placeholder for a link to its artifact.
func (p packagePlaceholder) of(v muster.PackageVersion, region string) (string, error) {
	if !p.file {
		value, ok := v.Attributes[p.key]
		if !ok {
			return "", muster.Errorf(muster.Invalid, "Package %s version %s has no attribute %s", v.Package, v.Name, p.key)
		}
		return value, nil
	}
	if v.Artifact == nil {
		return "", muster.Errorf(muster.Invalid, "Package %s version %s does not have an associated artifact to generate an S3 presigned url.", v.Package, v.Name)
	}
	link := url.URL{Scheme: "https", Host: "s3." + region + ".amazonaws.com", Path: "/" + v.Artifact.Bucket + "/" + v.Artifact.Key}
	if v.Artifact.Version != "" {
		link.RawQuery = "versionId=" + url.QueryEscape(v.Artifact.Version)
	}
	return "${aws:iot:" + linkV2Kind + ":" + url.PathEscape(link.String()) + "}", nil
}
