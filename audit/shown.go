package audit

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// Shown says what records show of a table. What is in no Shown is shown nowhere.
type Shown struct {
	table    store.Table
	describe func(key string, value []byte) (resource string, fields []Field, err error)
}

// Field is a field of a record of the service with its value.
type Field struct{ Name, Value string }

// Is returns the field of a value: texts as they are, anything else as JSON has it, nothing for null.
func Is(name string, value any) Field {
	b, err := json.Marshal(value)
	if err != nil || string(b) == "null" {
		return Field{Name: name}
	}
	f := Field{name, string(b)}
	_ = json.Unmarshal(b, &f.Value) // fails unless it is a text
	return f
}

// IfSet is Is for a value that is not its zero, and otherwise a field without a value.
func IfSet[T any](name string, value T) Field {
	if reflect.ValueOf(&value).Elem().IsZero() {
		return Field{Name: name}
	}
	return Is(name, value)
}

// Each returns a field for each key of a map, below name.
func Each(name string, values map[string]string) (fields []Field) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		fields = append(fields, Field{name + "." + key, values[key]})
	}
	return fields
}

// Show says what is shown of a table: the resource that a record is of or belongs to, as a word and a name, and the fields of it that
// may be shown, in the API's words. It must leave out secrets, documents, and what devices report.
func Show[T any](table store.Of[T], describe func(key string, value T) (resource string, fields []Field)) Shown {
	return Shown{table.Table, func(key string, value []byte) (string, []Field, error) {
		v, err := table.Decode(key, value)
		if err != nil {
			return "", nil, err
		}
		resource, fields := describe(key, *v)
		return resource, fields, nil
	}}
}

// changes returns what differs in what a command has written.
func (l *Log) changes(wrote []commit.Write) ([]Change, error) {
	var all []Change
	for _, w := range wrote {
		if w.Table == "" {
			all = append(all, executionChange(w)...)
			continue
		}
		more, err := l.shown[w.Table].changes(w)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// executionChange returns what became of an execution that is changed or removed. Those that a change makes are not shown.
func executionChange(w commit.Write) []Change {
	was, is := w.ExecutionBefore, w.ExecutionAfter
	if was == nil || is != nil && is.Status == was.Status {
		return nil
	}
	c := Change{Resource: "job/" + string(was.Job) + "/thing/" + string(was.Thing), Field: "status", Old: was.Status.String()}
	if is != nil {
		c.New = is.Status.String()
	}
	return []Change{c}
}

// changes returns the fields that differ between the states of a record, in the order in which they are described, those that are
// gone last.
func (s Shown) changes(w commit.Write) ([]Change, error) {
	before, err := s.fields(w.Key, w.Before)
	if err != nil {
		return nil, err
	}
	after, err := s.fields(w.Key, w.After)
	if err != nil {
		return nil, err
	}
	old := map[Change]string{} // the Change without its values
	for _, f := range before {
		old[f.field] = f.value
	}
	var all []Change
	for _, f := range after {
		was, there := old[f.field]
		delete(old, f.field)
		if was != f.value || !there {
			all = append(all, f.field.of(was, f.value))
		}
	}
	for _, f := range before {
		if was, gone := old[f.field]; gone {
			all = append(all, f.field.of(was, ""))
		}
	}
	return all, nil
}

// shownField is a field of a resource.
type shownField struct {
	field Change
	value string
}

// fields returns the fields of a state of a record that have a value; none for nil.
func (s Shown) fields(key string, value []byte) ([]shownField, error) {
	if value == nil {
		return nil, nil
	}
	resource, fields, err := s.describe(key, value)
	if err != nil {
		return nil, err
	}
	all := make([]shownField, 0, len(fields))
	for _, f := range fields {
		if f.Value != "" {
			all = append(all, shownField{Change{Resource: text(resource, resourceMax), Field: text(f.Name, nameMax)}, f.Value})
		}
	}
	return all, nil
}

// of returns the change c of a field with its values, those left out that are too long.
func (c Change) of(was, is string) Change {
	for of, value := range map[*string]string{&c.Old: was, &c.New: is} {
		if len(value) < valueMax {
			*of = strings.ToValidUTF8(value, "\uFFFD")
		}
	}
	return c
}
