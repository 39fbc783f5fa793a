package wire

import "strconv"

// path is the place of a value in an input, outermost step first.
type path []step

// step is a member of a structure, an entry of a map (by name) or an element of a
// list (by index, if name is empty).
type step struct {
	name  string
	index int
	entry bool
}

// String writes p as AWS's framework does: names begin in lower case, list elements
// count from one and are followed by ".member".
func (p path) String() string {
	var b []byte
	for i, s := range p {
		if i > 0 {
			b = append(b, '.')
		}
		switch {
		case s.entry:
			b = append(b, shown(s.name)...)
			b = append(b, ".member"...)
		case s.name != "":
			b = append(b, lowerFirst(s.name)...)
		default:
			b = strconv.AppendInt(b, int64(s.index)+1, 10)
			b = append(b, ".member"...)
		}
	}
	return string(b)
}

func lowerFirst(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return string(s[0]+'a'-'A') + s[1:]
}
