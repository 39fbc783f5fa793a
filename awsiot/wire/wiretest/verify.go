package wiretest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"

	"github.com/muster-iot/muster/internal/wiregen/model"
)

// verifier reads a JSON document and compares it with a shape.
type verifier struct {
	api    *model.API
	dec    *json.Decoder
	limits bool // values keep the limits of their shapes, too
}

func newVerifier(api *model.API, r io.Reader, limits bool) *verifier {
	dec := json.NewDecoder(r)
	dec.UseNumber()
	return &verifier{api: api, dec: dec, limits: limits}
}

// timestamp matches a number of seconds; one of eleven digits would be milliseconds.
var timestamp = regexp.MustCompile(`^-?[0-9]{1,10}(\.[0-9]{1,3})?$`)

// value verifies the next value; at is its name in errors.
func (v *verifier) value(at, name string) error {
	token, err := v.dec.Token()
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	shape := v.api.Shapes[name]
	ok := false
	switch shape.Type {
	case "structure":
		if ok = token == json.Delim('{'); ok {
			return v.members(at, shape)
		}
	case "map":
		if ok = token == json.Delim('{'); ok {
			return v.entries(at, shape)
		}
	case "list":
		if ok = token == json.Delim('['); ok {
			return v.elements(at, shape)
		}
	case "string":
		return v.text(at, token, shape)
	case "blob":
		var text string
		if text, ok = token.(string); ok {
			_, err := base64.StdEncoding.DecodeString(text)
			ok = err == nil
		}
	case "boolean":
		_, ok = token.(bool)
	case "integer":
		ok = isInteger(token, 32)
	case "long":
		ok = isInteger(token, 64)
	case "double", "float":
		_, ok = token.(json.Number)
	case "timestamp":
		var n json.Number
		n, ok = token.(json.Number)
		ok = ok && timestamp.MatchString(n.String())
	}
	if !ok {
		return fmt.Errorf("%s: %v is no %s", at, token, shape.Type)
	}
	if v.limits {
		return limited(at, token, shape)
	}
	return nil
}

func (v *verifier) text(at string, token json.Token, shape *model.Shape) error {
	text, ok := token.(string)
	if !ok {
		return fmt.Errorf("%s: %v is no string", at, token)
	}
	if shape.Enum != nil && !slices.Contains(shape.Enum, text) {
		return fmt.Errorf("%s: %q is none of %v", at, text, shape.Enum)
	}
	if v.limits {
		return limited(at, token, shape)
	}
	return nil
}

func isInteger(token json.Token, bits int) bool {
	n, ok := token.(json.Number)
	if !ok {
		return false
	}
	_, err := strconv.ParseInt(n.String(), 10, bits)
	return err == nil
}

func (v *verifier) members(at string, shape *model.Shape) error {
	seen := map[string]bool{}
	err := v.each(at, seen, func(name string) error {
		member := shape.Members[name]
		if member == nil || member.Location != "" {
			return fmt.Errorf("%s has no member %s", at, name)
		}
		return v.value(at+"."+name, member.Shape)
	})
	if err != nil {
		return err
	}
	for _, name := range shape.Required {
		if !seen[name] {
			return fmt.Errorf("%s: required member %s is missing", at, name)
		}
	}
	return nil
}

func (v *verifier) entries(at string, shape *model.Shape) error {
	seen := map[string]bool{}
	err := v.each(at, seen, func(name string) error {
		if err := v.text(at+" key", name, v.api.Shapes[shape.Key.Shape]); err != nil {
			return err
		}
		return v.value(at+"."+name, shape.Value.Shape)
	})
	if err == nil && v.limits {
		err = inRange(at, "size", float64(len(seen)), shape)
	}
	return err
}

// each verifies the members of an object and notes their names in seen.
func (v *verifier) each(at string, seen map[string]bool, verify func(name string) error) error {
	for v.dec.More() {
		token, err := v.dec.Token()
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		name := token.(string) // the decoder allows no other key
		if seen[name] {
			return fmt.Errorf("%s has %s twice", at, name)
		}
		seen[name] = true
		if err := verify(name); err != nil {
			return err
		}
	}
	return v.end(at)
}

func (v *verifier) elements(at string, shape *model.Shape) error {
	n := 0
	for ; v.dec.More(); n++ {
		if err := v.value(fmt.Sprintf("%s[%d]", at, n), shape.Element.Shape); err != nil {
			return err
		}
	}
	if v.limits {
		if err := inRange(at, "size", float64(n), shape); err != nil {
			return err
		}
	}
	return v.end(at)
}

func (v *verifier) end(at string) error {
	if _, err := v.dec.Token(); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}
