package wiregen

import (
	"errors"
	"fmt"
	"slices"
)

// writeValidators writes Validate for every input and validate for every
// structure an input can hold.
func writeValidators(p *plan, src *source) error {
	for _, t := range p.types {
		if !t.input {
			continue
		}
		if t.op != "" {
			src.line("\n// Validate implements Input.\nfunc (in *%s) Validate() error {", t.name)
			src.line("var v validator\nin.validate(&v)\nreturn v.err()\n}")
		}
		src.line("\nfunc (in *%s) validate(v *validator) {", t.name)
		for _, name := range t.members() {
			if slices.Contains(t.shape.Required, name) {
				src.line("v.present(%q, in.%s != nil)", name, fieldName(name))
			}
			if err := t.writeChecks(src, name); err != nil {
				return fmt.Errorf("%s.%s: %w", t.name, name, err)
			}
		}
		src.line("}")
	}
	return nil
}

// writeChecks writes the checks of a member's value.
func (t *structure) writeChecks(src *source, name string) error {
	member := t.shape.Members[name].Shape
	shape := t.svc.Shapes[member]
	args := fmt.Sprintf("%q, in.%s", name, fieldName(name))
	rule := t.svc.ruleName(member)
	switch shape.Type {
	case "string":
		if constrained(shape) {
			src.line("v.text(%s, %s)", args, rule)
		}
	case "integer", "long", "double":
		if constrained(shape) {
			src.line("inRange(v, %s, %s)", args, rule)
		}
	case "blob":
		if constrained(shape) {
			return errors.New("cannot validate the length of a blob")
		}
	case "structure":
		src.line("inside(v, %s, (*%s).validate)", args, t.svc.typeName(member))
	case "list":
		if constrained(shape) {
			src.line("size(v, %s, %s)", args, rule)
		}
		element := t.svc.lookup(shape.Element)
		switch {
		case element.Type == "structure":
			src.line("insideEach(v, %s, (*%s).validate)", args, t.svc.typeName(shape.Element.Shape))
		case constrained(element) && element.Type == "string":
			src.line("v.texts(%s, %s)", args, t.svc.ruleName(shape.Element.Shape))
		case constrained(element) && element.Type == "double":
			src.line("v.doubles(%s, %s)", args, t.svc.ruleName(shape.Element.Shape))
		case constrained(element):
			return fmt.Errorf("cannot validate a list of %s", element.Type)
		}
	case "map":
		if constrained(shape) {
			src.line("mapSize(v, %s, %s)", args, rule)
		}
		if constrained(t.svc.lookup(shape.Key)) {
			src.line("mapKeys(v, %s, %s)", args, t.svc.ruleName(shape.Key.Shape))
		}
		value := t.svc.lookup(shape.Value)
		switch {
		case value.Type == "structure":
			src.line("insideMap(v, %s, (*%s).validate)", args, t.svc.typeName(shape.Value.Shape))
		case constrained(value) && value.Type == "string":
			src.line("v.mapTexts(%s, %s)", args, t.svc.ruleName(shape.Value.Shape))
		case constrained(value):
			return fmt.Errorf("cannot validate a map of %s", value.Type)
		}
	case "boolean":
	default:
		return fmt.Errorf("cannot validate a %s", shape.Type)
	}
	return nil
}
