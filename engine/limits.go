package engine

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Limits bound what there may be at once (jobs-control-plane.md section 9,
// registry.md section 8).
// Zero means no bound.
type Limits struct {
	ActiveJobs     int // SCHEDULED and IN_PROGRESS; more are LimitExceeded
	ConcurrentJobs int // rolling out or being cancelled; more wait for their turn (arbitration A13)
	DeletingJobs   int // in DELETION_IN_PROGRESS; more are LimitExceeded
	JobTemplates   int // custom ones; more are LimitExceeded
	RetentionDays  int // that a job is kept after it ended, then deleted
	DynamicGroups  int // dynamic thing groups; more are LimitExceeded
}

// activeJobs is the key in tallies of how many jobs are active.
const activeJobs = "active-jobs"

// fileJob keeps what is known of jobs as a whole: how many are active, which
// roll out, which wait for that, and when they ended. now is nil for one that is
// gone. It runs before the job itself is written.
func (b *batch) fileJob(old, now *muster.Job) error {
	was, is := jobFile(old), jobFile(now)
	if was.active != is.active {
		n, err := countActive(b)
		if err != nil {
			return err
		}
		if is.active {
			n++
		} else {
			n--
		}
		tallies.Put(b, activeJobs, n)
	}
	b.refile(concurrent, was.concurrent, is.concurrent)
	if is.concurrent == "" && was.concurrent != "" && b.e.o.Limits.ConcurrentJobs > 0 {
		b.Wake(0) // it may be another job's turn
	}
	b.refile(line, was.line, is.line)
	if is.line != was.line && is.line != "" {
		b.Wake(0)
	}
	b.refile(ended, was.ended, is.ended)
	if is.ended != was.ended && is.ended != "" && b.e.o.Limits.RetentionDays > 0 {
		b.Wake(b.e.keptUntil(now.UpdatedAt))
	}
	return nil
}

// refile moves a job's row in an index; empty keys are none.
func (b *batch) refile(t store.Of[link], was, is string) {
	if was == is {
		return
	}
	if was != "" {
		t.Delete(b, was)
	}
	if is != "" {
		t.Put(b, is, link{})
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
	n, err := tallies.Get(r, activeJobs)
	if err != nil {
		return 0, err
	}
	if n != nil {
		return *n, nil
	}
	active := 0
	for row, err := range jobs.Scan(r, "", "") {
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
func (b *batch) roomForJob() error {
	most := b.e.o.Limits.ActiveJobs
	if most == 0 {
		return nil
	}
	n, err := countActive(b)
	if err == nil && n >= most {
		err = muster.Errorf(muster.LimitExceeded, "There may be at most %d jobs that are SCHEDULED or IN_PROGRESS", most)
	}
	return err
}

// full reports whether a table has at least most rows, looking at no more. Zero
// means that any number fits.
func full[T any](r store.Reader, t store.Of[T], most int) (bool, error) {
	if most == 0 {
		return false, nil
	}
	n := 0
	for _, err := range t.Scan(r, "", "") {
		if err != nil {
			return false, err
		}
		if n++; n == most {
			return true, nil
		}
	}
	return false, nil
}
