package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// expiredMax bounds the jobs that one round of background work begins to delete.
const expiredMax = 16

// expired returns some of the jobs that are past their retention, and when the next one
// will be: zero when there are more already, or none at all.
func (s *Jobs) expired(r store.Reader, now muster.Instant) (ids []muster.JobID, next muster.Instant, err error) {
	if s.limits.RetentionDays == 0 {
		return nil, 0, nil
	}
	for row, err := range tables.ended.Scan(r, "", "") {
		if err != nil {
			return nil, 0, err
		}
		at, id := alarmOf(row.Key)
		if due := s.keptUntil(at); due > now {
			return ids, due, nil
		}
		if ids = append(ids, id); len(ids) == expiredMax {
			break
		}
	}
	return ids, 0, nil
}

// keptUntil returns when the retention of a job that ended at an instant is over.
func (s *Jobs) keptUntil(at muster.Instant) muster.Instant {
	return at.Minutes(s.limits.RetentionDays * 24 * 60)
}

// expireJob begins the deletion of a job that is past its retention
// (jobs-lifecycle.md section 7). It needs no room among the deletions that
// operators asked for.
func expireJob(tx *transaction, id muster.JobID) error {
	j, err := tx.job(id)
	if err != nil || j == nil || (j.Status != muster.JobCompleted && j.Status != muster.JobCanceled) {
		return err // it was deleted since it was looked up
	}
	gone, err := j.Apply(muster.JobIsDeleted, tx.Now)
	if err != nil {
		return err
	}
	return beginDeletion(tx, gone)
}
