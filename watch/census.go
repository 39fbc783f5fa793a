package watch

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// This file says of a whole job how many of its things wait for which cause. Each thing counts once, by its latest execution.
//
// Things whose execution has ended, or that have none, need not be looked at one by one: for all of one kind the cause is the
// same. Those with a pending execution do; of more than sampleMax a random sample is. To choose it, and to count the
// others, all executions of the job are read once, and what was found is kept for keptFor.

const (
	// sampleMax bounds the things that are looked at one by one.
	sampleMax = 10_000
	// sampleMin is the part of a sample that must still be pending, in percent; with fewer a new one is chosen.
	sampleMin = 50
	// examplesMax bounds the things that are named for each cause.
	examplesMax = 3
	// stepMax bounds the rows that are read in one view, so that none lasts long.
	stepMax = 4096
	// keptFor is how long a survey is kept that nobody asks for, and keptMax how many are.
	keptFor = muster.Instant(5 * 60_000)
	keptMax = 4
	// waitersKept is how long a survey is kept of a job for which things wait that the rollout has passed.
	waitersKept = muster.Instant(60_000)
)

// ExplainJob says how many things of a job wait for which cause. It fails with NotFound.
func (w *Watch) ExplainJob(ctx context.Context, id muster.JobID) (explain.OfJob, error) {
	s, err := w.surveys.of(ctx, w, id)
	if err != nil {
		return explain.OfJob{}, err
	}
	c, err := w.causesOf(ctx, id, s)
	if c.Sampled > 0 && c.Sampled*100 < len(s.pending)*sampleMin {
		w.surveys.forget(id)
	}
	return c, err
}

// survey is what is known of the things of a job.
type survey struct {
	at      muster.Instant
	job     muster.Job
	counts  muster.Counts
	pending []muster.ThingName // all, or a sample
	whole   bool               // pending has all
	had     int64              // things that have, or had, an execution
	ended   []muster.ThingName // some with nothing pending, at most examplesMax
	left    []kind             // the things that nothing pends for, and that may still be given the job
}

// kind is things of which all wait for the same.
type kind struct {
	things   int64
	some     []muster.ThingName // at most examplesMax
	rollout  bool               // they are those that the rollout has still to reach
	hasEnded bool               // they had an execution, which has ended
}

func (k *kind) add(thing muster.ThingName) {
	k.things++
	if len(k.some) < examplesMax {
		k.some = append(k.some, thing)
	}
}

// surveys are those that are kept.
type surveys struct {
	mu   sync.Mutex
	kept map[muster.JobID]*keptSurvey
}

type keptSurvey struct {
	mu     sync.Mutex // is held while the survey is made
	survey *survey
	asked  muster.Instant
}

// of returns a survey of a job: the one that is kept, brought up to date, or a new one.
func (s *surveys) of(ctx context.Context, w *Watch, id muster.JobID) (*survey, error) {
	kept := s.keep(id, w.now())
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if kept.survey != nil {
		fresh, err := w.follow(ctx, kept.survey)
		if err != nil || fresh != nil {
			return fresh, err
		}
	}
	made, err := w.survey(ctx, id)
	if err != nil {
		return nil, err
	}
	if kept.survey = nil; !made.whole || made.had > sampleMax {
		kept.survey = made
	}
	return made, nil
}

// keep returns the place of a job among those that are kept, and forgets those that nobody has asked for.
func (s *surveys) keep(id muster.JobID, now muster.Instant) *keptSurvey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[muster.JobID]*keptSurvey{}
	}
	var oldest muster.JobID
	for other, k := range s.kept {
		if other != id && now-k.asked > keptFor {
			delete(s.kept, other)
		} else if other != id && (oldest == "" || k.asked < s.kept[oldest].asked) {
			oldest = other
		}
	}
	if s.kept[id] == nil {
		if len(s.kept) >= keptMax {
			delete(s.kept, oldest)
		}
		s.kept[id] = &keptSurvey{}
	}
	s.kept[id].asked = now
	return s.kept[id]
}

// forget has the next survey of a job made anew.
func (s *surveys) forget(id muster.JobID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, id)
}

