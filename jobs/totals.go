package jobs

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Totals returns how many executions there are in each status, over all jobs.
// It costs one small read for each job.
func (s *Jobs) Totals(ctx context.Context) (muster.Counts, error) {
	var total muster.Counts
	err := s.commits.View(ctx, func(r store.Reader) error {
		for record, err := range r.Scan(tables.jobs.Table, "", "") {
			if err != nil {
				return err
			}
			counts, err := r.Counts(muster.JobID(record.Key))
			if err != nil {
				return err
			}
			total = total.Plus(counts)
		}
		return nil
	})
	return total, err
}
