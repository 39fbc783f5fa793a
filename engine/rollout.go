package engine

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// rollOut gives the next things of a job their executions, as many as its rate
// allows, and remembers how far it came, in one transaction: a stop in between
// neither loses nor repeats one. It returns the job with its Wake set.
func (b *batch) rollOut(j muster.Job, schedule rollout.State) (muster.Job, error) {
	plan, err := b.pace(j, schedule)
	if err != nil {
		return j, err
	}
	if waits, err := b.mustWait(&j); err != nil || waits {
		j.Rollout.Held, j.Wake = true, 0
		return j, err
	}
	r, given := j.Rollout.Begin(b.now), 0
	done, err := b.exhausted(&j, r)
	if err != nil {
		return j, err
	}
	allowed := min(stepMax, plan.Queue)
	for looks := stepMax; looks > 0 && given < allowed && !done; {
		var found []muster.ThingName
		var seen sight
		if found, r, seen, err = b.next(&j, r, min(looks, allowed-given)); err != nil {
			return j, err
		}
		n, err := b.first(&j, found)
		if err != nil {
			return j, err
		}
		given += n
		looks -= max(seen.count, 1)
		if done, err = b.exhausted(&j, r); err != nil {
			return j, err
		}
		if r.Target == len(j.Targets) && seen.count == 0 {
			break // it waits for a group that is being deleted
		}
	}
	r.Pace = plan.Pace.With(given)
	j.Rollout = r
	switch {
	case done:
		j.Rollout = muster.Rollout{Done: true, Started: r.Started, Pace: r.Pace}
		j.UpdatedAt, j.Wake = b.now, 0
	case given == plan.Queue:
		j.Wake = plan.Wake
	default:
		j.Wake = b.now
	}
	return j, nil
}

// pace asks the planner how many things may be given the job now.
func (b *batch) pace(j muster.Job, schedule rollout.State) (rollout.Decision, error) {
	s := rollout.Snapshot{
		Status: j.Status, Schedule: schedule, Config: j.Config.Rollout,
		Maximum: b.e.o.RolloutPerMinute, Pace: j.Rollout.Pace,
	}
	if j.Config.Rollout.Exponential != nil {
		var err error
		if s.Counts, err = b.Counts(j.ID); err != nil {
			return rollout.Decision{}, err
		}
	}
	return rollout.Plan(b.now, s), nil
}

// next returns up to limit things that come next in a rollout, and the rollout
// behind them.
func (b *batch) next(j *muster.Job, r muster.Rollout, limit int) ([]muster.ThingName, muster.Rollout, sight, error) {
	if r.Target == len(j.Targets) {
		found, seen, err := b.captured(j, limit)
		return found, r, seen, err
	}
	t := j.Targets[r.Target]
	if !t.Group {
		r.Target++
		return []muster.ThingName{muster.ThingName(t.Name)}, r, sight{count: 1}, nil
	}
	if r.Group == "" {
		r.Group = t.Name
	}
	found, seen, err := b.membersAfter(j, r, limit)
	if err != nil || seen.more {
		r.After = seen.last
		return found, r, seen, err
	}
	r.After = ""
	if r.Group, err = groupBelow(b, t.Name, r.Group); r.Group == "" {
		r.Target++
	}
	return found, r, seen, err
}

// sight is what membersAfter looked at.
type sight struct {
	count int
	last  string // the last thing looked at
	more  bool   // there are things behind it
}

// membersAfter returns the things of the rollout's group that come next by
// name, looking at no more than limit. A snapshot leaves out who joined after
// it was taken.
func (b *batch) membersAfter(j *muster.Job, r muster.Rollout, limit int) ([]muster.ThingName, sight, error) {
	var found []muster.ThingName
	var s sight
	g, err := groups.Get(b, r.Group)
	if err != nil || g == nil {
		return nil, s, err
	}
	from, to := store.Under(g.ID)
	if r.After != "" {
		from = store.After(store.JoinKey(g.ID, r.After))
	}
	for row, err := range members.Scan(b, from, to) {
		if err != nil {
			return nil, s, err
		}
		if s.count == limit {
			s.more = true
			break
		}
		s.count++
		s.last = store.SplitKey(row.Key)[1]
		if j.Selection == muster.Continuous || row.Value.Joined <= r.Started {
			found = append(found, muster.ThingName(s.last))
		}
	}
	return found, s, nil
}

// first gives each of the things its first execution of j, unless it has had
// one or is gone, and returns how many it gave. A thing that was taken out of a
// continuous job is given it again, like any that rejoins (J9).
func (b *batch) first(j *muster.Job, names []muster.ThingName) (int, error) {
	given := 0
	queues := make([]store.QueueKey, len(names))
	firsts := make([]store.ExecutionKey, len(names))
	for i, thing := range names {
		queues[i] = store.QueueKey{Thing: thing, Namespace: j.Namespace}
		firsts[i] = store.ExecutionKey{Thing: thing, Job: j.ID, Number: 1}
	}
	had, err := b.Executions(firsts...)
	if err != nil {
		return 0, err
	}
	if err := b.load(queues); err != nil {
		return 0, err
	}
	for i, thing := range names {
		if _, pending := b.queues[queues[i]].Find(j.ID); pending {
			continue
		}
		latest := had[i]
		if latest != nil || j.Gaps {
			if latest, err = b.Latest(thing, j.ID); err != nil {
				return 0, err
			}
		}
		if latest != nil {
			if j.Selection != muster.Continuous || latest.Status != muster.Removed {
				continue
			}
		}
		if ok, err := things.Has(b, string(thing)); err != nil {
			return 0, err
		} else if !ok {
			continue
		}
		given++
		if latest != nil {
			if err := b.follow(j, thing, latest, muster.Retries{}, b.now); err != nil {
				return 0, err
			}
			continue
		}
		x := muster.NewExecution(j, thing, 1, b.now)
		if j.Links && len(b.queues[queues[i]].Entries) == 0 && b.e.o.Hears(queues[i]) {
			x = renewed(j, x, b.now) // as the head that it will be; present would write it again
		}
		if err := b.change(nil, &x); err != nil {
			return 0, err
		}
	}
	return given, nil
}
