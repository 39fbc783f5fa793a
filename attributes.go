package muster

import "maps"

// The limits of attributes (registry.md sections 1.2 and 8).
const (
	AttributesMax        = 50 // of a group, and of a thing that has a type
	UntypedAttributesMax = 3  // of a thing without one
	attributeNameMax     = 128
	attributeValueMax    = 800
)

// AttributePayload is a change of the attributes of a thing or a group
// (registry.md REG-22).
type AttributePayload struct {
	// Attributes replaces all attributes or, with Merge, adds to them and overwrites
	// those of the same name. An attribute with an empty value is deleted. A nil map
	// changes nothing.
	Attributes map[string]string
	Merge      bool
}

// Apply returns the attributes after the change, nil when none are left. It does
// not modify old or p. It fails with Invalid for a malformed name or value.
func (p AttributePayload) Apply(old map[string]string) (map[string]string, error) {
	if p.Attributes == nil {
		return old, nil
	}
	attributes := map[string]string{}
	if p.Merge {
		maps.Copy(attributes, old)
	}
	for name, value := range p.Attributes {
		if err := checkAttribute(name, value); err != nil {
			return nil, err
		}
		if value == "" {
			delete(attributes, name)
			continue
		}
		attributes[name] = value
	}
	if len(attributes) == 0 {
		return nil, nil
	}
	return attributes, nil
}

func checkAttribute(name, value string) error {
	if err := checkAttributeName(name); err != nil {
		return err
	}
	if len(value) > attributeValueMax || !allOf(value, attributePunctuation+"=[]") {
		return Errorf(Invalid, "The value of attribute %s is not 0 to %d of [a-zA-Z0-9_.,@/:#=[]-]", name, attributeValueMax)
	}
	return nil
}

func checkAttributeName(name string) error {
	if name == "" || len(name) > attributeNameMax || !allOf(name, attributePunctuation) {
		return Errorf(Invalid, "The attribute name %q is not 1 to %d of [a-zA-Z0-9_.,@/:#-]", name, attributeNameMax)
	}
	return nil
}

// attributePunctuation is what an attribute name may contain besides nameChar.
const attributePunctuation = ".,@/:#"
