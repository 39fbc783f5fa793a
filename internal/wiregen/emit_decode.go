package wiregen

import (
	"fmt"
	"slices"

	"github.com/muster-iot/muster/internal/wiregen/model"
)

// readers names the decoder method that reads a scalar.
var readers = map[string]string{
	"string": "text", "boolean": "boolean", "integer": "integer", "long": "long", "double": "double",
}

// sourceTexts are the string shapes that also accept a number or a boolean, as its
// source text (jobs-data-plane.md J15).
var sourceTexts = []string{"DetailsValue"}

// reader returns the decoder method that reads an element of a list or a map, if the
// element is a scalar.
func (t *structure) reader(element *model.Ref) (string, bool) {
	if slices.Contains(sourceTexts, element.Shape) {
		return "scalar", true
	}
	method, ok := readers[t.svc.lookup(element).Type]
	return method, ok
}

// writeDecoders writes Decode for every input and a reader for every structure
// an input can hold.
func writeDecoders(p *plan, src *source) error {
	for _, t := range p.types {
		if !t.input {
			continue
		}
		if t.op != "" {
			if err := t.writeDecode(src); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		body := t.in("")
		if t.shape.Payload == "" && len(body) > 0 {
			src.line("\nfunc decode%s(d *decoder, v *%s) {", t.name, t.name)
			if err := t.writeReader(src, body); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			src.line("}")
		}
	}
	return nil
}

// writeDecode writes the method that reads an input from a request.
func (t *structure) writeDecode(src *source) error {
	src.line("\n// Decode implements Input.\nfunc (in *%s) Decode(r *Request) error {", t.name)
	if params := t.in("uri", "querystring", "header"); len(params) > 0 {
		src.line("var p params")
		for _, name := range params {
			m := t.shape.Members[name]
			reader := readers[t.svc.Shapes[m.Shape].Type]
			if m.JSONValue {
				reader = "json"
			}
			source := map[string]string{"uri": "label", "querystring": "query", "header": "header"}[m.Location]
			switch reader {
			case "text", "boolean", "integer", "long", "json":
				src.line("in.%s = p.%s(r.%s(%q))", fieldName(name), reader, source, m.LocationName)
			default:
				return fmt.Errorf("parameter %s has a type that cannot be one", name)
			}
		}
		src.line("if p.err != nil { return p.err }")
	}
	body := t.in("")
	switch {
	case t.shape.Payload != "":
		if m := t.shape.Members[t.shape.Payload]; len(body) != 1 || t.svc.Shapes[m.Shape].Type != "blob" {
			return fmt.Errorf("payload %s is not a blob alone in its body", t.shape.Payload)
		}
		src.line("in.%s = r.Body", fieldName(t.shape.Payload))
	case len(body) > 0:
		src.line("if err := decodeBody(r.Body, in, decode%s); err != nil { return err }", t.name)
	}
	src.line("return in.Validate()\n}")
	return nil
}

// writeReader writes the loop that reads the members of a structure.
func (t *structure) writeReader(src *source, members []string) error {
	src.line("for name := range d.members(false) {")
	if err := t.writeSwitch(src, members); err != nil {
		return err
	}
	src.line("}")
	return nil
}

func (t *structure) writeSwitch(src *source, members []string) error {
	if len(members) == 0 {
		src.line("d.skip()")
		return nil
	}
	src.line("switch name {")
	for _, name := range members {
		read, err := t.read(t.shape.Members[name].Shape)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		src.line("case %q:\nv.%s = %s", name, fieldName(name), read)
	}
	src.line("default:\nd.skip()\n}")
	return nil
}

// read returns the expression that reads a member.
func (t *structure) read(name string) (string, error) {
	shape := t.svc.Shapes[name]
	if reader, ok := readers[shape.Type]; ok {
		return fmt.Sprintf("optional(d, (*decoder).%s)", reader), nil
	}
	collections := map[string][2]string{"list": {"list", "objects"}, "map": {"dict", "objectDict"}}
	switch shape.Type {
	case "structure":
		return fmt.Sprintf("object(d, decode%s)", t.svc.typeName(name)), nil
	case "list", "map":
		element := shape.Element
		if shape.Type == "map" {
			element = shape.Value
		}
		if reader, ok := t.reader(element); ok {
			return fmt.Sprintf("%s(d, (*decoder).%s)", collections[shape.Type][0], reader), nil
		}
		if t.svc.lookup(element).Type == "structure" {
			return fmt.Sprintf("%s(d, decode%s)", collections[shape.Type][1], t.svc.typeName(element.Shape)), nil
		}
	}
	return "", fmt.Errorf("cannot read a %s", shape.Type)
}
