package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// A rollout is small while the things that it has left are smallMax at most, and
// are found by looking at smallLooks members and groups.
const (
	smallMax   = stepMax
	smallLooks = 1024
)

// rollOutSmall does the next piece of a job's rollout, if what is left of it is
// small, within the command that asked for it (arbitration A21): a caller that
// makes a job for a few things finds it there as soon as it is answered. What is
// larger, or has to wait, is left to the background.
func rollOutSmall(tx *transaction, id muster.JobID) (muster.Job, error) {
	old, err := tx.job(id)
	if err != nil {
		return muster.Job{}, err
	}
	if !old.RollsOutNow() || old.PaceJoiners {
		return *old, nil
	}
	j, schedule, err := keepTime(tx, *old)
	if err != nil || !j.RollsOut() {
		return *old, err
	}
	if small, err := isSmall(tx, j); err != nil || !small {
		return *old, err
	}
	if j, err = rollOut(tx, j, schedule, smallLooks); err != nil {
		return j, err
	}
	facts, err := factsOf(tx, &j, schedule)
	if err != nil {
		return j, err
	}
	if work := rollout.Next(j, facts, tx.Now).Work; work != rollout.RollOut && work != rollout.Nothing {
		j.Wake = tx.Now // it has other work
	}
	if err := stepped(tx, j, schedule.Next); err != nil {
		return j, err
	}
	now, err := tx.job(id)
	return *now, err
}

// isSmall reports whether the rollout of j is small. It looks at no more members
// than it takes to tell.
func isSmall(tx *transaction, j muster.Job) (bool, error) {
	left := map[muster.ThingName]bool{}
	r := j.BeginRollout(tx.Now).Rollout
	for looks := smallLooks; r.Target < len(j.Targets); {
		found, after, seen, err := next(tx, &j, r, smallMax+1)
		if err != nil {
			return false, err
		}
		for _, thing := range found {
			left[thing] = true
		}
		looks -= max(seen.count, 1)
		if len(left) > smallMax || looks < 0 {
			return false, nil
		}
		r = after
	}
	return true, nil
}

