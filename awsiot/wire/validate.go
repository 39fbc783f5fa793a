package wire

import (
	"fmt"
	"strings"
)

// maxViolations is how many violations one message lists at most.
const maxViolations = 20

// validator collects the violations of one input.
type validator struct {
	path       path
	violations []string
}

// err returns the violations as one error in the words of AWS's framework, or nil.
func (v *validator) err() error {
	n := len(v.violations)
	if n == 0 {
		return nil
	}
	noun := "errors"
	if n == 1 {
		noun = "error"
	}
	return &InputError{Violation, fmt.Sprintf("%d validation %s detected: %s", n, noun, strings.Join(v.violations, "; "))}
}

// violated records that the value of a member breaks a constraint. The caller has
// quoted the value, or passes "" if it must not be shown.
func (v *validator) violated(name, value, constraint string) {
	if len(v.violations) == maxViolations {
		return
	}
	at := append(v.path, step{name: name}).String()
	v.violations = append(v.violations, "Value"+value+" at '"+at+"' failed to satisfy constraint: "+constraint)
}

func quote(value string) string { return " '" + shown(value) + "'" }

// present records a required member that is absent.
func (v *validator) present(name string, ok bool) {
	if !ok {
		v.violated(name, " null", notNull)
	}
}

// text validates a string that is present.
func (v *validator) text(name string, s *string, r *textRule) {
	if s == nil {
		return
	}
	r.broken(*s, func(constraint string) {
		if r.sensitive {
			v.violated(name, "", constraint)
			return
		}
		v.violated(name, quote(*s), constraint)
	})
}

// inRange validates a number that is present.
func inRange[T int | int64 | float64](v *validator, name string, n *T, r *numberRule) {
	if n != nil {
		r.broken(float64(*n), func(constraint string) { v.violated(name, quote(number(*n)), constraint) })
	}
}

// size validates the length of a list that is present.
func size[T any](v *validator, name string, l []T, r *sizeRule) {
	if l == nil {
		return
	}
	r.broken(len(l), func(constraint string) { v.violated(name, quote(listed(l)), constraint) })
}

// listed shows strings and numbers as AWS's framework does, and of structures their
// number.
func listed[T any](l []T) string {
	switch l := any(l).(type) {
	case []string:
		return "[" + strings.Join(l, ", ") + "]"
	case []float64:
		s := make([]string, len(l))
		for i, f := range l {
			s[i] = number(f)
		}
		return listed(s)
	}
	if len(l) == 0 {
		return "[]"
	}
	return fmt.Sprintf("[%d elements]", len(l))
}

// texts validates the strings of a list. As in AWS's framework, the first bad one is
// reported for the whole list, with all constraints on an element.
func (v *validator) texts(name string, l []string, r *textRule) {
	for _, s := range l {
		if !r.allows(s) {
			v.violated(name, quote(listed(l)), every+r.all())
			return
		}
	}
}

// doubles validates the numbers of a list like texts its strings.
func (v *validator) doubles(name string, l []float64, r *numberRule) {
	for _, f := range l {
		if !r.allows(f) {
			v.violated(name, quote(listed(l)), every+r.all())
			return
		}
	}
}

// mapSize validates the number of entries of a map that is present.
func mapSize[T any](v *validator, name string, m map[string]T, r *sizeRule) {
	if m != nil {
		r.broken(len(m), func(constraint string) { v.violated(name, quote(fmt.Sprintf("{%d entries}", len(m))), constraint) })
	}
}

// mapKeys validates the keys of a map.
func mapKeys[T any](v *validator, name string, m map[string]T, r *textRule) {
	for _, key := range sortedKeys(m) {
		if !r.allows(key) {
			v.violated(name, quote("{"+key+"=}"), keys+r.all())
			return
		}
	}
}

// mapTexts validates the values of a map of strings.
func (v *validator) mapTexts(name string, m map[string]string, r *textRule) {
	for _, key := range sortedKeys(m) {
		if !r.allows(m[key]) {
			v.violated(name, quote("{"+key+"="+m[key]+"}"), values+r.all())
			return
		}
	}
}

// inside validates a structure that is present.
func inside[T any](v *validator, name string, s *T, validate func(*T, *validator)) {
	if s == nil {
		return
	}
	v.path = append(v.path, step{name: name})
	validate(s, v)
	v.path = v.path[:len(v.path)-1]
}

// insideEach validates the structures of a list.
func insideEach[T any](v *validator, name string, l []T, validate func(*T, *validator)) {
	for i := range l {
		v.path = append(v.path, step{name: name}, step{index: i})
		validate(&l[i], v)
		v.path = v.path[:len(v.path)-2]
	}
}

// insideMap validates the values of a map of structures.
func insideMap[T any](v *validator, name string, m map[string]T, validate func(*T, *validator)) {
	for _, key := range sortedKeys(m) {
		v.path = append(v.path, step{name: name}, step{name: key, entry: true})
		value := m[key]
		validate(&value, v)
		v.path = v.path[:len(v.path)-2]
	}
}
