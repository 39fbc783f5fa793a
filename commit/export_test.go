package commit

// The guards of lanes.go.
const (
	GuardWide  = guardWide
	GuardAlone = guardAlone
	GuardTouch = guardTouch
	GuardLook  = guardLook
)

// Guards are some of them.
type Guards = guard

// Without switches guards off, before Run.
func (c *Committer) Without(g guard) { c.off = g }
