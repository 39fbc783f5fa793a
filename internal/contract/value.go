package contract

import (
	"encoding/json"
	"strconv"

	"github.com/muster-iot/muster/internal/wiregen/model"
)

// value is one value of an input, in the structure of its shape.
type value struct {
	name    string // of the shape
	shape   *model.Shape
	literal string   // JSON text of a scalar, or of any broken value
	members []member // of a structure or map, in order
	items   []*value // of a list
}

// member is a member of a structure or an entry of a map.
type member struct {
	name  string
	value *value
}

// get returns a member of a structure, or nil if it is not given.
func (v *value) get(name string) *value {
	for _, m := range v.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// drop removes a member.
func (v *value) drop(name string) {
	for i, m := range v.members {
		if m.name == name {
			v.members = append(v.members[:i:i], v.members[i+1:]...)
			return
		}
	}
}

// set gives a member a value, in place of its old value if it has one.
func (v *value) set(name string, to *value) {
	for i, m := range v.members {
		if m.name == name {
			v.members[i].value = to
			return
		}
	}
	v.members = append(v.members, member{name, to})
}

// appendJSON appends the value as JSON.
func (v *value) appendJSON(b []byte) []byte {
	switch {
	case v.literal != "":
		return append(b, v.literal...)
	case v.shape.Type == "list":
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	}
	return appendObject(b, v.members)
}

func appendObject(b []byte, members []member) []byte {
	b = append(b, '{')
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quote(m.name)...)
		b = append(b, ':')
		b = m.value.appendJSON(b)
	}
	return append(b, '}')
}

// text returns a scalar as it is written in a parameter: a string without quotes.
func (v *value) text() string {
	var s string
	if json.Unmarshal([]byte(v.literal), &s) == nil {
		return s
	}
	return string(v.appendJSON(nil))
}

// quote returns s as a JSON string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return strconv.Quote(s) // never happens: a string always marshals
	}
	return string(b)
}
