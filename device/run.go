package device

import (
	"context"
	"errors"
	"time"
)

// Handler does one job. Its ctx ends when the work is to stop: with an *Ended as
// context.Cause when the service ended the execution, otherwise because Run is
// ending. The handler may report through j. Unless it has reported a terminal
// status, its result is reported: nil as SUCCEEDED, an error made by Refuse as
// REJECTED, any other error as FAILED, with the error's text as the detail
// "reason". If the service refuses REJECTED for a job that is IN_PROGRESS, FAILED
// is reported instead. After ctx has ended an error is not reported, so a job
// interrupted by a restart is still IN_PROGRESS and comes again.
type Handler func(ctx context.Context, j *Job) error

// lastWords is how long reporting a success may take after ctx of Run has ended.
const lastWords = 5 * time.Second

// Run takes one job after the other, in the order of the service, and calls
// handle for each. It begins with the job that the thing has in progress. It
// returns when ctx ends, with its error, or with the first final refusal that is
// not about one job.
func (c *Client) Run(ctx context.Context, handle Handler) error {
	for {
		j, err := c.Next(ctx)
		if err != nil {
			return err
		}
		if err := j.Do(ctx, handle); err != nil && ctx.Err() == nil {
			c.log.Warn("job was not finished", "job", j.JobID, "execution", j.Number, "error", err)
			if err := sleep(ctx, firstPause); err != nil {
				return err
			}
		}
	}
}

// Next waits until something is pending for the thing, starts the execution
// that comes first, and returns it. One that was IN_PROGRESS already is
// returned again, with the details last reported.
func (c *Client) Next(ctx context.Context) (*Job, error) {
	for {
		heard := c.wire.notified()
		var a answer
		if _, err := c.call(ctx, request{op: startNext, wait: true}, &a); err != nil {
			return nil, err
		}
		if a.Execution != nil {
			return &Job{Execution: *a.Execution, c: c, since: heard}, nil
		}
		if err := c.awaitHead(ctx, heard); err != nil {
			return nil, err
		}
	}
}

// awaitHead returns when there may be an execution that comes first.
func (c *Client) awaitHead(ctx context.Context, since notified) error {
	if c.wire.waits() {
		return ctx.Err()
	}
	for {
		now, err := c.wire.await(ctx, since)
		if err != nil || now.epoch != since.epoch {
			return err
		}
		if now.head.count != since.head.count {
			if x, err := decodeHead(now.head.payload); err != nil || x != nil {
				return nil
			}
		}
		since = now
	}
}

// Start takes a job that the device picked from the list of what is pending: it
// reports it IN_PROGRESS and returns it with its document. The times of the
// returned Job are those of the list.
func (c *Client) Start(ctx context.Context, s Summary, r Report) (*Job, error) {
	heard := c.wire.notified()
	u, err := c.Update(ctx, s.JobID, Update{
		Status: InProgress, Report: r, Number: s.Number, WithState: true, WithDocument: true,
	})
	if err != nil {
		return nil, err
	}
	x := Execution{Summary: s, Status: InProgress, Document: u.Document, TimeLeft: -1}
	if u.State != nil {
		x.Version, x.Details = u.State.Version, u.State.Details
	}
	return &Job{Execution: x, c: c, since: heard}, nil
}

// Do calls handle for the job, ends the handler's ctx if the service ends the
// execution, and reports the outcome as Handler says. It returns nil when the
// outcome was reported, an *Ended when the service ended the execution first, or
// the error for which the outcome could not be reported.
func (j *Job) Do(ctx context.Context, handle Handler) error {
	working, stop := context.WithCancelCause(ctx)
	j.setStop(stop)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if ended := j.awaitEnd(working); ended != nil {
			stop(ended)
		}
	}()
	outcome := handle(working, j)
	stop(context.Canceled)
	<-watched

	ended := (*Ended)(nil)
	switch {
	case j.reported() != "":
		return nil
	case errors.As(context.Cause(working), &ended):
		return ended
	case ctx.Err() != nil && outcome != nil:
		return ctx.Err()
	case ctx.Err() != nil:
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		ctx = last
	}
	err := j.settle(ctx, outcome)
	if ended := errEnded(err); ended != nil {
		return ended
	}
	return err
}

// settle reports what a handler returned.
func (j *Job) settle(ctx context.Context, outcome error) error {
	if outcome == nil {
		return j.Succeed(ctx, nil)
	}
	if no := (*refused)(nil); errors.As(outcome, &no) {
		err := j.Reject(ctx, reason(outcome))
		if !errors.Is(err, InvalidStateTransition) || errEnded(err) != nil {
			return err
		}
	}
	return j.Fail(ctx, reason(outcome))
}

// awaitEnd returns how the service ended the execution, or nil when ctx ended or
// the device itself reported the end.
func (j *Job) awaitEnd(ctx context.Context) *Ended {
	heard := j.since
	for {
		now, err := j.awaitAbsence(ctx, heard)
		if err != nil || j.reported() != "" {
			return nil
		}
		if ended := j.check(ctx); ended != nil {
			return ended
		}
		heard = now
	}
}

// awaitAbsence returns when the execution may have left the list of what is
// pending.
func (j *Job) awaitAbsence(ctx context.Context, since notified) (notified, error) {
	for {
		now, err := j.c.wire.await(ctx, since)
		if err != nil || now.epoch != since.epoch {
			return now, err
		}
		if now.list.count != since.list.count {
			if p, err := decodeList(now.list.payload); err != nil || !p.Has(j.JobID, j.Number) {
				return now, nil
			}
		}
		since = now
	}
}

// check asks whether the service has ended the execution.
func (j *Job) check(ctx context.Context) *Ended {
	_, err := j.c.Describe(ctx, j.JobID, Describe{Number: j.Number, WithoutDocument: true})
	if j.reported() != "" {
		return nil
	}
	return errEnded(err)
}

// sleep returns after d, or with ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
