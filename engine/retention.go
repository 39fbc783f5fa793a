package engine

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// expiredMax bounds the jobs whose deletion one round of Work begins.
const expiredMax = 16

// expired returns some of the jobs that were kept for long enough after their
// end, and when the next one will be: zero when nothing is known.
func (e *Engine) expired(r store.Reader, now muster.Instant) (ids []muster.JobID, next muster.Instant, err error) {
	if e.o.Limits.RetentionDays == 0 {
		return nil, 0, nil
	}
	for row, err := range ended.Scan(r, "", "") {
		if err != nil {
			return nil, 0, err
		}
		at, id := alarmOf(row.Key)
		if due := e.keptUntil(at); due > now {
			return ids, due, nil
		}
		if ids = append(ids, id); len(ids) == expiredMax {
			break
		}
	}
	return ids, 0, nil
}

// keptUntil returns how long a job is kept that ended at an instant.
func (e *Engine) keptUntil(at muster.Instant) muster.Instant {
	return at.Minutes(e.o.Limits.RetentionDays * 24 * 60)
}

// expire begins the deletion of a job that is past its retention
// (jobs-lifecycle.md section 7). It needs no room among the deletions that
// operators asked for.
func (b *batch) expire(id muster.JobID) error {
	j, err := b.job(id)
	if err != nil || j == nil || (j.Status != muster.JobCompleted && j.Status != muster.JobCanceled) {
		return err // somebody else was quicker
	}
	gone, err := j.Apply(muster.JobIsDeleted, b.Now)
	if err != nil {
		return err
	}
	return b.deleting(gone)
}
