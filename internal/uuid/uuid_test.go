package uuid

import (
	"regexp"
	"testing"
)

func TestNew(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 100 {
		id := New()
		if !form.MatchString(id) {
			t.Errorf("New() = %q, want a random UUID", id)
		}
		seen[id] = true
	}
	if len(seen) != 100 {
		t.Errorf("100 calls of New made %d UUIDs", len(seen))
	}
}

func TestFormat(t *testing.T) {
	ones := [16]byte{}
	for i := range ones {
		ones[i] = 0xff
	}
	for _, c := range []struct {
		bytes   [16]byte
		version byte
		want    string
	}{
		{[16]byte{}, 4, "00000000-0000-4000-8000-000000000000"},
		{ones, 8, "ffffffff-ffff-8fff-bfff-ffffffffffff"},
		{[16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 8, "00010203-0405-8607-8809-0a0b0c0d0e0f"},
	} {
		if got := Format(c.bytes, c.version); got != c.want {
			t.Errorf("Format(%x, %d) = %s, want %s", c.bytes, c.version, got, c.want)
		}
	}
}
