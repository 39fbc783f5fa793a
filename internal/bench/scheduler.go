package main

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
)

// scheduler measures the cost of a server with very many pending timers and nothing
// to do: active jobs, half of them between two maintenance windows, and executions
// that will time out in a week.
func (b *bench) scheduler(ctx context.Context) ([]figure, error) {
	f, err := b.masses(ctx)
	if err != nil {
		return nil, err
	}
	w, err := b.open(f.folder)
	if err != nil {
		return nil, err
	}
	err = w.wait(ctx, b)
	if closed := w.close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, f.folder)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	time.Sleep(b.rest)
	cpu := s.cpu()
	time.Sleep(b.watch)
	cpu = s.cpu() - cpu
	return []figure{
		{
			name:  fmt.Sprintf("%s active jobs and %s pending timers: processor time in a second of nothing to do", count(b.activeJobs), count(b.population)),
			value: fmt.Sprintf("%.3g ms", 1000*cpu.Seconds()/b.watch.Seconds()), beside: fmt.Sprintf("watched for %s", b.watch), aim: "near zero",
		},
		{name: "… start until it listens, with them", value: millis(s.opened)},
		{name: "… memory at rest", value: megabytes(s.resident())},
	}, nil
}

// wait creates the jobs and executions that the server is to wait for.
func (w *world) wait(ctx context.Context, b *bench) error {
	tomorrow := time.Now().UTC().Add(-time.Hour)
	night := []muster.MaintenanceWindow{{
		StartTime: fmt.Sprintf("cron(%d %d * * ? *)", tomorrow.Minute(), tomorrow.Hour()), DurationMinutes: 1,
	}}
	err := inParallel(registering, b.activeJobs, func(_, i int) error {
		job := jobs.NewJob{
			ID: muster.JobID(fmt.Sprintf("active-%05d", i)), Document: document, Selection: muster.Continuous,
			Targets: []muster.Target{{Name: deviceName(i % b.connected)}},
		}
		if i%2 == 0 {
			job.Config.Schedule.Windows = night
		}
		_, err := w.service.Jobs.CreateJob(ctx, job)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := w.fanOut(ctx, "timed", deviceGroup, b.population); err != nil {
		return err
	}
	b.progress("%d jobs are active", b.activeJobs)
	return inParallel(registering, b.population, func(_, i int) error {
		name := deviceName(i % b.connected)
		if i >= b.connected {
			name = betweenName(i-b.connected, b.connected)
		}
		return w.begin(ctx, name)
	})
}

// begin has a thing start its next execution, which times out in a week.
func (w *world) begin(ctx context.Context, thing string) error {
	started, err := commit.Await(ctx, func(done func(jobs.Described, error)) {
		w.service.Jobs.StartNext(jobs.StartNextInput{Thing: muster.ThingName(thing), StepMinutes: muster.TimeoutMinutesMax}, done)
	})
	if err == nil && started.Execution == nil {
		err = fmt.Errorf("nothing to start on %s", thing)
	}
	return err
}
