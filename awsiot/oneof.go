package awsiot

import "github.com/muster-iot/muster"

// member is the name of a member of an input, and whether the call has it.
type member struct {
	name  string
	given bool
}

// oneOf returns an error unless exactly one of three members is given
// (jobs-control-plane.md section 3.1, checks 2 and 3, and J6).
func oneOf(a, b, c member) error {
	var names []string
	for _, m := range []member{a, b, c} {
		if m.given {
			names = append(names, m.name)
		}
	}
	switch len(names) {
	case 0:
		return muster.Errorf(muster.Invalid, "One of %s, %s and %s is required", a.name, b.name, c.name)
	case 1:
		return nil
	}
	return muster.Errorf(muster.Invalid, "%s and %s exclude each other", names[0], names[1])
}
