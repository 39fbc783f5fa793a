package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// million measures a job for very many things, of which as many are connected as a
// process may have open files: how long it takes, how it affects other devices,
// and what is left to do after a crash in the middle of it.
func (b *bench) million(ctx context.Context) ([]figure, error) {
	m, err := b.masses(ctx)
	if err != nil {
		return nil, err
	}
	figures, err := b.tellAll(ctx, m)
	if err != nil {
		return figures, err
	}
	more, err := b.crash(ctx, m)
	return append(figures, more...), err
}

// tellAll gives a job to all things while devices are connected.
func (b *bench) tellAll(ctx context.Context, f *fleet) ([]figure, error) {
	s, err := b.serve(ctx, f.folder)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	quiet := b.connected - b.busy
	at := s.endpoint(f, true)
	listeners, err := at.gather(ctx, quiet, deviceName, func(c *client, i int) error {
		return c.subscribe(1, deviceFilters(deviceName(i))...)
	})
	if err != nil {
		return nil, err
	}
	defer listeners.close()
	others, err := at.gatherFrom(ctx, quiet, b.busy)
	if err != nil {
		return nil, err
	}
	defer others.close()
	time.Sleep(b.rest)
	resting := s.resident()

	load := busyFleet{clients: others, first: quiet, rate: b.busyRate}
	idle, err := load.during(func() error { time.Sleep(b.idleFor); return nil })
	if err != nil {
		return nil, fmt.Errorf("busy devices while nothing goes on: %w", err)
	}
	b.progress("%d devices connected; jobs/get %s, update %s", b.connected, idle.get, idle.update)

	var durable, told time.Duration
	cpu := s.cpu()
	meanwhile, err := load.during(func() (err error) {
		durable, told, err = s.giveAll(ctx, listeners, "million", b.population)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("a job for %d things: %w", b.population, err)
	}
	cpu = s.cpu() - cpu
	b.progress("%d executions in %s", b.population, millis(durable))
	return []figure{
		{
			name:  fmt.Sprintf("CreateJob for %s things, %s of them connected, mTLS, until the last execution is durable", count(b.population), count(b.connected)),
			value: fmt.Sprintf("%s (%s executions/s)", millis(durable), count(perSecond(b.population, durable))), aim: "≤ 60 s",
		},
		{name: "… until the last of the devices that listen has its notify-next", value: millis(told), beside: plural(quiet, "device"), aim: "≤ 60 s"},
		{name: "… server's processor time of an execution", value: micros(cpu, b.population)},
		{name: "… server's memory at its peak", value: megabytes(s.peak()), beside: "connected, before the job " + megabytes(resting)},
		compared(fmt.Sprintf("… jobs/get of %s meanwhile, %d/s, p50 / p99", plural(b.busy, "other device"), b.busyRate/2), meanwhile.get, idle.get),
		compared("… their jobs/update, durable, p50 / p99", meanwhile.update, idle.update),
	}, nil
}

// compared is a latency under load, compared with the same without load.
func compared(name string, loaded, idle latencies) figure {
	return figure{
		name: name, value: loaded.String(), beside: "before the job " + idle.String(),
		ratio: "p99 " + times(float64(loaded.at(0.99)), float64(idle.at(0.99))), aim: "p99 ≤ 5 ×",
	}
}

// giveAll creates a job for all things and returns how long it took until every
// execution was durable, and until every listener had been notified.
func (s *server) giveAll(ctx context.Context, listeners crowd, job string, n int) (durable, told time.Duration, err error) {
	var hearing sync.WaitGroup
	heard := make([]time.Time, len(listeners))
	failed := make(chan error, len(listeners))
	for i, c := range listeners {
		c.SetDeadline(time.Now().Add(givingMax))
		hearing.Go(func() {
			if err := c.hear(jobsTopic(deviceName(i), "notify-next")); err != nil {
				failed <- err
			}
			heard[i] = time.Now()
		})
	}
	api, err := s.callAPI(ctx, "iot")
	if err != nil {
		return 0, 0, err
	}
	defer api.close()
	began := time.Now()
	if err := api.createJob(job); err != nil {
		return 0, 0, err
	}
	if err := api.awaitQueued(ctx, job, n); err != nil {
		return 0, 0, err
	}
	durable = time.Since(began)
	hearing.Wait()
	close(failed)
	for _, at := range heard {
		told = max(told, at.Sub(began))
	}
	return durable, told, <-failed
}

// givingMax bounds how long a job for all things may take.
const givingMax = 5 * time.Minute

// createJob gives a job to the group of all things.
func (c *caller) createJob(job string) error {
	body, err := json.Marshal(map[string]any{
		"targets": []string{"arn:aws:iot:" + account.Region + ":" + account.ID + ":thinggroup/" + deviceGroup}, "document": document,
	})
	if err != nil {
		return err
	}
	return c.do("PUT", "/jobs/"+job, string(body))
}

// queued returns how many executions of a job are queued. What the API counts
// is durable.
func (c *caller) queued(job string) (int, error) {
	var answer struct {
		Job struct {
			JobProcessDetails struct{ NumberOfQueuedThings int }
		}
	}
	text, err := c.ask("GET", "/jobs/"+job, "")
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	return answer.Job.JobProcessDetails.NumberOfQueuedThings, err
}

// awaitQueued waits until n or more executions of a job are queued.
func (c *caller) awaitQueued(ctx context.Context, job string, n int) error {
	for {
		if got, err := c.queued(job); err != nil || got >= n {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
