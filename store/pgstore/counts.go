package pgstore

import "github.com/muster-iot/muster"

const (
	selectCounts = `SELECT job, sum(queued)::bigint, sum(in_progress)::bigint, sum(succeeded)::bigint, sum(failed)::bigint,
			sum(timed_out)::bigint, sum(rejected)::bigint, sum(removed)::bigint, sum(canceled)::bigint
		FROM muster.counts WHERE job = ANY($1::text[]) GROUP BY job`
	addCounts = `INSERT INTO muster.counts AS c (job, lane, bucket, queued, in_progress, succeeded, failed, timed_out, rejected, removed, canceled)
		SELECT k.job, $1, $2, k.a, k.b, k.c, k.d, k.e, k.f, k.g, k.h
		FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])
			AS k(job, a, b, c, d, e, f, g, h) ` + onCounts
	onCounts = `ON CONFLICT (job, lane, bucket) DO UPDATE SET queued = c.queued + excluded.queued, in_progress = c.in_progress + excluded.in_progress,
			succeeded = c.succeeded + excluded.succeeded, failed = c.failed + excluded.failed, timed_out = c.timed_out + excluded.timed_out,
			rejected = c.rejected + excluded.rejected, removed = c.removed + excluded.removed, canceled = c.canceled + excluded.canceled`
	// With shards, of one job: the row is in the shard of the lane.
	addCountsOfJob = `INSERT INTO muster.counts AS c (lane, bucket, job, queued, in_progress, succeeded, failed, timed_out, rejected, removed, canceled)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ` + onCounts
	// Rows that are zero in every column say nothing, whatever the other rows are.
	dropCounts = `DELETE FROM muster.counts WHERE job = ANY($1::text[]) AND lane = $2 AND bucket = $3
		AND queued = 0 AND in_progress = 0 AND succeeded = 0 AND failed = 0 AND timed_out = 0 AND rejected = 0 AND removed = 0 AND canceled = 0`
)

// countRows are changes of counts.
type countRows struct {
	job    []string
	change [len(muster.Counts{})][]int64
}

func (r *countRows) add(job muster.JobID, change muster.Counts) {
	r.job = append(r.job, string(job))
	for i, n := range change {
		r.change[i] = append(r.change[i], n)
	}
}

// lessens reports whether a row may have become zero: there are fewer executions of some
// job now.
func (r *countRows) lessens() bool {
	for i := range r.job {
		total := int64(0)
		for _, column := range r.change {
			total += column[i]
		}
		if total < 0 {
			return true
		}
	}
	return false
}

// writes returns the requests that add the changes to the rows of a lane.
func (r *countRows) writes(lane, bucket int16, shards *shards) (all []request) {
	if shards == nil {
		args := []any{lane, bucket, r.job}
		for _, column := range r.change {
			args = append(args, column)
		}
		return []request{order(int64(len(r.job)), addCounts, args...)}
	}
	for i, job := range r.job {
		args := []any{lane, bucket, job}
		for _, column := range r.change {
			args = append(args, column[i])
		}
		all = append(all, order(1, addCountsOfJob, args...))
	}
	return all
}

func (r *row) counts() (muster.JobID, muster.Counts) {
	job, counts := muster.JobID(r.text()), muster.Counts{}
	for i := range counts {
		counts[i] = r.big()
	}
	return job, counts
}
