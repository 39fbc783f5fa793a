package store

import "github.com/muster-iot/muster"

// LatestOf returns the latest execution of job on thing, or nil when there is none.
func LatestOf(r Reader, thing muster.ThingName, job muster.JobID) (*muster.Execution, error) {
	found, err := r.Latest(AttemptsKey{Thing: thing, Job: job})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// CountsOf returns how many executions job has in each status.
func CountsOf(r Reader, job muster.JobID) (muster.Counts, error) {
	counts, err := r.Counts(job)
	if err != nil {
		return muster.Counts{}, err
	}
	return counts[0], nil
}
