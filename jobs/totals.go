package jobs

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Totals returns how many executions there are in each status, over all jobs.
func (s *Jobs) Totals(ctx context.Context) (muster.Counts, error) {
	var total muster.Counts
	err := s.commits.View(ctx, func(r store.Reader) error {
		var ids []muster.JobID
		for record, err := range r.Scan(tables.jobs.Table, "", "") {
			if err != nil {
				return err
			}
			ids = append(ids, muster.JobID(record.Key))
		}
		all, err := r.Counts(ids...)
		for _, counts := range all {
			total = total.Plus(counts)
		}
		return err
	})
	return total, err
}