// rollOut gives the next things of a job their executions, as many as its rate
// allows and looking at so many members and groups, and remembers how far it
// came, in one transaction: a stop in between neither loses nor repeats one. It
// returns the job with its Wake set.
func rollOut(tx *transaction, j muster.Job, schedule rollout.State, looks int) (muster.Job, error) {
	plan, err := pace(tx, j, schedule)
	if err != nil {
		return j, err
	}
	if waits, err := mustWait(tx, &j); err != nil || waits {
		j = j.Note(muster.JobIsHeld)
		j.Wake = 0
		return j, err
	}
	j = j.BeginRollout(tx.Now)
	r, given := j.Rollout, 0
	done, err := exhausted(tx, &j, r)
	if err != nil {
		return j, err
	}
	allowed := min(stepMax, plan.Queue)
	for looks > 0 && given < allowed && !done {
		var found []muster.ThingName
		var seen sight
		if found, r, seen, err = next(tx, &j, r, min(looks, allowed-given)); err != nil {
			return j, err
		}
		n, err := first(tx, &j, found)
		if err != nil {
			return j, err
		}
		given += n
		looks -= max(seen.count, 1)
		if done, err = exhausted(tx, &j, r); err != nil {
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
		j = j.Note(muster.JobIsRolledOut)
		j.UpdatedAt, j.Wake = tx.Now, 0
	case given == plan.Queue:
		j.Wake = plan.Wake
	default:
		j.Wake = tx.Now
	}
	return j, nil
}

// mustWait reports whether the rollout of j has to wait before its next target: a
// dynamic group among those that are left does not know its members yet
// (registry.md REG-61).
func mustWait(tx *transaction, j *muster.Job) (bool, error) {
	if j.Rollout.Group != "" {
		return false, nil
	}
	return tx.s.registry.Building(tx.Tx, j.Targets[min(j.Rollout.Target, len(j.Targets)):])
}

// pace asks the planner how many things may be given the job now.
func pace(tx *transaction, j muster.Job, schedule rollout.State) (rollout.Decision, error) {
	s := rollout.Snapshot{
		Status: j.Status, Schedule: schedule, Config: j.Config.Rollout,
		Maximum: tx.s.rolloutPerMinute, Pace: j.Rollout.Pace,
	}
	if j.Config.Rollout.Exponential != nil {
		var err error
		if s.Counts, err = tx.Counts(j.ID); err != nil {
			return rollout.Decision{}, err
		}
	}
	return rollout.Plan(tx.Now, s), nil
}

// paced returns a job whose rate was just changed, with what the old rate has
// earned up to now. One that has begun without a rate has earned nothing.
func paced(tx *transaction, j muster.Job) (muster.Job, error) {
	if j.Rollout.Pace.Rate == 0 {
		return j, nil
	}
	t, err := rollout.Compile(j.Config.Schedule)
	if err != nil {
		return j, err
	}
	plan, err := pace(tx, j, t.At(tx.Now))
	j.Rollout.Pace = plan.Pace
	return j, err
}

// next returns up to limit things that come next in a rollout, and the rollout
// behind them.
func next(tx *transaction, j *muster.Job, r muster.Rollout, limit int) ([]muster.ThingName, muster.Rollout, sight, error) {
	if r.Target == len(j.Targets) {
		found, seen, err := captured(tx, j, limit)
		return found, r, seen, err
	}
	t := j.Targets[r.Target]
	there, err := lookup.IsThere(tx, t)
	if err != nil {
		return nil, r, sight{}, err
	}
	if !there {
		r.Target, r.Group, r.After = r.Target+1, "", ""
		return nil, r, sight{count: 1}, nil
	}
	if !t.Group {
		r.Target++
		return []muster.ThingName{muster.ThingName(t.Name)}, r, sight{count: 1}, nil
	}
	if r.Group == "" {
		r.Group = t.Name
	}
	found, seen, err := membersAfter(tx, j, r, limit)
	if err != nil || seen.more {
		r.After = seen.last
		return found, r, seen, err
	}
	r.After = ""
	if r.Group, err = lookup.GroupBelow(tx, t.Name, r.Group); r.Group == "" {
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
func membersAfter(tx *transaction, j *muster.Job, r muster.Rollout, limit int) ([]muster.ThingName, sight, error) {
	var found []muster.ThingName
	var s sight
	g, err := lookup.FindGroup(tx, muster.GroupName(r.Group))
	if err != nil || g == nil {
		return nil, s, err
	}
	for m, err := range lookup.Members(tx, g.ID, muster.ThingName(r.After)) {
		if err != nil {
			return nil, s, err
		}
		if s.count == limit {
			s.more = true
			break
		}
		s.count++
		s.last = string(m.Thing)
		if j.Selection == muster.Continuous || m.Joined <= r.Started {
			found = append(found, m.Thing)
		}
	}
	return found, s, nil
}

// first gives each of the things its first execution of j, unless it has had
// one or is gone, and returns how many it gave. A thing that was taken out of a
// continuous job is given it again, like any that rejoins (jobs-lifecycle.md J9), and one that only
// an earlier thing of its name had is given it too.
func first(tx *transaction, j *muster.Job, names []muster.ThingName) (int, error) {
	given := 0
	queues := make([]store.QueueKey, len(names))
	firsts := make([]store.ExecutionKey, len(names))
	for i, thing := range names {
		queues[i] = store.QueueKey{Thing: thing, Namespace: j.Namespace}
		firsts[i] = store.ExecutionKey{Thing: thing, Job: j.ID, Number: 1}
	}
	had, err := tx.Executions(firsts...)
	if err != nil {
		return 0, err
	}
	if err := tx.Load(queues); err != nil {
		return 0, err
	}
	for i, thing := range names {
		q, err := tx.Queue(queues[i])
		if err != nil {
			return 0, err
		}
		if _, pending := q.Find(j.ID); pending {
			continue
		}
		latest := had[i]
		if latest != nil || j.Gaps {
			if latest, err = tx.Latest(thing, j.ID); err != nil {
				return 0, err
			}
		}
		if lacks, err := lacks(tx, j, thing, latest); err != nil {
			return 0, err
		} else if !lacks {
			continue
		}
		given++
		if latest != nil {
			if err := tx.follow(j, thing, latest, muster.Retries{}, tx.Now); err != nil {
				return 0, err
			}
			continue
		}
		x := muster.NewExecution(j, thing, 1, tx.Now)
		if j.Links && len(q.Entries) == 0 && tx.s.audience.Hears(queues[i]) {
			x = renewed(j, x, tx.Now) // as the head that it will be; present would write it again
		}
		if err := tx.change(nil, &x); err != nil {
			return 0, err
		}
	}
	return given, nil
}

// lacks reports whether a thing is there and is to be given j by the rollout;
// latest is the newest execution under its name, nil when there is none.
func lacks(tx *transaction, j *muster.Job, thing muster.ThingName, latest *muster.Execution) (bool, error) {
	if latest == nil || j.Selection == muster.Continuous && latest.Status == muster.Removed {
		return lookup.HasThing(tx, thing)
	}
	t, err := lookup.Thing(tx, thing)
	return t != nil && !t.Had(latest), err
}
