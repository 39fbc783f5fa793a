package muster

import (
	"errors"
	"testing"
)

func TestPolicyVersions(t *testing.T) {
	p := NewPolicy("p", "one", 1)
	for _, doc := range []string{"two", "three", "four", "five"} {
		next, v, err := p.WithVersion(doc, doc == "three", 2)
		if err != nil || v.Document != doc || len(p.Versions) == len(next.Versions) {
			t.Fatalf("WithVersion(%s) = %+v, %v", doc, v, err)
		}
		p = next
	}
	if p.Default != "3" || p.InForce() != "three" {
		t.Errorf("version %s is in force with %q, want 3", p.Default, p.InForce())
	}
	_, _, err := p.WithVersion("six", false, 3)
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != VersionsLimit {
		t.Errorf("a sixth version: %v, want VersionsLimit", err)
	}
	if _, err := p.WithoutVersion("3", 3); err == nil {
		t.Error("the version in force could be deleted")
	}
	p, err = p.WithoutVersion("5", 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, v, _ := p.WithVersion("again", false, 4); v.ID != "6" {
		t.Errorf("a deleted number was used again: %s", v.ID)
	}
	if _, err := p.WithDefault("5", 4); err == nil {
		t.Error("a deleted version could be put in force")
	}
}
