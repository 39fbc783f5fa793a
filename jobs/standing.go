package jobs

import (
	"iter"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// This file and place.go are what jobs know of why a job does not move. They read and change nothing.

// Reading reads jobs in a view. What it hands out is shared and must not be changed.
type Reading struct {
	store.Reader
	of *Jobs
}

// Read returns a Reading of s.
func Read(s *Jobs, r store.Reader) Reading { return Reading{r, s} }

// Standing is how a job stands.
type Standing struct {
	*muster.Job
	Counts muster.Counts

	// Place is that among the jobs which wait for their turn to roll out, from 1; zero if the job does not wait. InLine
	// is how many wait, and Before are some that roll out, at most othersShown.
	Place, InLine int
	Before        []muster.JobID
	// Building is the dynamic group that the rollout waits for; empty for none.
	Building muster.GroupName

	Maximum int // the server's rate for jobs that set none; zero is as fast as the service goes
}

// othersShown bounds the jobs that are named as those before another.
const othersShown = 3

// lineMax bounds the jobs that are counted of those that wait for their turn.
const lineMax = 10_000

// Job returns a job, or nil when there is none.
func (r Reading) Job(id muster.JobID) (*muster.Job, error) {
	return r.of.decoded.get(r.Reader, string(id))
}

// Standing returns how a job stands, or nil when there is none.
func (r Reading) Standing(id muster.JobID) (*Standing, error) {
	commit.PrefetchView(r.Reader, func(w *commit.Wants) {
		w.Record(tables.jobs.Table, string(id))
		w.Counts(id)
	})
	j, err := r.Job(id)
	if err != nil || j == nil {
		return nil, err
	}
	s := &Standing{Job: j, Maximum: r.of.rolloutPerMinute}
	if s.Counts, err = store.CountsOf(r, id); err != nil {
		return nil, err
	}
	if j.Waiting {
		if err := r.addLine(s); err != nil {
			return nil, err
		}
	}
	if j.Status.Active() && !j.Rollout.Done && j.Rollout.Group == "" {
		s.Building, err = r.building(j)
	}
	return s, err
}

// addLine adds the place of a job that waits for its turn.
func (r Reading) addLine(s *Standing) error {
	for row, err := range tables.line.Scan(r, "", "") {
		if err != nil {
			return err
		}
		s.InLine++
		if _, id := alarmOf(row.Key); id == s.ID {
			s.Place = s.InLine
		}
		if s.InLine == lineMax {
			break
		}
	}
	for row, err := range tables.concurrent.Scan(r, "", "") {
		if err != nil {
			return err
		}
		if s.Before = append(s.Before, muster.JobID(row.Key)); len(s.Before) == othersShown {
			break
		}
	}
	return nil
}

// building returns the first target that the rollout of j has not begun with and that is a dynamic group which does not
// know its members yet.
func (r Reading) building(j *muster.Job) (muster.GroupName, error) {
	for _, t := range j.Targets[min(j.Rollout.Target, len(j.Targets)):] {
		if !t.Group {
			continue
		}
		g, err := lookup.FindGroup(r, muster.GroupName(t.Name))
		if err != nil {
			return "", err
		}
		if g != nil && g.ID == t.ID && g.IsDynamic() && g.Dynamic.Building {
			return g.Name, nil
		}
	}
	return "", nil
}

// LatestOn returns the latest execution of a job on a thing as everybody sees it, or nil. An execution of an earlier thing of
// the name is not one of t, which may be nil.
func (r Reading) LatestOn(j *muster.Job, thing muster.ThingName, t *muster.Thing) (*muster.Execution, error) {
	x, err := store.LatestOf(r, thing, j.ID)
	if err != nil || x == nil || t != nil && !t.Had(x) {
		return nil, err
	}
	return fated(x, j, max(x.UpdatedAt, endOf(j)))
}

// Queue returns what pends for a thing as devices see it, and the execution that comes first, or nil.
func (r Reading) Queue(thing muster.ThingName, ns muster.Namespace) (q muster.Queue, head *muster.Execution, err error) {
	if q, err = deviceQueue(r.of.snapshot(r.Reader), thing, ns); err != nil {
		return q, nil, err
	}
	first, pending := q.Head()
	if !pending {
		return q, nil, nil
	}
	found, err := r.Executions(store.ExecutionKey{Thing: thing, Job: first.Job, Number: first.Number})
	if err != nil {
		return q, nil, err
	}
	return q, found[0], nil
}

// targetingMax bounds the rows of jobs by target that are looked at for one thing.
const targetingMax = 2000

// Unfinished returns the jobs that have a target with one of these ids and may still give things executions, by id.
func (r Reading) Unfinished(targets []string) ([]muster.JobID, error) {
	var ids []muster.JobID
	rows := 0
	for _, target := range targets {
		from, to := store.Under(target)
		for row, err := range tables.byTarget.Scan(r, from, to) {
			if err != nil {
				return nil, err
			}
			if rows++; rows > targetingMax {
				break
			}
			id := muster.JobID(store.SplitKey(row.Key)[1])
			j, err := r.Job(id)
			if err != nil {
				return nil, err
			}
			if j != nil && j.Status.Active() && !j.Over {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// namespaceLooks bounds the jobs that Namespaces looks at.
const namespaceLooks = 500

// Namespaces returns the namespaces of the newest jobs, sorted.
func (r Reading) Namespaces() ([]muster.Namespace, error) {
	var all []muster.Namespace
	n := 0
	for row, err := range tables.newest.Scan(r, "", "") {
		if err != nil {
			return nil, err
		}
		j, err := r.Job(muster.JobID(store.SplitKey(row.Key)[1]))
		if err != nil {
			return nil, err
		}
		if j != nil && !slices.Contains(all, j.Namespace) {
			all = append(all, j.Namespace)
		}
		if n++; n == namespaceLooks {
			break
		}
	}
	slices.Sort(all)
	return all, nil
}

// Remaining yields the things that the rollout of a job has still to reach, in its order; a thing that it comes to twice is
// there twice. Where a rollout that has come to its end time was is not known: then it yields all. It ends after an error.
func (r Reading) Remaining(j *muster.Job) iter.Seq2[muster.ThingName, error] {
	switch {
	case j.Over:
		return r.membersFrom(j, muster.Rollout{})
	case j.Rollout.Done:
		return func(func(muster.ThingName, error) bool) {}
	}
	return r.membersFrom(j, j.Rollout)
}

// Waiter is a thing that waits to be given a continuous job: it came under a target, or its execution has ended and is
// retried in a window.
type Waiter struct {
	Thing muster.ThingName
	Retry bool
}

// Waiting yields the things that wait to be given a continuous job. It ends after an error.
func (r Reading) Waiting(j *muster.Job) iter.Seq2[Waiter, error] {
	return func(yield func(Waiter, error) bool) {
		from, to := store.Under(string(j.ID))
		for row, err := range tables.joining.Scan(r, from, to) {
			if err != nil {
				yield(Waiter{}, err)
				return
			}
			if !yield(Waiter{Thing: nameOf(row)}, nil) {
				return
			}
		}
		for row, err := range tables.deferred.Scan(r, from, to) {
			if err != nil {
				yield(Waiter{}, err)
				return
			}
			if row.Value.ThingID == "" && !yield(Waiter{nameOf(row), !row.Value.Join}, nil) {
				return
			}
		}
	}
}

// membersFrom yields the things that j is for, from a place in its targets on.
func (r Reading) membersFrom(j *muster.Job, at muster.Rollout) iter.Seq2[muster.ThingName, error] {
	return func(yield func(muster.ThingName, error) bool) {
		for i := at.Target; i < len(j.Targets); i++ {
			t := j.Targets[i]
			there, err := lookup.IsThere(r, t)
			switch {
			case err != nil:
				yield("", err)
				return
			case !there:
			case !t.Group:
				if !yield(muster.ThingName(t.Name), nil) {
					return
				}
			case i == at.Target && at.Group != "":
				if !r.membersBelow(j, t.Name, at.Group, at.After, yield) {
					return
				}
			default:
				if !r.membersBelow(j, t.Name, t.Name, "", yield) {
					return
				}
			}
		}
		if j.Selection == muster.Snapshot {
			r.captured(j, yield)
		}
	}
}

// membersBelow yields the members that j is for of a group and of those that follow it below root, and reports whether to
// go on.
func (r Reading) membersBelow(j *muster.Job, root, group, after string, yield func(muster.ThingName, error) bool) bool {
	for group != "" {
		g, err := lookup.FindGroup(r, muster.GroupName(group))
		if err != nil {
			return yield("", err) && false
		}
		if g != nil {
			for m, err := range lookup.Members(r, g.ID, muster.ThingName(after)) {
				if err != nil {
					return yield("", err) && false
				}
				if isFor(j, m.Joined) && !yield(m.Thing, nil) {
					return false
				}
			}
		}
		after = ""
		if group, err = lookup.GroupBelow(r, root, group); err != nil {
			return yield("", err) && false
		}
	}
	return true
}

// isFor reports whether j is for a member that joined a target at an instant.
func isFor(j *muster.Job, joined muster.Instant) bool {
	return j.Selection == muster.Continuous || j.Rollout.Started == 0 || j.Rollout.Held && j.Rollout.Target == 0 || joined <= j.Rollout.Started
}

// captured yields the things that left before the rollout of a snapshot reached them.
func (r Reading) captured(j *muster.Job, yield func(muster.ThingName, error) bool) {
	from, to := store.Under(string(j.ID))
	for row, err := range tables.deferred.Scan(r, from, to) {
		if err != nil {
			yield("", err)
			return
		}
		if !yield(nameOf(row), nil) {
			return
		}
	}
}

// Times are what the newest executions of a job that have ended took, in milliseconds.
type Times struct {
	Sample  int            // how many they rest on; with less than timesMin the rest is zero
	ToStart muster.Instant // the median from QUEUED to IN_PROGRESS
	Work90  muster.Instant // nine of ten ended after so long from IN_PROGRESS
	Work99  muster.Instant // 99 of 100
}

// timesMax bounds the executions that Times rests on, for each way in which a device ends one, and timesMin is how few
// say something.
const (
	timesMax = 200
	timesMin = 5
)

// Times returns what executions of a job took.
func (r Reading) Times(id muster.JobID) (Times, error) {
	var starts, works []muster.Instant
	for _, status := range []muster.Status{muster.Succeeded, muster.Failed} {
		n := 0
		for x, err := range r.ExecutionsOfJob(id, status, store.Cursor{}) {
			if err != nil {
				return Times{}, err
			}
			if x.StartedAt != 0 {
				starts, works = append(starts, x.StartedAt-x.QueuedAt), append(works, x.UpdatedAt-x.StartedAt)
			}
			if n++; n == timesMax {
				break
			}
		}
	}
	t := Times{Sample: len(works)}
	if t.Sample < timesMin {
		return t, nil
	}
	slices.Sort(starts)
	slices.Sort(works)
	part := func(of []muster.Instant, percent int) muster.Instant { return of[(len(of)-1)*percent/100] }
	t.ToStart, t.Work90, t.Work99 = part(starts, 50), part(works, 90), part(works, 99)
	return t, nil
}
