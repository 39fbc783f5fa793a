package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// expiredMax bounds the jobs whose deletion one round of Work begins.
const expiredMax = 16

// expired returns some of the jobs that were kept for long enough after their
// end, and when the next one will be: zero when nothing is known.
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

// keptUntil returns how long a job is kept that ended at an instant.
func (s *Jobs) keptUntil(at muster.Instant) muster.Instant {
	return at.Minutes(s.limits.RetentionDays * 24 * 60)
}

// expireJob begins the deletion of a job that is past its retention
// (jobs-lifecycle.md section 7). It needs no room among the deletions that
// operators asked for.
func expireJob(tx *transaction, id muster.JobID) error {
	j, err := tx.job(id)
	if err != nil || j == nil || (j.Status != muster.JobCompleted && j.Status != muster.JobCanceled) {
		return err // somebody else was quicker
	}
	gone, err := j.Apply(muster.JobIsDeleted, tx.Now)
	if err != nil {
		return err
	}
	return beginDeletion(tx, gone)
}
