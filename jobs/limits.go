package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Limits bound what there may be at once (jobs-control-plane.md section 9).
// Zero means no bound.
type Limits struct {
	ActiveJobs     int // SCHEDULED and IN_PROGRESS; more are LimitExceeded
	ConcurrentJobs int // rolling out or being cancelled; more wait for their turn (arbitration A13)
	DeletingJobs   int // in DELETION_IN_PROGRESS; more are LimitExceeded
	JobTemplates   int // custom ones; more are LimitExceeded
	RetentionDays  int // that a job is kept after it ended, then deleted
}

// activeJobs is the key in tallies of how many jobs are active.
const activeJobs = "active-jobs"

// countActive returns how many jobs are SCHEDULED or IN_PROGRESS. All jobs are read
// only once in the life of a folder; from then on there is a stored count.
func countActive(r store.Reader) (int, error) {
	n, err := store.Tallies.Get(r, activeJobs)
	if err != nil {
		return 0, err
	}
	if n != nil {
		return *n, nil
	}
	active := 0
	for row, err := range tables.jobs.Scan(r, "", "") {
		if err != nil {
			return 0, err
		}
		if row.Value.Status.Active() {
			active++
		}
	}
	return active, nil
}

// roomForJob fails with LimitExceeded when there may be no more active jobs.
func roomForJob(tx *transaction) error {
	most := tx.s.limits.ActiveJobs
	if most == 0 {
		return nil
	}
	n, err := countActive(tx)
	if err == nil && n >= most {
		err = muster.Errorf(muster.LimitExceeded, "There may be at most %d jobs that are SCHEDULED or IN_PROGRESS", most)
	}
	return err
}
