package muster

// IndexingConfig says what the fleet index holds (registry.md section 5.1). The
// words are the contract's and come back as they were given.
type IndexingConfig struct {
	Things       bool   // the index of things is on
	ThingMode    string // REGISTRY; older folders may have REGISTRY_AND_SHADOW, which means the same, as no thing has a shadow
	Connectivity bool   // it holds connectivity
	Groups       bool   // the index of thing groups is on

	ThingFields, GroupFields []IndexField // customFields
}

// IndexField is a field whose type somebody declared.
type IndexField struct {
	Name, Type string
}

// DefaultIndexing is the configuration until somebody sets another: everything
// is on (registry.md REG-60).
func DefaultIndexing() IndexingConfig {
	return IndexingConfig{Things: true, ThingMode: "REGISTRY", Connectivity: true, Groups: true}
}
