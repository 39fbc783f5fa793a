package store

// HashOf returns the hash of a name, FNV-1a, by which things are divided into parts such as
// lanes and buckets, and other work into shares. It depends on nothing else and never changes.
func HashOf[Name ~string](name Name) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}
