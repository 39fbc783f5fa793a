package fleet

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/muster-iot/muster/device"
)

// dev is one device.
type dev struct {
	fleet  *Fleet
	thing  string
	client *device.Client
}

// handler is what the device does with a job that it has started.
func (d dev) handler() device.Handler {
	if v := d.fleet.o.Verifier; v != nil {
		return v.Handle(func(ctx context.Context, j *device.Job, _ []device.File) error { return d.do(ctx, j) })
	}
	return d.do
}

// do is the device's handler for a job that it has started.
func (d dev) do(ctx context.Context, j *device.Job) error {
	outcome := d.fleet.outcome(d.thing, j.JobID, j.Number)
	if outcome == Reject {
		why := d.fleet.o.refuses(d.thing, j.JobID, j.Number)
		if err := j.Reject(ctx, why); err != nil {
			return device.Refuse(why["reason"]) // reports FAILED if the service refuses REJECTED now
		}
		return nil
	}
	pauses := d.fleet.o.pauses(d.thing, j.JobID)
	for step, pause := range pauses {
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		if step == len(pauses)-1 {
			break
		}
		progress := map[string]string{"step": strconv.Itoa(step+1) + "/" + strconv.Itoa(len(pauses)-1)}
		if err := j.Progress(ctx, device.Report{Details: progress}); err != nil {
			return err
		}
	}
	switch outcome {
	case Fail:
		why := d.fleet.o.fails(d.thing, j.JobID, j.Number)
		if err := j.Fail(ctx, why); err != nil {
			return errors.New(why["reason"])
		}
	case Hang:
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return nil
}

// pick is the workflow of a device that chooses: it looks at all that is
// pending, finishes what it had begun, and takes any of the rest.
func (d dev) pick(ctx context.Context) error {
	for pending, err := range d.client.Watch(ctx) {
		if err != nil {
			return err
		}
		s, ok := d.choose(pending)
		if !ok {
			continue
		}
		if err := d.take(ctx, s); err != nil && ctx.Err() == nil {
			d.fleet.o.Log.Warn("job was not finished", "thing", d.thing, "job", s.JobID, "error", err)
		}
	}
	return ctx.Err()
}

// choose picks one of what is pending.
func (d dev) choose(p device.Pending) (device.Summary, bool) {
	switch {
	case len(p.InProgress) > 0:
		return p.InProgress[0], true
	case len(p.Queued) > 0:
		i := d.fleet.o.dice("choose", d.thing, p.Queued[0].JobID).IntN(len(p.Queued))
		return p.Queued[i], true
	}
	return device.Summary{}, false
}

// take does the job that was chosen, or rejects it without starting.
func (d dev) take(ctx context.Context, s device.Summary) error {
	if d.fleet.outcome(d.thing, s.JobID, s.Number) == Reject {
		_, err := d.client.Update(ctx, s.JobID, device.Update{
			Status: device.Rejected, Number: s.Number,
			Report: device.Report{Details: d.fleet.o.refuses(d.thing, s.JobID, s.Number)},
		})
		return err
	}
	j, err := d.client.Start(ctx, s, device.Report{})
	if err != nil {
		return err
	}
	return j.Do(ctx, d.handler())
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
