package watch

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/diary"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// Bounds of a timeline.
const (
	TimelineDefault = 100 // executions of a page
	TimelineMax     = 500
	upcomingMax     = 50
)

// TimelineQuery chooses a part of what became of a thing.
type TimelineQuery struct {
	Thing muster.ThingName
	// From and To bound the executions: those are shown that were pending at an instant which is not before From and is before
	// To. Zero is without bound.
	From, To muster.Instant
	Limit    int    // of executions, 1 to TimelineMax; zero is TimelineDefault
	Token    string // of the page before; empty for the first page
}

// Timeline is what became of a thing when, and what happens next.
type Timeline struct {
	Thing      muster.ThingName
	Now        muster.Instant
	Connection muster.Connectivity // now; zero if it was never connected
	Lanes      []Lane              // the connection first, then jobs, the one whose execution here was queued last first
	Upcoming   []Upcoming          // the earliest first, those without an instant last
	Older      string              // token of the next page; empty on the last
}

// Kinds of lanes.
const (
	ConnectionLane = "connection"
	ExecutionLane  = "execution"
)

// Lane is what became of one subject: the connection, or a job with its retries. A lane of a job may go on on the next page.
type Lane struct {
	Kind    string
	Job     muster.JobID
	Number  int64 // of the newest execution in the lane
	Attempt int   // its retryAttempt
	Spans   []Span
	Marks   []Mark
}

// Span is a time in which a subject did not change, the oldest of a lane first.
type Span struct {
	Number   int64         // of the execution; zero in the lane of the connection
	Status   muster.Status // likewise
	From, To muster.Instant
	Ended    string // how: a status, or why the connection ended; empty if another span of the execution follows, or none yet
}

// What a Mark is of.
const (
	MarkTold    = "TOLD"    // it was notified of the execution
	MarkFetched = "FETCHED" // it asked for the execution
	MarkReport  = "REPORT"  // its last report
)

// Mark is something that happened at an instant, the earliest of a lane first.
type Mark struct {
	At      muster.Instant
	What    string
	Number  int64 // of the execution
	Acked   muster.Instant
	Details map[string]string
}

// Kinds of what comes next.
const (
	UpcomingStep        = "STEP_TIMEOUT"
	UpcomingTimeout     = "JOB_TIMEOUT"
	UpcomingRetry       = "RETRY"
	UpcomingOpens       = "WINDOW_OPENS"
	UpcomingCloses      = "WINDOW_CLOSES"
	UpcomingEnd         = "JOB_ENDS"
	UpcomingNext        = "NEXT"
	UpcomingCertificate = "CERTIFICATE_ENDS"
)

// Upcoming is something that will happen.
type Upcoming struct {
	At   muster.Instant // zero if it depends on what others do
	What string
	Job  muster.JobID // empty for certificates
	Say  string
}

// place is where a page of a timeline ended.
type place struct {
	QueuedAt muster.Instant
	Job      muster.JobID
	Number   int64
}

func placeOf(x jobs.Past) place { return place{x.QueuedAt, x.Job, x.Number} }

// compare puts those queued last first.
func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(q.QueuedAt, p.QueuedAt), cmp.Compare(p.Job, q.Job), cmp.Compare(q.Number, p.Number))
}

// Timeline returns a page of what became of a thing. It fails with NotFound if there is no such thing, and with Invalid.
func (w *Watch) Timeline(ctx context.Context, q TimelineQuery) (Timeline, error) {
	line := Timeline{Thing: q.Thing, Now: w.now()}
	switch {
	case q.Limit == 0:
		q.Limit = TimelineDefault
	case q.Limit < 1 || q.Limit > TimelineMax:
		return line, muster.Errorf(muster.Invalid, "A page of a timeline has 1 to %d executions, not %d", TimelineMax, q.Limit)
	}
	if q.To != 0 && q.From >= q.To {
		return line, muster.Errorf(muster.Invalid, "A timeline must begin before it ends")
	}
	name := []any{"timeline", q.Thing, q.From, q.To}
	var after *place
	if err := w.o.Pages.Open(q.Token, name, &after); err != nil {
		return line, err
	}
	err := w.o.Commits.View(ctx, func(view store.Reader) error {
		r := jobs.Read(w.o.Jobs, view)
		s, err := w.sightOf(r, q, after)
		if err != nil {
			return err
		}
		if len(s.past) > q.Limit {
			s.past = s.past[:q.Limit]
			line.Older = w.o.Pages.Seal(name, placeOf(s.past[q.Limit-1]))
		}
		line.Connection, line.Lanes = s.connection, lanesOf(s.past, s.diary)
		if after != nil {
			return nil
		}
		if span := s.connected(); span.in(q) {
			line.Lanes = slices.Insert(line.Lanes, 0, Lane{Kind: ConnectionLane, Spans: []Span{span}})
		}
		line.Upcoming, err = w.upcoming(r, q.Thing, s, line.Now)
		return err
	})
	return line, err
}

