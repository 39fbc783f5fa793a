package audit

import "context"

// Of returns the record of the request that ctx belongs to, of a change that has begun. ok is false if nothing is recorded of it.
func Of(ctx context.Context) (r Record, ok bool) {
	t, ok := ctx.Value(trailKey{}).(*trail)
	if !ok {
		return Record{}, false
	}
	return t.log.record(*t.attempt, t.at, Begun), true
}
