package jobs

import (
	"iter"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// historyAhead is how many executions of a thing are taken at a time, to read their jobs at once.
const historyAhead = 128

// Past is an execution as everybody sees it, and its job.
type Past struct {
	muster.Execution
	Of *muster.Job
}

// History yields the executions of a thing, by job then number. It leaves out those of an earlier thing of the name. Those that their
// job has ended are shown as ended, when the job was.
func (r Reading) History(t *muster.Thing) iter.Seq2[Past, error] {
	rows := commit.Ahead(r.Reader, historyAhead, r.ExecutionsOfThing(t.Name), func(w *commit.Wants, x muster.Execution) {
		if w.First(x.Job) {
			w.Record(tables.jobs.Table, string(x.Job))
		}
	})
	return func(yield func(Past, error) bool) {
		var j *muster.Job // of the executions that are being yielded
		for x, err := range rows {
			if err == nil && (j == nil || j.ID != x.Job) {
				j, err = r.Job(x.Job)
			}
			if err != nil {
				yield(Past{}, err)
				return
			}
			if j == nil || !t.Had(&x) {
				continue
			}
			seen, err := fated(&x, j, max(x.UpdatedAt, endOf(j)))
			switch {
			case err != nil:
				yield(Past{}, err)
				return
			case seen != nil && !yield(Past{*seen, j}, nil):
				return
			}
		}
	}
}

// endOf returns when a job ended its executions, if it has.
func endOf(j *muster.Job) muster.Instant {
	if j.Over {
		if t, err := rollout.Compile(j.Config.Schedule); err == nil {
			return t.End()
		}
	}
	return j.UpdatedAt
}

// RetryWaits reports whether an execution that has ended is retried when the next window of its job opens.
func (r Reading) RetryWaits(x *muster.Execution) (bool, error) {
	d, err := tables.deferred.Get(r, store.JoinKey(string(x.Job), string(x.Thing)))
	return err == nil && d != nil && !d.Join && d.ThingID == "" && d.Number == x.Number, err
}