// sight is what a timeline is made of.
type sight struct {
	connection muster.Connectivity
	diary      muster.Diary
	past       []jobs.Past // of the page and one more, newest first
	pending    []jobs.Past // all
	retried    []jobs.Past // the latest of jobs with windows that have failed
}

// sightOf reads the executions of a thing, and what is known of the thing.
func (w *Watch) sightOf(r jobs.Reading, q TimelineQuery, after *place) (s sight, err error) {
	commit.PrefetchView(r.Reader, func(want *commit.Wants) {
		lookup.WantThing(want, q.Thing)
		want.OfThing(q.Thing)
		diary.Want(want, q.Thing)
	})
	t, err := lookup.ExistingThing(r, q.Thing)
	if err != nil {
		return s, err
	}
	if s.connection, err = w.o.Registry.Connected(r, q.Thing); err != nil {
		return s, err
	}
	if s.diary, _, err = w.seen(r, q.Thing); err != nil {
		return s, err
	}
	var latest *jobs.Past
	for x, err := range r.History(&t) {
		if err != nil {
			return s, err
		}
		if latest != nil && latest.Job != x.Job {
			s.addRetried(*latest)
		}
		latest = &x
		if !x.Status.Terminal() {
			s.pending = append(s.pending, x)
		}
		if lifeOf(x).in(q) && (after == nil || placeOf(x).compare(*after) > 0) {
			if s.past = append(s.past, x); len(s.past) == 2*(q.Limit+1) {
				s.past = newest(s.past, q.Limit+1)
			}
		}
	}
	if latest != nil {
		s.addRetried(*latest)
	}
	s.past = newest(s.past, q.Limit+1)
	return s, nil
}

// newest returns those that were queued last, at most n, newest first.
func newest(past []jobs.Past, n int) []jobs.Past {
	slices.SortFunc(past, func(x, y jobs.Past) int { return placeOf(x).compare(placeOf(y)) })
	return past[:min(n, len(past))]
}

// addRetried notes the latest execution of a job on the thing if it may be retried later.
func (s *sight) addRetried(x jobs.Past) {
	if (x.Status == muster.Failed || x.Status == muster.TimedOut) && x.Of.Windowed() && x.Of.Gives() {
		s.retried = append(s.retried, x)
	}
}

// lifeOf returns the time in which an execution was pending.
func lifeOf(x jobs.Past) Span {
	life := Span{From: x.QueuedAt}
	if x.Status.Terminal() {
		life.To = x.UpdatedAt
	}
	return life
}

// in reports whether a part of a span is in what a query asks for. A span of no length at an instant is in it, too.
func (s Span) in(q TimelineQuery) bool {
	return s != (Span{}) && (q.To == 0 || s.From < q.To) && (s.To == 0 || s.To >= q.From)
}

// connected returns the last time that the thing was connected, zero if there was none. Of one that is over the diary knows the beginning.
func (s *sight) connected() Span {
	c := s.connection
	switch {
	case c == muster.Connectivity{}:
		return Span{}
	case c.Connected:
		return Span{From: c.At}
	}
	over := Span{To: c.At, Ended: c.Reason}
	if came := s.diary.Came; came.At <= c.At {
		over.From = came.At
	}
	return over
}

