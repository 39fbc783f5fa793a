package diskstore_test

import (
	"testing"

	"github.com/muster-iot/muster/files/diskstore"
)

func (e *env) versioning(to diskstore.Versioning) {
	e.t.Helper()
	if err := e.SetVersioning(e.t.Context(), "lab", to); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) del(key, version string) diskstore.Deleted {
	e.t.Helper()
	d, err := e.Delete(e.t.Context(), "lab", key, version)
	if err != nil {
		e.t.Fatal(err)
	}
	return d
}

func (e *env) versions(want string) {
	e.t.Helper()
	page, err := e.ListVersions(e.t.Context(), "lab", diskstore.Query{Max: 1000})
	if got := describe(page.Items); err != nil || got != want {
		e.t.Errorf("the versions are\n%s(%v), want\n%s", got, err, want)
	}
}

func TestVersions(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	e.put("k", "before")
	e.versioning(diskstore.Enabled)
	one, two := e.put("k", "one"), e.put("k", "two")
	e.versions("k latest\nk\nk null\n")
	for version, want := range map[string]string{"": "two", two.ID: "two", one.ID: "one", "null": "before", "none": "NoSuchVersion", "\x00": "NoSuchVersion"} {
		if got := e.get("k", version); got != want {
			t.Errorf("version %q is %q, want %q", version, got, want)
		}
	}
	marker := e.del("k", "")
	if !marker.Marker || marker.Version == "" {
		t.Errorf("Delete = %+v, want a marker", marker)
	}
	e.versions("k marker latest\nk\nk\nk null\n")
	if got := e.get("k", "") + " " + e.get("k", marker.Version) + " " + e.get("k", one.ID); got != "NoSuchKey MethodNotAllowed one" {
		t.Errorf("after a marker: %s", got)
	}
	e.del("k", marker.Version)
	if got := e.get("k", ""); got != "two" {
		t.Errorf("without its marker the object is %q", got)
	}
	e.del("k", two.ID)
	if got := e.get("k", ""); got != "one" {
		t.Errorf("without its newest version the object is %q", got)
	}
	e.del("k", "null")
	e.versions("k latest\n")
	e.tidy(1)
	e.del("k", one.ID)
	e.versions("")
	e.tidy(0)
}

func TestVersioningSuspended(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	e.versioning(diskstore.Enabled)
	one := e.put("k", "one")
	e.versioning(diskstore.Suspended)
	e.put("k", "null 1")
	e.put("k", "null 2")
	e.versions("k null latest\nk\n")
	e.tidy(2)
	if d := e.del("k", ""); !d.Marker || d.Version != "null" {
		t.Errorf("Delete = %+v, want a null marker", d)
	}
	e.versions("k marker null latest\nk\n")
	e.put("k", "null 3")
	e.versions("k null latest\nk\n")
	e.tidy(2)
	e.versioning(diskstore.Enabled)
	e.put("k", "two")
	e.versions("k latest\nk null\nk\n")
	if got := e.get("k", "null") + e.get("k", one.ID); got != "null 3one" {
		t.Errorf("the older versions are %q", got)
	}
	e.tidy(3)
}
