package store

import (
	"iter"

	"github.com/muster-iot/muster"
)

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

// Chunks yields what a sequence yields, size at a time. The last pair has fewer, or the error
// with which the sequence ended.
func Chunks[T any](seq iter.Seq2[T, error], size int) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		var chunk []T
		for v, err := range seq {
			if err != nil {
				yield(nil, err)
				return
			}
			if chunk = append(chunk, v); len(chunk) == size {
				if !yield(chunk, nil) {
					return
				}
				chunk = nil
			}
		}
		if len(chunk) > 0 {
			yield(chunk, nil)
		}
	}
}
