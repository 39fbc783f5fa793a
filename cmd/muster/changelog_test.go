package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// released is a section of CHANGELOG.md about one version.
type released struct {
	version string // "Unreleased" for what has no number yet
	date    string
	text    string
}

var (
	versionHeading = regexp.MustCompile(`(?m)^## \[([^\]]+)\](?: - (.*))?$`)
	groupHeading   = regexp.MustCompile(`(?m)^### (.*)$`)
	semantic       = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)$`)
)

// sections returns the versions of a changelog in their order. A heading without
// brackets has no version and is left out.
func sections(changelog string) []released {
	var all []released
	for part := range strings.SplitSeq("\n"+changelog, "\n## ") {
		part = "## " + part
		if m := versionHeading.FindStringSubmatch(part); m != nil && strings.HasPrefix(part, m[0]) {
			all = append(all, released{version: m[1], date: m[2], text: part[len(m[0]):]})
		}
	}
	return all
}

// versionFault returns what is wrong between a changelog and the version of its
// source, "" when they agree.
func versionFault(changelog, source string) string {
	all := sections(changelog)
	if len(all) < 2 || all[0].version != "Unreleased" {
		return "the changelog does not begin with Unreleased and a version"
	}
	newest := all[1].version
	if strings.TrimSpace(all[0].text) == "" {
		if source != newest {
			return "nothing is unreleased, so the source must be " + newest + ", not " + source
		}
		return ""
	}
	next, ahead := strings.CutSuffix(source, "-devel")
	if !ahead || !semantic.MatchString(next) || before(next, newest) || next == newest {
		return "there are unreleased changes, so the source must be a version after " + newest + " with -devel, not " + source
	}
	return ""
}

// before reports whether version a, of the form 1.2.3, precedes b.
func before(a, b string) bool {
	var x, y [3]int
	_, _ = fmt.Sscanf(a, "%d.%d.%d", &x[0], &x[1], &x[2])
	_, _ = fmt.Sscanf(b, "%d.%d.%d", &y[0], &y[1], &y[2])
	return slices.Compare(x[:], y[:]) < 0
}

func TestTheVersionIsThatOfTheChangelog(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if fault := versionFault(string(text), sourceVersion); fault != "" {
		t.Errorf("CHANGELOG.md and sourceVersion: %s", fault)
	}
}

func TestVersionFault(t *testing.T) {
	const landed = "## [Unreleased]\n\n## [0.9.0] - 2026-11-28\n\n### Added\n\n- a\n"
	const ahead = "## [Unreleased]\n\n### Fixed\n\n- b\n\n## [0.9.0] - 2026-11-28\n"
	for _, test := range []struct {
		changelog, source string
		good              bool
	}{
		{landed, "0.9.0", true},
		{landed, "0.10.0-devel", false},
		{landed, "0.8.0", false},
		{ahead, "0.10.0-devel", true},
		{ahead, "0.9.1-devel", true},
		{ahead, "0.9.0", false},
		{ahead, "0.9.0-devel", false},
		{ahead, "0.8.9-devel", false},
		{ahead, "0.10.0", false},
		{"## [Unreleased]\n\n- b\n\n## [0.9.0] - 2026-11-28\n", "0.9.0", false},
		{"## [0.9.0] - 2026-11-28\n", "0.9.0", false},
	} {
		if fault := versionFault(test.changelog, test.source); (fault == "") != test.good {
			t.Errorf("%q with source %s: %q", test.changelog, test.source, fault)
		}
	}
}

func TestTheFormOfTheChangelog(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	order := []string{"Upgrade notes", "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
	later := ""
	for _, r := range sections(string(text)) {
		last := -1
		for _, m := range groupHeading.FindAllStringSubmatch(r.text, -1) {
			at := slices.Index(order, m[1])
			if at <= last {
				t.Errorf("%s: the heading %q is none of %v, in this order", r.version, m[1], order)
			}
			last = at
		}
		if !strings.Contains(string(text), "\n["+r.version+"]: https://") {
			t.Errorf("%s has no link at the end", r.version)
		}
		if r.version == "Unreleased" {
			continue
		}
		if !semantic.MatchString(r.version) {
			t.Errorf("%s is no version", r.version)
			continue
		}
		if _, err := time.Parse(time.DateOnly, r.date); err != nil {
			t.Errorf("%s: %v", r.version, err)
		}
		if !strings.Contains(r.text, "\n### Upgrade notes\n") {
			t.Errorf("%s has no upgrade notes", r.version)
		}
		if later != "" && !before(r.version, later) {
			t.Errorf("%s stands below %s", r.version, later)
		}
		later = r.version
	}
}
