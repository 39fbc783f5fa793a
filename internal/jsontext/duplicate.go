package jsontext

import (
	"bytes"
	"encoding/json"
	"slices"
)

// DuplicateName returns the first name that occurs twice in one object of a JSON
// text, at any depth, and whether there is one. JSON readers differ in which of the
// two members they take, so the server that checks such a text and the device that
// obeys it may see different values. Names are compared after unescaping. text must
// be valid JSON; for any other text the result is undefined. DuplicateName runs in
// linear time and does not allocate for a text with few names.
func DuplicateName(text []byte) (name string, found bool) {
	var few [16]nameInText // on the stack, as long as requests need; append moves to the heap when they are full
	var shallow [8]openValue
	names, open := few[:0], shallow[:0] // the names seen in the open objects, outermost first
	var all longObjects
	for i, values := 0, 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			values++
			open = append(open, openValue{first: len(names), id: values})
		case '}', ']':
			if len(open) == 0 {
				return "", false
			}
			names = names[:open[len(open)-1].first]
			open = open[:len(open)-1]
		case '"':
			start := i
			i = stringEnd(text, start) - 1
			if len(open) == 0 || !isName(text, i+1) {
				continue
			}
			object, n := &open[len(open)-1], newName(text[start:i+1])
			known := names[object.first:]
			if len(known) < manyNames {
				if slices.ContainsFunc(known, n.equals) {
					return n.text(), true
				}
				names = append(names, n)
			} else if all.again(object, known, n) {
				return n.text(), true
			}
		}
	}
	return "", false
}

// openValue is an object or array whose end has not been reached.
type openValue struct {
	first int // index of its first name in names
	id    int
	long  bool // its names are in longObjects
}

// nameInText is an unescaped name. One without escapes is a slice of the text, so
// that it costs no memory.
type nameInText struct {
	raw   []byte // nil when it has escapes
	plain string
}

type nameInObject struct {
	id   int
	name string
}

// manyNames is how many names of an object are compared one by one; any further ones
// go into a map, to stay linear.
const manyNames = 16

func newName(quoted []byte) nameInText {
	raw := quoted[1:max(1, len(quoted)-1)]
	if bytes.IndexByte(raw, '\\') < 0 {
		return nameInText{raw: raw}
	}
	var plain string
	if json.Unmarshal(quoted, &plain) != nil {
		return nameInText{raw: raw}
	}
	return nameInText{plain: plain}
}

func (n nameInText) text() string {
	if n.raw != nil {
		return string(n.raw)
	}
	return n.plain
}

func (n nameInText) equals(m nameInText) bool {
	switch {
	case n.raw != nil && m.raw != nil:
		return bytes.Equal(n.raw, m.raw)
	case n.raw != nil:
		return string(n.raw) == m.plain
	case m.raw != nil:
		return n.plain == string(m.raw)
	}
	return n.plain == m.plain
}

// longObjects holds the names of the objects that have more than manyNames.
type longObjects map[nameInObject]bool

// again adds n to the names of an object and reports whether it was there already.
// known are the first manyNames names of the object.
func (all *longObjects) again(object *openValue, known []nameInText, n nameInText) bool {
	if *all == nil {
		*all = longObjects{}
	}
	if !object.long {
		object.long = true
		for _, other := range known {
			(*all)[nameInObject{object.id, other.text()}] = true
		}
	}
	key := nameInObject{object.id, n.text()}
	was := (*all)[key]
	(*all)[key] = true
	return was
}

// stringEnd returns the index after the string that begins at i.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// isName reports whether a colon follows at i, so that the string before it is a
// name.
func isName(text []byte, i int) bool {
	for ; i < len(text); i++ {
		switch text[i] {
		case ' ', '\t', '\r', '\n':
		default:
			return text[i] == ':'
		}
	}
	return false
}
