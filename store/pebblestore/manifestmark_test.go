package pebblestore

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// A manifest may grow after the mark was moved, and give way to another; what the
// mark speaks of must stay as it was.
func TestTheMarkOfTheManifest(t *testing.T) {
	const text = "the entries that there were"
	for name, c := range map[string]struct {
		now     string
		current string
		damaged bool
	}{
		"as it was":      {text, "MANIFEST-000007", false},
		"longer":         {text + " and more", "MANIFEST-000007", false},
		"shorter":        {text[:len(text)-1], "MANIFEST-000007", true},
		"empty":          {"", "MANIFEST-000007", true},
		"another byte":   {"The" + text[3:], "MANIFEST-000007", true},
		"the last byte":  {text[:len(text)-1] + "E and more", "MANIFEST-000007", true},
		"another is now": {"something else", "MANIFEST-000009", false},
	} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewMem()
			point := func(manifest, content string) error {
				f, err := disk.Create("data/"+manifest, vfs.WriteCategoryUnspecified)
				if err != nil {
					return err
				}
				_, err = f.Write([]byte(content))
				mark, _, markErr := atomicfs.LocateMarker(disk, "data", manifestMarker)
				if markErr != nil {
					return markErr
				}
				return errors.Join(err, f.Close(), mark.Move(manifest), mark.Close())
			}
			err := errors.Join(disk.MkdirAll("data", 0o700), point("MANIFEST-000007", text), markManifest(disk, "data"), point(c.current, c.now))
			if err != nil {
				t.Fatal(err)
			}
			err = checkManifestMark(disk, "data", c.current)
			if damage := asDamage(err); (damage != nil) != c.damaged || damage == nil && err != nil {
				t.Errorf("checkManifestMark() = %v, want damage: %v", err, c.damaged)
			}
		})
	}
}