// lanesOf joins executions, newest first, to lanes of jobs.
func lanesOf(past []jobs.Past, d muster.Diary) []Lane {
	var lanes []Lane
	of := map[muster.JobID]int{}
	for _, x := range past {
		i, known := of[x.Job]
		if !known {
			i = len(lanes)
			of[x.Job] = i
			lanes = append(lanes, Lane{Kind: ExecutionLane, Job: x.Job, Number: x.Number, Attempt: x.Retries.Attempt()})
		}
		lanes[i].Spans = append(lanes[i].Spans, spansOf(x)...)
		lanes[i].Marks = append(lanes[i].Marks, marksOf(x, d)...)
	}
	for _, l := range lanes {
		slices.SortStableFunc(l.Spans, func(a, b Span) int { return cmp.Compare(a.Number, b.Number) })
		slices.SortStableFunc(l.Marks, func(a, b Mark) int { return cmp.Compare(a.At, b.At) })
	}
	return lanes
}

// spansOf returns the spans of an execution.
func spansOf(x jobs.Past) []Span {
	queued := Span{Number: x.Number, Status: muster.Queued, From: x.QueuedAt, To: x.StartedAt}
	if x.StartedAt == 0 {
		return []Span{queued.end(x)}
	}
	return []Span{queued, Span{Number: x.Number, Status: muster.InProgress, From: x.StartedAt}.end(x)}
}

// end returns the last span of an execution as it ends.
func (s Span) end(x jobs.Past) Span {
	if x.Status.Terminal() {
		s.To, s.Ended = x.UpdatedAt, x.Status.String()
	}
	return s
}

// marksOf returns what is known of an execution beside its states: of its last report, and what the diary has.
func marksOf(x jobs.Past, d muster.Diary) (marks []Mark) {
	life := lifeOf(x)
	during := func(at muster.Instant) bool { return at >= life.From && (life.To == 0 || at <= life.To) }
	if d.Told.Job == x.Job && during(d.Told.At) {
		marks = append(marks, Mark{At: d.Told.At, What: MarkTold, Number: x.Number, Acked: d.Told.Acked})
	}
	if d.Asked.Job == x.Job && during(d.Asked.At) {
		marks = append(marks, Mark{At: d.Asked.At, What: MarkFetched, Number: x.Number})
	}
	if reported(x) {
		marks = append(marks, Mark{At: x.UpdatedAt, What: MarkReport, Number: x.Number, Details: x.Details})
	}
	return marks
}

// reported reports whether it was its device that changed an execution last, beyond starting it.
func reported(x jobs.Past) bool {
	switch x.Status {
	case muster.Succeeded, muster.Failed, muster.Rejected:
		return true
	case muster.InProgress:
		return x.UpdatedAt != x.StartedAt || x.Details != nil
	}
	return false
}

// certificatesShown bounds the certificates whose end is shown.
const certificatesShown = 10

