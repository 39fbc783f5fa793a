package wiregen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-iot/muster/internal/wiregen/model"
)

// scalars maps the scalar types of the model to Go.
var scalars = map[string]string{
	"string": "string", "boolean": "bool", "integer": "int", "long": "int64",
	"double": "float64", "timestamp": "Timestamp",
}

// writeShapes writes the Go types.
func writeShapes(p *plan, src *source) error {
	for _, t := range p.types {
		src.line("\n// %s", t.doc())
		src.line("type %s struct {", t.name)
		for _, name := range t.members() {
			typ, err := t.svc.memberType(t.shape.Members[name].Shape)
			if err != nil {
				return fmt.Errorf("%s.%s: %w", t.name, name, err)
			}
			src.line("%s %s // %s", fieldName(name), typ, t.describe(name))
		}
		src.line("}")
	}
	return nil
}

func (t *structure) doc() string {
	switch {
	case t.op != "" && t.input:
		return t.name + " is the input of " + t.svc.operationName(t.op) + "."
	case t.op != "":
		return t.name + " is the output of " + t.svc.operationName(t.op) + "."
	}
	return t.name + " is a structure of service " + t.svc.Metadata.SigningName + "."
}

// memberType returns the Go type of a member.
func (s *service) memberType(shape string) (string, error) {
	typ, err := s.elementType(shape)
	if err != nil || strings.HasPrefix(typ, "[]") || strings.HasPrefix(typ, "map[") {
		return typ, err
	}
	return "*" + typ, nil
}

// elementType returns the Go type of an element of a list or map.
func (s *service) elementType(name string) (string, error) {
	shape := s.Shapes[name]
	if typ, ok := scalars[shape.Type]; ok {
		return typ, nil
	}
	switch shape.Type {
	case "structure":
		return s.typeName(name), nil
	case "blob":
		return "[]byte", nil
	case "list":
		element, err := s.elementType(shape.Element.Shape)
		return "[]" + element, err
	case "map":
		value, err := s.elementType(shape.Value.Shape)
		return "map[string]" + value, err
	}
	return "", fmt.Errorf("type %s is not known", shape.Type)
}

// describe returns the wire name of a member and the constraints on it.
func (t *structure) describe(name string) string {
	m := t.shape.Members[name]
	shape := t.svc.Shapes[m.Shape]
	facts := []string{name}
	switch {
	case m.Location == "uri":
		facts = append(facts, "in the path")
	case m.Location == "querystring":
		facts = append(facts, "in the query as "+m.LocationName)
	case m.Location != "":
		facts = append(facts, "in the "+m.Location+" "+m.LocationName)
	case t.shape.Payload == name:
		facts = append(facts, "the body itself")
	}
	if t.input && slices.Contains(t.shape.Required, name) {
		facts = append(facts, "required")
	}
	if limits := limits(shape); limits != "" {
		facts = append(facts, limits)
	}
	if len(shape.Enum) > 0 {
		facts = append(facts, strings.Join(shape.Enum, "|"))
	}
	return strings.Join(facts, "; ")
}

func limits(s *model.Shape) string {
	unit := ""
	switch s.Type {
	case "string":
		unit = "character"
	case "list", "map":
		unit = "element"
	case "blob":
		unit = "byte"
	}
	switch {
	case s.Min != nil && s.Max != nil && *s.Min == *s.Max:
		return fmt.Sprintf("exactly %s", counted(*s.Max, unit))
	case s.Min != nil && s.Max != nil:
		return fmt.Sprintf("%v to %s", *s.Min, counted(*s.Max, unit))
	case s.Min != nil:
		return "at least " + counted(*s.Min, unit)
	case s.Max != nil:
		return "at most " + counted(*s.Max, unit)
	}
	return ""
}

// counted returns n with its unit, in the plural unless n is 1.
func counted(n float64, unit string) string {
	switch {
	case unit == "":
		return fmt.Sprint(n)
	case n == 1:
		return "1 " + unit
	}
	return fmt.Sprintf("%v %ss", n, unit)
}
