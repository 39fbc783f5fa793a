package store

import "github.com/muster-iot/muster"

// HashOf returns the hash of a thing's name, FNV-1a, by which things are divided into parts
// such as lanes and buckets. It depends on nothing else and never changes.
func HashOf(thing muster.ThingName) uint32 {
	h := uint32(2166136261)
	for i := range len(thing) {
		h = (h ^ uint32(thing[i])) * 16777619
	}
	return h
}