// follow returns a survey as it is by now, or nil if it says too little by now: it is old, its job was changed, or too few
// of its sample are pending.
func (w *Watch) follow(ctx context.Context, old *survey) (*survey, error) {
	var fresh *survey
	err := w.view(ctx, func(r store.Reader, now muster.Instant) error {
		fresh = nil
		s, err := jobs.Read(w.o.Jobs, r).Standing(old.job.ID)
		if err != nil || s == nil || now-old.at > keptFor || now < old.at || s.UpdatedAt != old.job.UpdatedAt || s.CreatedAt != old.job.CreatedAt {
			return err
		}
		given := s.Rollout.Pace.Notified - old.job.Rollout.Pace.Notified
		next := *old
		next.counts, next.had = s.Counts, old.had+given
		next.left = slices.Clone(old.left)
		for i := range next.left {
			if k := &next.left[i]; k.rollout {
				if k.things -= given; k.things < 0 {
					return nil
				}
			} else if k.things > 0 && now-old.at > waitersKept {
				return nil // how many of these wait is not known
			}
		}
		if !old.whole && s.Counts.Pending() > sampleMax {
			fresh = &next
		}
		return nil
	})
	return fresh, err
}

// survey reads all executions of a job and what is left of its targets.
func (w *Watch) survey(ctx context.Context, id muster.JobID) (*survey, error) {
	s := &survey{}
	err := w.view(ctx, func(r store.Reader, now muster.Instant) error {
		standing, err := jobs.Read(w.o.Jobs, r).Standing(id)
		if err != nil {
			return err
		}
		if standing == nil {
			return muster.Errorf(muster.NotFound, "Job %s not found", id)
		}
		s.at, s.job, s.counts = now, *standing.Job, standing.Counts
		return nil
	})
	if err != nil {
		return nil, err
	}
	var seen map[muster.ThingName]bool // nil for a job that is too large
	if s.counts.Total() <= 3*sampleMax {
		seen = map[muster.ThingName]bool{}
	}
	var again int64 // executions that follow an earlier one of the same thing
	n := 0
	for x, err := range w.executions(ctx, id) {
		if err != nil {
			return nil, err
		}
		if x.Number > 1 {
			again++
		}
		if seen[x.Thing] {
			continue // the newest comes first
		}
		if seen != nil {
			seen[x.Thing] = true
		}
		s.had++
		switch {
		case x.Status.Terminal():
			if len(s.ended) < examplesMax {
				s.ended = append(s.ended, x.Thing)
			}
			continue
		case n < sampleMax:
			s.pending = append(s.pending, x.Thing)
		default:
			if i := rand.IntN(n + 1); i < sampleMax {
				s.pending[i] = x.Thing
			}
		}
		n++
	}
	if seen == nil {
		s.had -= again
	}
	s.whole = n <= sampleMax
	return s, w.addLeft(ctx, s, seen)
}

// addLeft adds to a survey the things that may still be given the job: those that wait, and those that the rollout has still to
// reach and that are not seen.
func (w *Watch) addLeft(ctx context.Context, s *survey, seen map[muster.ThingName]bool) error {
	return w.view(ctx, func(r store.Reader, _ muster.Instant) error {
		reading := jobs.Read(w.o.Jobs, r)
		retries, again, joiners, unreached := kind{hasEnded: true}, kind{hasEnded: true}, kind{}, kind{rollout: true}
		waits := map[muster.ThingName]bool{}
		for x, err := range reading.Waiting(&s.job) {
			if err != nil {
				return err
			}
			if len(waits) < sampleMax {
				waits[x.Thing] = true
			}
			switch {
			case x.Retry:
				retries.add(x.Thing)
			case seen[x.Thing]:
				again.add(x.Thing)
			default:
				joiners.add(x.Thing)
			}
		}
		for thing, err := range reading.Remaining(&s.job) {
			if err != nil {
				return err
			}
			if seen[thing] || waits[thing] {
				continue
			}
			if seen == nil && s.job.Over && len(unreached.some) < examplesMax {
				if latest, err := store.LatestOf(r, thing, s.job.ID); err != nil {
					return err
				} else if latest != nil {
					unreached.things++
					continue
				}
			}
			unreached.add(thing)
		}
		if seen == nil && s.job.Over { // those that it has reached are among them
			unreached.things = max(unreached.things-s.had, 0)
		}
		s.left = []kind{retries, again, joiners, unreached}
		return nil
	})
}

// executions yields the executions of a job, the newest first, and reads them in several views. It ends after an error.
func (w *Watch) executions(ctx context.Context, id muster.JobID) iter.Seq2[muster.Execution, error] {
	return func(yield func(muster.Execution, error) bool) {
		var at store.Cursor
		for {
			var some []muster.Execution
			err := w.view(ctx, func(r store.Reader, _ muster.Instant) error {
				some = some[:0]
				for x, err := range r.ExecutionsOfJob(id, 0, at) {
					if err != nil {
						return err
					}
					if some = append(some, x); len(some) == stepMax {
						break
					}
				}
				return nil
			})
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(muster.Execution{}, err)
				return
			}
			for _, x := range some {
				if !yield(x, nil) {
					return
				}
			}
			if len(some) < stepMax {
				return
			}
			at = store.CursorOf(some[len(some)-1])
		}
	}
}

