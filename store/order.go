package store

import "cmp"

// Compare orders keys by thing and namespace.
func (k QueueKey) Compare(other QueueKey) int {
	return cmp.Or(cmp.Compare(k.Thing, other.Thing), cmp.Compare(k.Namespace, other.Namespace))
}

// Compare orders keys by thing, job and number.
func (k ExecutionKey) Compare(other ExecutionKey) int {
	return cmp.Or(
		cmp.Compare(k.Thing, other.Thing),
		cmp.Compare(k.Job, other.Job),
		cmp.Compare(k.Number, other.Number),
	)
}

// Compare orders cursors as ExecutionsOfJob orders executions. The zero Cursor,
// which is not that of an execution, is not treated specially.
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