// upcoming returns what will happen to a thing.
func (w *Watch) upcoming(r jobs.Reading, thing muster.ThingName, s sight, now muster.Instant) ([]Upcoming, error) {
	var all []Upcoming
	for _, x := range s.pending {
		more, err := ofPending(x, now)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	for _, x := range s.retried {
		more, err := ofRetry(r, x, now)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	next, err := nextInQueues(r, thing, s.pending)
	if err != nil {
		return nil, err
	}
	all = append(all, next...)
	credentials, err := rights.CredentialsOf(r, thing, nil, certificatesShown)
	if err != nil {
		return nil, err
	}
	for _, c := range credentials {
		if c.Status == muster.CertificateActive && c.NotAfter > now {
			all = append(all, Upcoming{At: c.NotAfter, What: UpcomingCertificate, Say: fmt.Sprintf("certificate %.8s… is no longer valid", c.ID)})
		}
	}
	slices.SortStableFunc(all, func(a, b Upcoming) int {
		return cmp.Or(cmp.Compare(uint64(a.At-1), uint64(b.At-1)), cmp.Compare(a.Job, b.Job)) // zero comes last
	})
	return all[:min(len(all), upcomingMax)], nil
}

// ofPending returns what the timers of an execution and the schedule of its job will do to it.
func ofPending(x jobs.Past, now muster.Instant) (all []Upcoming, err error) {
	if at := x.StepDeadline; at != 0 {
		all = append(all, Upcoming{At: at, What: UpcomingStep, Job: x.Job, Say: fmt.Sprintf("TIMED_OUT unless it ends or sets another step time-out before %s", clock(at, now))})
	}
	if at := x.JobDeadline; at != 0 {
		all = append(all, Upcoming{At: at, What: UpcomingTimeout, Job: x.Job, Say: fmt.Sprintf("TIMED_OUT unless it ends before %s", clock(at, now))})
	}
	if !x.Of.Status.Active() || x.Of.Over {
		return all, nil
	}
	t, err := rollout.Compile(x.Of.Config.Schedule)
	if err != nil {
		return nil, err
	}
	at := t.At(now).Next
	if at == 0 {
		return all, nil
	}
	u := Upcoming{At: at, Job: x.Job}
	switch t.At(at).Phase {
	case rollout.Ended:
		u.What, u.Say = UpcomingEnd, ending[x.Of.Config.Schedule.EndBehavior]
	case rollout.Closed:
		u.What, u.Say = UpcomingCloses, "until then it can be started"
	default:
		u.What, u.Say = UpcomingOpens, "from then on it can be started"
	}
	if x.Status == muster.Queued || u.What == UpcomingEnd {
		all = append(all, u)
	}
	return all, nil
}

// ending says what the end time of a job does to its executions; without a word it is as the first.
var ending = map[muster.EndBehavior]string{
	"":                 "the job ends; what is pending stays",
	muster.StopRollout: "the job ends; what is pending stays",
	muster.CancelAtEnd: "the job ends; what is QUEUED is cancelled",
	muster.ForceAtEnd:  "the job ends; what is pending is cancelled",
}

// ofRetry returns when a retry comes that waits for a window.
func ofRetry(r jobs.Reading, x jobs.Past, now muster.Instant) ([]Upcoming, error) {
	waits, err := r.RetryWaits(&x.Execution)
	if err != nil || !waits {
		return nil, err
	}
	t, err := rollout.Compile(x.Of.Config.Schedule)
	if err != nil {
		return nil, err
	}
	opens := t.Upcoming(now, 1)
	if len(opens) == 0 {
		return nil, nil
	}
	return []Upcoming{{At: opens[0], What: UpcomingRetry, Job: x.Job, Say: fmt.Sprintf("retry %d, when its window opens", x.Retries.Attempt()+1)}}, nil
}

// nextInQueues returns what the thing can start next in each namespace in which something pends.
func nextInQueues(r jobs.Reading, thing muster.ThingName, pending []jobs.Past) (all []Upcoming, err error) {
	var looked []muster.Namespace
	for _, x := range pending {
		if slices.Contains(looked, x.Namespace) {
			continue
		}
		looked = append(looked, x.Namespace)
		q, _, err := r.Queue(thing, x.Namespace)
		if err != nil {
			return nil, err
		}
		shown := q.Pending()
		if i := slices.IndexFunc(shown, func(e muster.Entry) bool { return e.Status == muster.Queued }); i >= 0 {
			all = append(all, Upcoming{What: UpcomingNext, Job: shown[i].Job, Say: condition(thing, shown[:i])})
		}
	}
	return all, nil
}

// condition says when a device comes to an execution, with those that are IN_PROGRESS before it.
func condition(thing muster.ThingName, before []muster.Entry) string {
	switch len(before) {
	case 0:
		return fmt.Sprintf("when %s asks for it", thing)
	case 1:
		return fmt.Sprintf("when %s ends", before[0].Job)
	}
	return fmt.Sprintf("when %s and %d more end", before[0].Job, len(before)-1)
}

// clock returns an instant as sentences have it, with its day if that is not today.
func clock(at, now muster.Instant) string {
	t := at.Time()
	if day := t.Format("2006-01-02"); day != now.Time().Format("2006-01-02") {
		return t.Format("2006-01-02 15:04:05 UTC")
	}
	return t.Format("15:04:05 UTC")
}
