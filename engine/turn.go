package engine

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// This file keeps the number of jobs that roll out at once below a limit, if
// there is one. Those beyond it wait, the oldest first, and are never cancelled
// (arbitration A13, jobs-lifecycle.md J4). What is being cancelled counts, but
// never waits.

// turn returns j, which was old, as it may go on: with its turn to roll out, or
// waiting for it. A job that waits before it has begun captures its members when
// it does begin. Asked twice in one transaction, it says the same.
func (b *batch) turn(old *muster.Job, j muster.Job) (muster.Job, error) {
	if !j.RollsOut() {
		j.Waiting = false
		return j, nil
	}
	if j.Waiting || (old != nil && old.RollsOut()) || b.e.o.Limits.ConcurrentJobs == 0 {
		return j, nil
	}
	free, err := b.e.turnIsFree(b)
	if err != nil {
		return j, err
	}
	if _, waits, err := nextInLine(b); err != nil || (free && !waits) {
		return j, err
	}
	j.Waiting, j.Rollout.Started = true, 0
	if old != nil {
		j.Rollout.Started = old.Rollout.Started
	}
	return j, nil
}

// turnIsFree reports whether one more job may roll out.
func (e *Engine) turnIsFree(r store.Reader) (bool, error) {
	taken, err := full(r, concurrent, e.o.Limits.ConcurrentJobs)
	return !taken, err
}

// nextInLine returns the job whose turn comes next, if any waits.
func nextInLine(r store.Reader) (id muster.JobID, ok bool, err error) {
	for row, err := range line.Scan(r, "", "") {
		if err != nil {
			return "", false, err
		}
		_, id := alarmOf(row.Key)
		return id, true, nil
	}
	return "", false, nil
}

// turnDue reports whether a job that waits may roll out.
func (e *Engine) turnDue(r store.Reader) (bool, error) {
	if _, waits, err := nextInLine(r); err != nil || !waits {
		return false, err
	}
	return e.turnIsFree(r)
}

// giveTurns lets the jobs that come next roll out, as many as may.
func (b *batch) giveTurns() error {
	for range stepMax {
		if due, err := b.e.turnDue(b); err != nil || !due {
			return err
		}
		id, _, err := nextInLine(b)
		if err != nil {
			return err
		}
		old, err := b.job(id)
		if err != nil {
			return err
		}
		j := *old
		j.Waiting, j.Wake = false, b.Now
		if j.Rollout.Started == 0 {
			j.Rollout.Started = b.Now
		}
		if err := b.putJob(j); err != nil {
			return err
		}
	}
	return nil
}
