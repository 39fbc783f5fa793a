package wiregen

import "fmt"

// writers names the encoder method that writes a scalar.
var writers = map[string]string{
	"string": "text", "boolean": "boolean", "integer": "integer", "long": "long", "double": "double",
	"timestamp": "timestamp",
}

// writeEncoders writes AppendJSON for every output and a writer for every
// structure an output can hold.
func writeEncoders(p *plan, src *source) error {
	for _, t := range p.types {
		if !t.output {
			continue
		}
		if t.op != "" {
			src.line("\n// AppendJSON implements Output.\nfunc (out *%s) AppendJSON(b []byte) []byte {", t.name)
			src.line("e := encoder{b}\nencode%s(&e, out)\nreturn e.b\n}", t.name)
		}
		if t.shape.Payload != "" || len(t.in("")) != len(t.shape.Members) {
			return fmt.Errorf("%s: only a JSON body can be written", t.name)
		}
		src.line("\nfunc encode%s(e *encoder, v *%s) {\ne.open('{')", t.name, t.name)
		for _, name := range t.members() {
			write, err := t.write(name)
			if err != nil {
				return fmt.Errorf("%s.%s: %w", t.name, name, err)
			}
			src.line("%s", write)
		}
		src.line("e.close('}')\n}")
	}
	return nil
}

// write returns the statement that writes a member.
func (t *structure) write(name string) (string, error) {
	shape := t.shape.Members[name].Shape
	s := t.svc.Shapes[shape]
	helper := "member"
	switch s.Type {
	case "blob":
		return fmt.Sprintf("e.blobMember(%q, v.%s)", name, fieldName(name)), nil
	case "list":
		helper, shape = "listMember", s.Element.Shape
	case "map":
		helper, shape = "mapMember", s.Value.Shape
	}
	s = t.svc.Shapes[shape]
	if s.Type == "structure" {
		return fmt.Sprintf("%s(e, %q, v.%s, encode%s)", helper, name, fieldName(name), t.svc.typeName(shape)), nil
	}
	if writer, ok := writers[s.Type]; ok {
		return fmt.Sprintf("%s(e, %q, v.%s, (*encoder).%s)", helper, name, fieldName(name), writer), nil
	}
	return "", fmt.Errorf("cannot write a %s", s.Type)
}
