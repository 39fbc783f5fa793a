package muster

// IndexingConfig says what the fleet index contains (registry.md section 5.1).
// Strings are the contract's words, returned as they were given.
type IndexingConfig struct {
	Things       bool   // the index of things is on
	ThingMode    string // REGISTRY; older records may have REGISTRY_AND_SHADOW, which means the same here: there are no shadows
	Connectivity bool   // the index of things contains connectivity
	Groups       bool   // the index of thing groups is on

	ThingFields, GroupFields []IndexField // customFields
}

// IndexField is a field with a declared type.
type IndexField struct {
	Name, Type string
}

// DefaultIndexing returns the configuration that holds until an operator sets
// another: everything is on (registry.md REG-60).
func DefaultIndexing() IndexingConfig {
	return IndexingConfig{Things: true, ThingMode: "REGISTRY", Connectivity: true, Groups: true}
}
