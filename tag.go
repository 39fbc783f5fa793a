package muster

import (
	"cmp"
	"slices"
	"strings"
)

// TagsMax bounds the tags of one resource.
const TagsMax = 50

// reservedTag is the prefix of keys that callers cannot set.
const reservedTag = "aws:"

// Tag is one tag of a resource (registry.md section 6.4).
type Tag struct{ Key, Value string }

// Retag returns the tags had after set was added to them, sorted by key; set
// overwrites tags of the same key. It fails with Invalid for a reserved or repeated
// key in set, and with LimitExceeded for more than TagsMax tags.
func Retag(had, set []Tag) ([]Tag, error) {
	if err := checkTags(set); err != nil {
		return nil, err
	}
	all := slices.Clone(set)
	for _, t := range had {
		if !slices.ContainsFunc(set, func(s Tag) bool { return s.Key == t.Key }) {
			all = append(all, t)
		}
	}
	if len(all) > TagsMax {
		return nil, Errorf(LimitExceeded, "A resource may have at most %d tags; this one would have %d", TagsMax, len(all))
	}
	slices.SortFunc(all, func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
	return all, nil
}

// Untag returns the tags had without those of the given keys.
func Untag(had []Tag, keys []string) []Tag {
	return slices.DeleteFunc(slices.Clone(had), func(t Tag) bool { return slices.Contains(keys, t.Key) })
}

func checkTags(set []Tag) error {
	seen := make(map[string]bool, len(set))
	for _, t := range set {
		if strings.HasPrefix(t.Key, reservedTag) {
			return Errorf(Invalid, "The tag key %q begins with the reserved prefix %s", t.Key, reservedTag)
		}
		if seen[t.Key] {
			return Errorf(Invalid, "The tag key %q is given twice", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}
