package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// This file writes jobs. Whatever a job's own state says about where it is filed
// (counts, indexes, its alarm) is brought up to date with it, so that no caller can
// forget one; Verify compares them.

// putJob writes a new or changed job, in the wide lane: those that change jobs, and how
// they are filed, see each other.
func (tx *transaction) putJob(j muster.Job) error {
	if err := tx.Wide(); err != nil {
		return err
	}
	old, err := tx.job(j.ID)
	if err != nil {
		return err
	}
	if j, err = takeTurn(tx, old, j); err != nil {
		return err
	}
	f := filing{tx, j.ID, old, &j}
	if err := f.tell(); err != nil {
		return err
	}
	if err := f.file(); err != nil {
		return err
	}
	f.fileByGroups()
	tables.jobs.Put(tx.Tx, string(j.ID), j)
	tx.jobs[j.ID] = &j
	return nil
}

// deleteJob removes a job.
func (tx *transaction) deleteJob(id muster.JobID) error {
	old, err := tx.job(id)
	if err != nil {
		return err
	}
	if err := (filing{tx, id, old, nil}).file(); err != nil {
		return err
	}
	tables.jobs.Delete(tx.Tx, string(id))
	tx.jobs[id] = nil
	return nil
}

// filing is a change of a job that is about to be written.
type filing struct {
	tx       *transaction
	id       muster.JobID
	old, now *muster.Job // nil: there is none
}

// file keeps what is known of jobs as a whole: how many are active, which roll out,
// which wait for that, when they ended, and when they are due. It also wakes the
// background for what the change makes possible: another job's turn, or the end of a
// retention.
func (f filing) file() error {
	tx, was, is := f.tx, jobFile(f.old), jobFile(f.now)
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
		tx.Wake(tx.s.keptUntil(f.now.UpdatedAt))
	}
	f.setAlarm()
	return nil
}

// setAlarm moves the alarm of the job to its Wake.
func (f filing) setAlarm() {
	var was, is muster.Instant
	if f.old != nil {
		was = f.old.Wake
	}
	if f.now != nil {
		is = f.now.Wake
	}
	if was == is {
		return
	}
	if was != 0 {
		tables.alarms.Delete(f.tx, alarmKey(was, f.id))
	}
	if is != 0 {
		f.tx.Wake(is)
		tables.alarms.Put(f.tx, alarmKey(is, f.id), store.Link{})
	}
}

// fileByGroups makes a snapshot findable by its groups while it is under way. That
// of a job that is deleted ended before.
func (f filing) fileByGroups() {
	is := isSnapshotUnderWay(f.now)
	if is == isSnapshotUnderWay(f.old) {
		return
	}
	for _, t := range f.now.Targets {
		switch {
		case !t.Group:
		case is:
			tables.rolling.Put(f.tx, targetKey(t, f.id), store.Link{})
		default:
			tables.rolling.Delete(f.tx, targetKey(t, f.id))
		}
	}
}

// refile moves a job's row in an index; an empty key is no row.
func refile(w store.Writer, t store.Of[store.Link], was, is string) {
	if was == is {
		return
	}
	if was != "" {
		t.Delete(w, was)
	}
	if is != "" {
		t.Put(w, is, store.Link{})
	}
}

// jobFiling is where a job is filed by its state; an empty key is nowhere.
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

// alarmKey is the key of a job in tables that are sorted by an instant.
func alarmKey(at muster.Instant, id muster.JobID) string {
	return store.JoinKey(store.TimeKey(at), string(id))
}

func alarmOf(key string) (muster.Instant, muster.JobID) {
	parts := store.SplitKey(key)
	return store.TimeIn(parts[0]), muster.JobID(parts[1])
}
