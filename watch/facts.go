package watch

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/diary"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/store"
)

// certificatesMax bounds the certificates of a thing that an explanation knows.
const certificatesMax = 10

var lookup registry.Lookup

// scene is what the facts of all things of one job have in common, in one view.
type scene struct {
	w        *Watch
	r        jobs.Reading
	now      muster.Instant
	id       muster.JobID
	standing *jobs.Standing // nil if there is no such job
	job      *explain.Job
	others   *explain.Others // nil until it is needed
}

// sceneOf reads how a job stands.
func (w *Watch) sceneOf(r store.Reader, id muster.JobID, now muster.Instant) (*scene, error) {
	s := &scene{w: w, r: jobs.Read(w.o.Jobs, r), now: now, id: id}
	var err error
	if s.standing, err = s.r.Standing(id); err != nil || s.standing == nil {
		return s, err
	}
	s.job = &explain.Job{
		Job: *s.standing.Job, Maximum: s.standing.Maximum, Counts: s.standing.Counts, NoRoom: !w.o.Room(),
		Line:     explain.Line{Place: s.standing.Place, Of: s.standing.InLine, Before: s.standing.Before},
		Building: explain.Building{Group: s.standing.Building},
	}
	if g := s.standing.Building; g != "" {
		s.job.Building.Looked, s.job.Building.Since, err = lookup.Looked(r, g)
	}
	return s, err
}

// factsOf reads the facts of a thing, but for who listens: that is asked of other nodes too, and not in a view.
func (s *scene) factsOf(thing muster.ThingName) (explain.Facts, error) {
	f := explain.Facts{Now: s.now, Account: s.w.o.Account, Thing: thing, JobID: s.id, Job: s.job}
	t, err := lookup.Thing(s.r, thing)
	if err != nil {
		return f, err
	}
	f.HasThing = t != nil
	if s.standing == nil {
		return f, nil
	}
	if f.Execution, err = s.r.LatestOn(s.standing.Job, thing, t); err != nil || t == nil {
		return f, err
	}
	if err := s.addTarget(&f, t); err != nil {
		return f, err
	}
	if f.Execution == nil || f.Execution.Status.Terminal() {
		return f, nil
	}
	return f, s.addPending(&f, t)
}

// pendingFacts is factsOf as far as the code of a pending execution depends on it.
func (s *scene) pendingFacts(thing muster.ThingName) (explain.Facts, error) {
	f := explain.Facts{Now: s.now, Account: s.w.o.Account, Thing: thing, JobID: s.id, Job: s.job, HasThing: true}
	var err error
	if f.Execution, err = s.r.LatestOn(s.standing.Job, thing, nil); err != nil || f.Execution == nil || f.Execution.Status.Terminal() {
		return f, err
	}
	return f, s.addPending(&f, nil)
}

// addPending adds what the explanation of a pending execution rests on. t is nil if the code is enough.
func (s *scene) addPending(f *explain.Facts, t *muster.Thing) error {
	if err := s.addQueue(f); err != nil {
		return err
	}
	if err := s.addDevice(f); err != nil {
		return err
	}
	if t != nil {
		if err := s.addCredentials(f); err != nil {
			return err
		}
	}
	var err error
	f.Others, err = s.othersTook()
	return err
}

// want names what pendingFacts reads.
func (s *scene) want(w *commit.Wants, thing muster.ThingName) {
	key := store.QueueKey{Thing: thing, Namespace: s.standing.Namespace}
	w.Latest(key, s.id)
	w.Head(key)
	lookup.WantConnected(w, thing)
	diary.Want(w, thing)
}

// coverages are the states of targets as explain has them.
var coverages = [...]explain.TargetState{
	jobs.NotCovered: explain.NotTargeted, jobs.JoinedLate: explain.JoinedLate, jobs.NotReached: explain.NotReached,
	jobs.JoinWaits: explain.JoinWaits, jobs.RetryWaits: explain.Reached, jobs.Reached: explain.Reached, jobs.Left: explain.LeftTargets,
}

// addTarget adds how the thing stands to the targets of the job.
func (s *scene) addTarget(f *explain.Facts, t *muster.Thing) error {
	p, err := s.r.Place(s.standing, t, f.Execution)
	if err != nil {
		return err
	}
	f.Target = explain.Target{State: coverages[p.Coverage], JoinedAt: p.Joined, Ahead: p.Ahead, AtLeast: p.AtLeast, About: p.About}
	f.End.Retry = p.Coverage == jobs.RetryWaits
	if p.Target != nil && p.Target.Group {
		f.Target.Group = muster.GroupName(p.Target.Name)
	}
	if p.Coverage != jobs.NotCovered {
		return nil
	}
	for _, target := range s.standing.Targets {
		if !target.Group {
			continue
		}
		g, err := lookup.FindGroup(s.r, muster.GroupName(target.Name))
		if err != nil {
			return err
		}
		if g == nil || g.ID != target.ID || !g.IsDynamic() {
			continue
		}
		why, err := lookup.Outside(s.r, *t, *g)
		if err != nil {
			return err
		}
		if why != nil {
			f.Target.Group, f.Target.Query, f.Target.Fails, f.Target.Has = g.Name, why.Query, why.Fails, why.Has
			return nil
		}
	}
	return nil
}

// addQueue adds what pends for the thing.
func (s *scene) addQueue(f *explain.Facts) error {
	q, head, err := s.r.Queue(f.Thing, s.standing.Namespace)
	if err != nil {
		return err
	}
	f.Queue.Entries = q.Entries
	if head != nil && head.Job != s.id {
		f.Queue.First = head
	}
	return nil
}

// addDevice adds what was seen of the device.
func (s *scene) addDevice(f *explain.Facts) (err error) {
	d := &f.Device
	if d.Connectivity, err = s.w.o.Registry.Connected(s.r, f.Thing); err != nil {
		return err
	}
	if d.Diary, d.DiaryAsOf, err = s.w.seen(s.r, f.Thing); err != nil {
		return err
	}
	if c := d.Connectivity; !c.Connected && c.Reason == muster.UnknownReason && d.Diary.Came.At > d.Diary.Left.At {
		d.Diary.Left = muster.Departure{At: max(c.At, d.Diary.Came.At), Reason: c.Reason} // its server is gone, and could not say so
	}
	return nil
}

// addCredentials adds what the device has to get in.
func (s *scene) addCredentials(f *explain.Facts) error {
	in, err := lookup.GroupsOf(s.r, f.Thing)
	if err != nil {
		return err
	}
	credentials, err := rights.CredentialsOf(s.r, f.Thing, in, certificatesMax)
	for _, c := range credentials {
		f.Device.Certificates = append(f.Device.Certificates, explain.Certificate{ID: c.ID, Status: c.Status, NotAfter: c.NotAfter, Policies: c.Policies})
	}
	return err
}

// othersTook returns what other things took for the job, which is read once.
func (s *scene) othersTook() (explain.Others, error) {
	if s.others == nil {
		times, err := s.r.Times(s.id)
		if err != nil {
			return explain.Others{}, err
		}
		s.others = &explain.Others{Sample: times.Sample, ToStart: times.ToStart, Work90: times.Work90, Silence99: times.Work99}
	}
	return *s.others, nil
}
