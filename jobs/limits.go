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

// fileJob keeps what is known of jobs as a whole: how many are active, which
// roll out, which wait for that, and when they ended. now is nil for one that is
// gone. It runs before the job itself is written.
func (tx *transaction) fileJob(old, now *muster.Job) error {
	was, is := jobFile(old), jobFile(now)
	if was.active != is.active {
		n, err := countActive(tx)
		if err != nil {
			return err
		}
		if is.active {
			n++
		} else {
			n--
		}
		store.Tallies.Put(tx, activeJobs, n)
	}
	refile(tx, tables.concurrent, was.concurrent, is.concurrent)
	if is.concurrent == "" && was.concurrent != "" && tx.s.limits.ConcurrentJobs > 0 {
		tx.Wake(0) // it may be another job's turn
	}
	refile(tx, tables.line, was.line, is.line)
	if is.line != was.line && is.line != "" {
		tx.Wake(0)
	}
	refile(tx, tables.ended, was.ended, is.ended)
	if is.ended != was.ended && is.ended != "" && tx.s.limits.RetentionDays > 0 {
		tx.Wake(tx.s.keptUntil(now.UpdatedAt))
	}
	return nil
}

// refile moves a job's row in an index; empty keys are none.
func refile(tx *transaction, t store.Of[store.Link], was, is string) {
	if was == is {
		return
	}
	if was != "" {
		t.Delete(tx, was)
	}
	if is != "" {
		t.Put(tx, is, store.Link{})
	}
}

// jobFiling is where a job is filed; empty keys are nowhere.
type jobFiling struct {
	active                  bool
	concurrent, line, ended string
}

func jobFile(j *muster.Job) jobFiling {
	if j == nil {
		return jobFiling{}
	}
	f := jobFiling{active: j.Status.Active()}
	if j.Concurrent() {
		f.concurrent = string(j.ID)
	}
	if j.Waiting {
		f.line = alarmKey(j.CreatedAt, j.ID)
	}
	if j.Status == muster.JobCompleted || j.Status == muster.JobCanceled {
		f.ended = alarmKey(j.UpdatedAt, j.ID)
	}
	return f
}

// countActive returns how many jobs are SCHEDULED or IN_PROGRESS. They are
// counted once in the life of a folder.
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

// roomForJob returns nil when there may be one more active job.
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
