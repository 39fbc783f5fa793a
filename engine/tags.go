package engine

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tagsMax bounds the tags of one resource.
const tagsMax = 50

// checkTags returns an error unless a resource may be created with tags.
func checkTags(given []muster.Tag) error {
	seen := map[string]bool{}
	for _, t := range given {
		if strings.HasPrefix(t.Key, "aws:") {
			return muster.Errorf(muster.Invalid, "The tag key %q begins with the reserved prefix aws:", t.Key)
		}
		if seen[t.Key] {
			return muster.Errorf(muster.Invalid, "The tag key %q is given twice", t.Key)
		}
		seen[t.Key] = true
	}
	if len(given) > tagsMax {
		return muster.Errorf(muster.LimitExceeded, "A resource may have at most %d tags", tagsMax)
	}
	return nil
}

// putTags replaces all tags of a resource; none removes the record.
func (b *batch) putTags(kind, name string, all []muster.Tag) {
	key := store.JoinKey(kind, name)
	if len(all) == 0 {
		tags.Delete(b, key)
		return
	}
	tags.Put(b, key, all)
}
