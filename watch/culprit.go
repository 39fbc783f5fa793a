package watch

import (
	"cmp"
	"context"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rollout"
)

// requestMax bounds how long before its change a request began, whose record has that instant.
const requestMax = muster.Instant(60_000)

// accuse adds to facts who cancelled the job, or its execution, as the audit records say.
func (w *Watch) accuse(ctx context.Context, f *explain.Facts) (err error) {
	if w.o.Audit == nil || f.Job == nil {
		return nil
	}
	job := w.o.Account.ARN("job", string(f.JobID))
	canceled := f.Job.Status == muster.JobCanceled && f.Job.ReasonCode != rollout.AbortReasonCode
	if canceled {
		if f.Job.CanceledBy, err = w.whoDid(ctx, "CancelJob", job, f.Job.UpdatedAt, job); err != nil {
			return err
		}
	}
	if x := f.Execution; x != nil && x.Status == muster.Canceled && (f.Job.Status != muster.JobCanceled || x.UpdatedAt < f.Job.UpdatedAt) {
		f.End.Who, err = w.whoDid(ctx, "CancelJobExecution", w.o.Account.ARN("thing", string(f.Thing)), x.UpdatedAt, job)
	}
	return err
}

// whoDid returns the user or key whose operation on a resource took place at an instant and named another one too; empty if no
// record says so.
func (w *Watch) whoDid(ctx context.Context, operation, on string, at muster.Instant, named string) (string, error) {
	page, err := w.o.Audit.Lookup(ctx, audit.Query{Resource: on, Operation: operation, From: at - requestMax, To: at + 1, Page: listing.Page{Limit: 20}})
	if err != nil {
		return "", err
	}
	for _, r := range page.Records {
		if r.Outcome == audit.Done && slices.Contains(r.Resources, named) {
			return cmp.Or(r.User, r.AccessKeyID), nil
		}
	}
	return "", nil
}
