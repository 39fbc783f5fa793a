package operator

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/watch"
)

// Timelines knows what became of things.
type Timelines interface {
	// Timeline fails with NotFound for a thing that does not exist, and with Invalid.
	Timeline(ctx context.Context, q watch.TimelineQuery) (watch.Timeline, error)
}

// Timeline is a page of what became of a thing when, and what happens next.
type Timeline struct {
	Thing      muster.ThingName `json:"thing"`
	Now        Instant          `json:"now"`
	History    string           `json:"history"`    // what it rests on: "executions" says that former connections and reports are not kept
	Connection *Connection      `json:"connection"` // null for a thing that was never connected
	Lanes      []Lane           `json:"lanes"`
	Upcoming   []Upcoming       `json:"upcoming"`        // of the first page only
	Older      string           `json:"older,omitempty"` // to be given as nextToken
}

// Connection is whether a thing is connected.
type Connection struct {
	Connected bool    `json:"connected"`
	Since     Instant `json:"since"`
	Reason    string  `json:"reason,omitempty"` // why it is not
}

// Lane is what became of the connection or, with its retries, of a job.
type Lane struct {
	Kind    string       `json:"kind"`
	Job     muster.JobID `json:"jobId,omitempty"`
	Number  int64        `json:"number,omitempty"` // of the newest execution in the lane
	Attempt *int         `json:"retryAttempt,omitempty"`
	Spans   []Span       `json:"spans"`
	Marks   []Mark       `json:"marks,omitempty"`
}

// Span is a time without change.
type Span struct {
	Number int64    `json:"number,omitempty"`
	Status string   `json:"status,omitempty"`
	From   *Instant `json:"from"` // null if that is not known
	To     *Instant `json:"to"`   // null if it is not over
	Ended  string   `json:"ended,omitempty"`
}

// Mark is something that happened at an instant.
type Mark struct {
	At      Instant           `json:"at"`
	What    string            `json:"what"`
	Number  int64             `json:"number"`
	Acked   *Instant          `json:"acknowledged,omitempty"`
	Details map[string]string `json:"details,omitempty"`
}

// Upcoming is something that will happen.
type Upcoming struct {
	At   *Instant     `json:"at"` // null if others decide when
	What string       `json:"what"`
	Job  muster.JobID `json:"jobId,omitempty"`
	Say  string       `json:"say"`
}

// thingARN names the thing of a path.
func (p Parts) thingARN(names map[string]string) (string, error) {
	if !muster.ValidThingName(names["thing"]) {
		return "", muster.Errorf(muster.Invalid, "%q is no name of a thing", names["thing"])
	}
	return p.Account.ARN("thing", names["thing"]), nil
}

func (p Parts) describeTimeline(ctx context.Context, c *Call, _ none) (Timeline, error) {
	q := c.Query()
	asked := watch.TimelineQuery{
		Thing: muster.ThingName(c.Names["thing"]), From: q.Instant("from"), To: q.Instant("to"),
		Limit: q.Number("limit", 1, watch.TimelineMax, watch.TimelineDefault), Token: q.Text("nextToken"),
	}
	if err := q.Err(); err != nil {
		return Timeline{}, err
	}
	line, err := p.Timelines.Timeline(ctx, asked)
	if err != nil {
		return Timeline{}, err
	}
	return shownTimeline(line), nil
}

func shownTimeline(t watch.Timeline) Timeline {
	shown := Timeline{Thing: t.Thing, Now: Instant(t.Now), History: "executions", Lanes: []Lane{}, Upcoming: []Upcoming{}, Older: t.Older}
	if c := t.Connection; c != (muster.Connectivity{}) {
		shown.Connection = &Connection{Connected: c.Connected, Since: Instant(c.At)}
		if !c.Connected {
			shown.Connection.Reason = c.Reason
		}
	}
	for _, l := range t.Lanes {
		shown.Lanes = append(shown.Lanes, shownLane(l))
	}
	for _, u := range t.Upcoming {
		shown.Upcoming = append(shown.Upcoming, Upcoming{At: orNull(u.At), What: u.What, Job: u.Job, Say: u.Say})
	}
	return shown
}

func shownLane(l watch.Lane) Lane {
	shown := Lane{Kind: l.Kind, Job: l.Job, Number: l.Number}
	if l.Kind == watch.ExecutionLane {
		shown.Attempt = &l.Attempt
	}
	for _, s := range l.Spans {
		shown.Spans = append(shown.Spans, Span{Number: s.Number, Status: s.Status.String(), From: orNull(s.From), To: orNull(s.To), Ended: s.Ended})
	}
	for _, m := range l.Marks {
		shown.Marks = append(shown.Marks, Mark{At: Instant(m.At), What: m.What, Number: m.Number, Acked: orNull(m.Acked), Details: m.Details})
	}
	return shown
}

// orNull returns an instant as answers show it, nil if it is unset.
func orNull(at muster.Instant) *Instant {
	if at == 0 {
		return nil
	}
	t := Instant(at)
	return &t
}
