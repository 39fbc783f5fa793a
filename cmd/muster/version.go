package main

import (
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// sourceVersion is the version of this source: the newest one in CHANGELOG.md, or, while
// that has unreleased changes, the next one with "-devel".
const sourceVersion = "0.2.0-devel"

// version replaces sourceVersion and the commit, when the linker sets it: -ldflags "-X main.version=1.2.3".
var version = ""

func versionCommand() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:     "version [flags]",
		Short:   "print the version",
		Long:    "Prints the version, that of Go, and the system that the program is built for. A version with -devel comes before the release of that name; what follows the plus sign is the commit that it is built from.",
		Example: "  muster version",
		Args:    atMost(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runVersion(cmd, out) },
	}
	out.register(cmd.Flags())
	return cmd
}

// build is what this program is built from and for.
type build struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func runVersion(cmd *cobra.Command, out output) error {
	b := build{versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH}
	return out.said(cmd, b, "muster %s %s %s/%s", b.Version, b.Go, b.OS, b.Arch)
}

// versionText returns the version that the linker set, or else that of the source
// with what the build knows about its commit.
func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(info)
}

// versionOf returns the version of a build whose version the linker did not set: a
// semantic version with the commit as build metadata, which has no precedence.
func versionOf(info *debug.BuildInfo) string {
	if info.Main.Sum != "" { // "go install …@v0.1.0": no checkout, but a module with a version
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	commit, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			commit = "+" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ".modified"
		}
	}
	if commit == "" {
		modified = "" // there is no commit that it could refer to
	}
	return sourceVersion + commit + modified
}
