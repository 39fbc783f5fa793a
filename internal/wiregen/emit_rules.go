package wiregen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-iot/muster/internal/wiregen/model"
)

// writeRules writes the constraints of the shapes and the patterns they use.
func writeRules(p *plan, src *source) error {
	src.line("// The constraints of the models, by shape.\nvar (")
	for _, r := range p.rules {
		switch r.shape.Type {
		case "string":
			src.line("%s = &textRule{%s}", r.name, strings.Join(p.textRule(r.shape), ", "))
		case "list", "map":
			src.line("%s = &sizeRule{%s}", r.name, strings.Join(bounds(r.shape, "%v"), ", "))
		default:
			src.line("%s = &numberRule{%s}", r.name, strings.Join(bounds(r.shape, "new(float64(%v))"), ", "))
		}
	}
	src.line(")\n\n// The patterns of the models.\nvar (")
	for i, pattern := range p.patterns {
		expr, err := Expression(pattern)
		if err != nil {
			return err
		}
		src.line("pattern%d = &pattern{\ntext: %s,\nexpr: %s,", i, literal(pattern), literal(expr))
		if c, ok := classOf(expr); ok {
			src.line("class: true,\nascii: [2]uint64{%#x, %#x},\nbeyond: %s,", c.ascii[0], c.ascii[1], c.beyond)
			if c.nonEmpty {
				src.line("nonEmpty: true,")
			}
		}
		src.line("}")
	}
	src.line(")")
	return nil
}

// textRule returns the fields of a rule for strings.
func (p *plan) textRule(s *model.Shape) []string {
	fields := bounds(s, "%v")
	if i := slices.Index(p.patterns, s.Pattern); i >= 0 {
		fields = append(fields, fmt.Sprintf("pattern: pattern%d", i))
	}
	if s.Enum != nil {
		fields = append(fields, fmt.Sprintf("enum: %#v", s.Enum))
	}
	if s.Sensitive {
		fields = append(fields, "sensitive: true")
	}
	return fields
}

func bounds(s *model.Shape, layout string) []string {
	var fields []string
	if s.Min != nil {
		fields = append(fields, "min: "+fmt.Sprintf(layout, *s.Min))
	}
	if s.Max != nil {
		fields = append(fields, "max: "+fmt.Sprintf(layout, *s.Max))
	}
	return fields
}

// literal returns s as a Go string, raw if possible.
func literal(s string) string {
	if strings.ContainsAny(s, "`\n") {
		return fmt.Sprintf("%q", s)
	}
	return "`" + s + "`"
}
