package wiretest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
	"unicode/utf8"

	"github.com/muster-iot/muster/internal/wiregen"
	"github.com/muster-iot/muster/internal/wiregen/model"
)

// limited verifies that a value keeps the limits of its shape: the length of a string
// in characters, its pattern, and the range of a number. The sizes of lists and maps
// are verified where they end.
func limited(at string, token json.Token, shape *model.Shape) error {
	switch value := token.(type) {
	case string:
		if shape.Type != "string" {
			return nil
		}
		if err := inRange(at, "length", float64(utf8.RuneCountInString(value)), shape); err != nil {
			return err
		}
		if shape.Pattern != "" && !expression(shape.Pattern).MatchString(value) {
			return fmt.Errorf("%s: %q does not match %s", at, value, shape.Pattern)
		}
	case json.Number:
		n, err := value.Float64()
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		return inRange(at, "value", n, shape)
	}
	return nil
}

func inRange(at, of string, n float64, shape *model.Shape) error {
	switch {
	case shape.Min != nil && n < *shape.Min:
		return fmt.Errorf("%s: the %s %v is less than %v", at, of, n, *shape.Min)
	case shape.Max != nil && n > *shape.Max:
		return fmt.Errorf("%s: the %s %v is more than %v", at, of, n, *shape.Max)
	}
	return nil
}

// expressions are the patterns of the models that were needed so far, compiled.
var expressions sync.Map

func expression(pattern string) *regexp.Regexp {
	if known, ok := expressions.Load(pattern); ok {
		return known.(*regexp.Regexp)
	}
	expr, err := wiregen.Expression(pattern)
	if err != nil {
		panic(err) // the generator of the server's own code refuses it too
	}
	re := regexp.MustCompile(expr)
	expressions.Store(pattern, re)
	return re
}
