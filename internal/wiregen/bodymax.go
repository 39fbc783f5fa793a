package wiregen

import (
	"slices"

	"github.com/muster-iot/muster/internal/wiregen/model"
)

// Assumed limits of shapes that have none in the model, well above what the server
// accepts for any of them.
const (
	openText = 8192 // characters
	openList = 256  // elements, or entries
)

// bodyCap is wire.MaxBody: the generator does not import what it writes.
const bodyCap = 2 << 20

// escaped is how many bytes a character of a JSON string takes at most. A character
// that needs two escapes counts as two.
const escaped = 6

// bodyMax returns how many bytes the longest body of an operation has, without white
// space: zero if no member is in the body, and at most wire.MaxBody.
func (s *service) bodyMax(op *model.Operation) int {
	input := s.lookup(op.Input)
	if input == nil {
		return 0
	}
	if input.Payload != "" {
		return bodyCap
	}
	total := 0
	for name, m := range input.Members {
		if m.Location == "" {
			total += s.memberMax(name, m, nil)
		}
	}
	if total == 0 {
		return 0
	}
	return min(total+len("{}"), bodyCap)
}

func (s *service) memberMax(name string, m *model.Member, above []string) int {
	return len(`"":,`) + len(name) + s.valueMax(m.Shape, above)
}

// valueMax returns the bytes of the longest value of a shape; above are the shapes
// around it.
func (s *service) valueMax(name string, above []string) int {
	if slices.Contains(above, name) { // it contains itself, so it can be of any depth
		return bodyCap
	}
	above = append(slices.Clone(above), name)
	total := len("{}")
	switch shape := s.Shapes[name]; shape.Type {
	case "structure":
		for name, m := range shape.Members {
			total += s.memberMax(name, m, above)
		}
	case "list":
		total += atMost(shape, openList) * (len(",") + s.valueMax(shape.Element.Shape, above))
	case "map":
		total += atMost(shape, openList) * (len(":,") + s.valueMax(shape.Key.Shape, above) + s.valueMax(shape.Value.Shape, above))
	case "string":
		total += escaped * atMost(shape, openText)
	default: // numbers, booleans and times
		total = 32
	}
	return min(total, bodyCap)
}

func atMost(shape *model.Shape, open int) int {
	if shape.Max == nil {
		return open
	}
	return int(min(*shape.Max, bodyCap))
}