// tally is causes that are being counted.
type tally struct {
	things   map[explain.Code]int64
	examples map[explain.Code][]muster.ThingName
}

func (t *tally) add(code explain.Code, n int64, some ...muster.ThingName) {
	if n <= 0 {
		return
	}
	t.things[code] += n
	if room := examplesMax - len(t.examples[code]); room > 0 {
		t.examples[code] = append(t.examples[code], some[:min(room, len(some))]...)
	}
}

// causesOf counts the causes for the things of a survey.
func (w *Watch) causesOf(ctx context.Context, id muster.JobID, s *survey) (explain.OfJob, error) {
	sample := &tally{map[explain.Code]int64{}, map[explain.Code][]muster.ThingName{}}
	looked := int64(0)
	for some := range slices.Chunk(s.pending, stepMax/4) {
		n, err := w.look(ctx, id, some, sample)
		if err != nil {
			return explain.OfJob{}, err
		}
		looked += n
	}
	all := &tally{map[explain.Code]int64{}, sample.examples}
	pending := looked
	sampled := 0
	if !s.whole {
		sampled, pending = int(looked), s.counts.Pending()
		if s.job.Settling || looked == 0 { // the job has ended some that are stored as pending
			pending = pending * looked / int64(len(s.pending))
		}
		spread(sample.things, looked, pending)
	}
	for code, n := range sample.things {
		all.add(code, n)
	}
	ended := s.had - pending
	for _, k := range s.left {
		if k.things == 0 {
			continue
		}
		code := explain.JobOver // of a job that is over no example may have been found
		if len(k.some) > 0 {
			f, err := w.facts(ctx, k.some[0], id)
			if err != nil {
				return explain.OfJob{}, err
			}
			code = explain.CodeOf(f)
		}
		all.add(code, k.things, k.some...)
		if k.hasEnded {
			ended -= k.things
		}
	}
	if ended > 0 {
		code := explain.Ended
		some := append(slices.Clone(s.ended), s.pending[:min(examplesMax, len(s.pending))]...)
		if s.job.Status == muster.JobDeleting {
			code = explain.JobOver
		}
		all.add(code, ended, some...)
	}
	some := map[explain.Code][]explain.Explanation{}
	for code, things := range all.examples {
		for _, thing := range things {
			e, err := w.Explain(ctx, thing, id)
			if err != nil {
				return explain.OfJob{}, err
			}
			if e.Code == code { // it may have moved on meanwhile
				some[code] = append(some[code], e)
			}
		}
	}
	return explain.JobOf(id, s.job.Status, all.things, some, sampled), nil
}

// spread changes the numbers of a sample of so many things into those of all, so that their sum is all.
func spread(sample map[explain.Code]int64, of, all int64) {
	if of == 0 {
		return
	}
	rest := all
	var most explain.Code
	for code, n := range sample {
		sample[code] = n * all / of
		rest -= sample[code]
		if most == "" || sample[code] > sample[most] || sample[code] == sample[most] && code < most {
			most = code
		}
	}
	sample[most] += rest
}

// look adds to a tally the causes for some things with a pending execution, and returns how many still have one.
func (w *Watch) look(ctx context.Context, id muster.JobID, things []muster.ThingName, t *tally) (int64, error) {
	var facts []*explain.Facts
	err := w.view(ctx, func(r store.Reader, now muster.Instant) error {
		s, err := w.sceneOf(r, id, now)
		if err != nil || s.standing == nil {
			return err
		}
		facts = make([]*explain.Facts, 0, len(things))
		commit.PrefetchView(r, func(want *commit.Wants) {
			for _, thing := range things {
				s.want(want, thing)
			}
		})
		for _, thing := range things {
			f, err := s.pendingFacts(thing)
			if err != nil {
				return err
			}
			if f.Execution != nil && !f.Execution.Status.Terminal() {
				facts = append(facts, &f)
			}
		}
		return nil
	})
	if err == nil {
		err = w.hear(ctx, facts)
	}
	for _, f := range facts {
		t.add(explain.CodeOf(*f), 1, f.Thing)
	}
	return int64(len(facts)), err
}
