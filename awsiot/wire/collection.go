package wire

import "strings"

// optional reads a scalar or structure member; null is absent.
func optional[T any](d *decoder, read func(*decoder) T) *T {
	if d.word("null") {
		return nil
	}
	return new(read(d))
}

// object reads a structure member; null is absent.
func object[T any](d *decoder, read func(*decoder, *T)) *T {
	if d.word("null") {
		return nil
	}
	v := new(T)
	read(d, v)
	return v
}

// list reads a list of scalars; null is absent, a null element is an error.
func list[T any](d *decoder, read func(*decoder) T) []T {
	if d.word("null") {
		return nil
	}
	l := []T{}
	for range d.elements() {
		l = append(l, read(d))
	}
	return l
}

// objects reads a list of structures.
func objects[T any](d *decoder, read func(*decoder, *T)) []T {
	if d.word("null") {
		return nil
	}
	l := []T{}
	for range d.elements() {
		l = append(l, *new(T))
		read(d, &l[len(l)-1])
	}
	return l
}

// dict reads a map from strings to scalars; null is absent, a null value is an
// error.
func dict[T any](d *decoder, read func(*decoder) T) map[string]T {
	if d.word("null") {
		return nil
	}
	m := map[string]T{}
	for key := range d.members(true) {
		m[strings.Clone(key)] = read(d)
	}
	return m
}

// objectDict reads a map from strings to structures.
func objectDict[T any](d *decoder, read func(*decoder, *T)) map[string]T {
	if d.word("null") {
		return nil
	}
	m := map[string]T{}
	for key := range d.members(true) {
		var v T
		read(d, &v)
		m[strings.Clone(key)] = v
	}
	return m
}
