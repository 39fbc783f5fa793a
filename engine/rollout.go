package engine

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// rollOut gives the next things of a job their executions and remembers how far
// it came, in one transaction: a stop in between neither loses nor repeats one.
func (b *batch) rollOut(j muster.Job) error {
	r := j.Rollout
	for budget := stepMax; budget > 0 && r.Target < len(j.Targets); {
		t := j.Targets[r.Target]
		if !t.Group {
			if err := b.first(&j, []muster.ThingName{muster.ThingName(t.Name)}); err != nil {
				return err
			}
			budget--
			r.Target++
			continue
		}
		if r.Group == "" {
			r.Group = t.Name
		}
		found, seen, err := b.membersAfter(&j, r, budget)
		if err != nil {
			return err
		}
		if err := b.first(&j, found); err != nil {
			return err
		}
		if seen.more {
			r.After = seen.last
			budget = 0
			continue
		}
		budget -= max(seen.count, 1)
		r.After = ""
		if r.Group, err = groupBelow(b, t.Name, r.Group); err != nil {
			return err
		}
		if r.Group == "" {
			r.Target++
		}
	}
	j.Rollout = r
	if r.Target < len(j.Targets) {
		b.putJob(j)
		return nil
	}
	j.Rollout = muster.Rollout{Done: true, Started: r.Started}
	j.UpdatedAt = b.now
	working.Delete(b, string(j.ID))
	b.putJob(j)
	return b.concludeJob(&j)
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
// one or is gone.
func (b *batch) first(j *muster.Job, names []muster.ThingName) error {
	queues := make([]store.QueueKey, len(names))
	firsts := make([]store.ExecutionKey, len(names))
	for i, thing := range names {
		queues[i] = store.QueueKey{Thing: thing, Namespace: j.Namespace}
		firsts[i] = store.ExecutionKey{Thing: thing, Job: j.ID, Number: 1}
	}
	had, err := b.Executions(firsts...)
	if err != nil {
		return err
	}
	if err := b.load(queues); err != nil {
		return err
	}
	for i, thing := range names {
		if _, pending := b.queues[queues[i]].Find(j.ID); pending || had[i] != nil {
			continue
		}
		if ok, err := things.Has(b, string(thing)); err != nil {
			return err
		} else if !ok {
			continue
		}
		x := muster.NewExecution(j, thing, 1, b.now)
		if err := b.change(nil, &x); err != nil {
			return err
		}
	}
	return nil
}
