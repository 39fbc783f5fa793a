package main

import (
	"runtime/debug"
	"testing"
)

func TestVersionOfABuild(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, test := range []struct {
		of   string
		info debug.BuildInfo
		want string
	}{
		{"no checkout", debug.BuildInfo{}, sourceVersion},
		{"a commit", debug.BuildInfo{Settings: []debug.BuildSetting{revision}}, sourceVersion + "+0123456789ab"},
		{"a changed commit", debug.BuildInfo{Settings: []debug.BuildSetting{revision, modified}}, sourceVersion + "+0123456789ab.modified"},
		{"a module", debug.BuildInfo{Main: debug.Module{Version: "v0.1.0", Sum: "h1:…"}}, "0.1.0"},
	} {
		if got := versionOf(&test.info); got != test.want {
			t.Errorf("the version of a build of %s is %s, want %s", test.of, got, test.want)
		}
	}
}
