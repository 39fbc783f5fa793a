package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// This file bounds how many jobs roll out at once, if there is a limit. Jobs beyond
// the limit wait and are given turns by age, the oldest first; they are never
// cancelled for it (arbitration A13, jobs-lifecycle.md J4). A job that is being
// cancelled counts towards the limit, but never waits.

// takeTurn decides whether j (old before this command, nil for a new one) may roll
// out now or must wait for its turn, and returns it so. A job that waits before it
// has begun captures its members when it does begin. Asked twice in one
// transaction, takeTurn decides the same.
func takeTurn(tx *transaction, old *muster.Job, j muster.Job) (muster.Job, error) {
	if !j.RollsOut() || j.Waiting || (old != nil && old.RollsOut()) || tx.s.limits.ConcurrentJobs == 0 {
		return j, nil
	}
	free, err := tx.s.limits.turnIsFree(tx)
	if err != nil {
		return j, err
	}
	if _, waits, err := nextInLine(tx); err != nil || (free && !waits) {
		return j, err
	}
	j = j.Note(muster.JobMustWait)
	j.Rollout.Started = 0
	if old != nil {
		j.Rollout.Started = old.Rollout.Started
	}
	return j, nil
}

// turnIsFree reports whether one more job may roll out.
func (l Limits) turnIsFree(r store.Reader) (bool, error) {
	taken, err := tables.concurrent.Full(r, l.ConcurrentJobs)
	return !taken, err
}

// nextInLine returns the job whose turn comes next, if any waits.
func nextInLine(r store.Reader) (id muster.JobID, ok bool, err error) {
	for row, err := range tables.line.Scan(r, "", "") {
		if err != nil {
			return "", false, err
		}
		_, id := alarmOf(row.Key)
		return id, true, nil
	}
	return "", false, nil
}

// turnDue reports whether a job that waits may roll out.
func (s *Jobs) turnDue(r store.Reader) (bool, error) {
	if _, waits, err := nextInLine(r); err != nil || !waits {
		return false, err
	}
	return s.limits.turnIsFree(r)
}

// readLine reads at once the jobs that come next, if the store is reached over a network.
func readLine(tx *transaction) error {
	var failed error
	tx.prefetch(func(w wants) {
		w.Range(tables.concurrent.Table, "", "")
		n := 0
		for row, err := range tables.line.Scan(tx, "", "") {
			if failed = err; err != nil || n == min(stepMax, tx.s.limits.ConcurrentJobs) {
				return
			}
			_, id := alarmOf(row.Key)
			w.job(id)
			n++
		}
	})
	return failed
}

// giveTurns lets the jobs that come next roll out, as many as may.
func giveTurns(tx *transaction) error {
	if err := readLine(tx); err != nil {
		return err
	}
	for range stepMax {
		if due, err := tx.s.turnDue(tx); err != nil || !due {
			return err
		}
		id, _, err := nextInLine(tx)
		if err != nil {
			return err
		}
		old, err := tx.job(id)
		if err != nil {
			return err
		}
		j := old.Note(muster.JobMayGoOn)
		j.Wake = tx.Now
		if j.Rollout.Started == 0 {
			j.Rollout.Started = tx.Now
		}
		if err := tx.putJob(j); err != nil {
			return err
		}
	}
	return nil
}
