package store

import "cmp"

// Compare orders keys by thing, job and number.
func (k ExecutionKey) Compare(other ExecutionKey) int {
	return cmp.Or(
		cmp.Compare(k.Thing, other.Thing),
		cmp.Compare(k.Job, other.Job),
		cmp.Compare(k.Number, other.Number),
	)
}

// Compare orders the places of executions as ExecutionsOfJob does. The zero
// Cursor, which is no place, has no special order here.
func (c Cursor) Compare(other Cursor) int {
	return cmp.Or(
		cmp.Compare(other.QueuedAt, c.QueuedAt), // latest first
		cmp.Compare(c.Thing, other.Thing),
		cmp.Compare(c.Number, other.Number),
	)
}

// Compare orders timers as Timers does.
func (t Timer) Compare(other Timer) int {
	return cmp.Or(cmp.Compare(t.Due, other.Due), t.ExecutionKey.Compare(other.ExecutionKey))
}
