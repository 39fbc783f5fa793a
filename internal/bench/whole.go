package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

// whole measures a job from CreateJob until the last thing has reported success over MQTT. Devices come in waves of as many
// connections as a process may have; each connects, subscribes, starts its execution, reports it done, and leaves.
func (b *bench) whole(ctx context.Context) ([]figure, error) {
	const job = "whole"
	folder := filepath.Join(b.dir, job)
	w, err := b.open(folder)
	if err != nil {
		return nil, err
	}
	err = w.addGroup(ctx, deviceGroup, b.population)
	if closed := w.close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	b.progress("%d things registered", b.population)
	s, err := b.serve(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer s.stop()

	fanOut, visiting := phase{name: "CreateJob, and all executions queued"}, phase{name: "connect, subscribe and leave"}
	starting, updating := phase{name: "start-next"}, phase{name: "update"}
	began := time.Now()
	if err := fanOut.measure(ctx, s, func() error {
		_, _, err := s.giveAll(ctx, nil, job, b.population, false)
		return err
	}); err != nil {
		return nil, err
	}
	for from := 0; from < b.population; from += b.connected {
		n := min(b.connected, b.population-from)
		all := make(crowd, n)
		name := func(i int) string { return deviceName(from + i) }
		each := func(do func(d mqttDevice, i int) error) func() error {
			return func() error {
				return inParallel(b.callers[len(b.callers)-1], n, func(_, i int) error { return do(mqttDevice{all[i]}, i) })
			}
		}
		err := visiting.measure(ctx, s, func() (err error) {
			all, err = endpoint{addr: s.MQTT}.gather(ctx, n, name, func(c *client, i int) error { return c.subscribe(1, deviceFilters(name(i))...) })
			return err
		})
		if err == nil {
			err = starting.measure(ctx, s, each(func(d mqttDevice, i int) error { return d.start(name(i)) }))
		}
		if err == nil {
			err = updating.measure(ctx, s, each(func(d mqttDevice, i int) error { return d.update(name(i), job) }))
		}
		if err == nil {
			err = visiting.measure(ctx, s, func() error { all.close(); return s.awaitNobody(ctx) })
		}
		if err != nil {
			all.close()
			return nil, fmt.Errorf("devices from %d: %w", from, err)
		}
		b.progress("%d of %d things", from+n, b.population)
	}
	took := time.Since(began)
	if err := s.checkDone(ctx, job, b.population); err != nil {
		return nil, err
	}
	return wholeFigures(b.population, b.connected, took, fanOut, visiting, starting, updating), nil
}

// phase sums up what a part of the work costs the server.
type phase struct {
	name    string
	took    time.Duration
	cpu     time.Duration
	commits int // transactions made durable
	flushes int // of the disk
}

// measure adds what happens while do runs.
func (p *phase) measure(ctx context.Context, s *server, do func() error) error {
	before, err := s.metric(ctx, commitsMetric)
	if err != nil {
		return err
	}
	began, cpu, flushes := time.Now(), s.cpu(), diskFlushes()
	if err := do(); err != nil {
		return err
	}
	p.took += time.Since(began)
	p.cpu += s.cpu() - cpu
	p.flushes += diskFlushes() - flushes
	after, err := s.metric(ctx, commitsMetric)
	p.commits += int(after - before)
	return err
}

// Metrics of the server.
const (
	commitsMetric     = "muster_store_commits_total"
	connectionsMetric = "muster_mqtt_connections"
)

// awaitNobody waits until the server has no MQTT connections.
func (s *server) awaitNobody(ctx context.Context) error {
	return awaitCount(ctx, 0, 10*lookEvery, func() (int, error) {
		n, err := s.metric(ctx, connectionsMetric)
		return -int(n), err
	})
}

// checkDone returns an error unless a job is completed, with n executions that succeeded.
func (s *server) checkDone(ctx context.Context, job string, n int) error {
	api, err := s.callAPI(ctx, "iot")
	if err != nil {
		return err
	}
	defer api.close()
	var answer struct {
		Job struct {
			Status            string
			JobProcessDetails struct{ NumberOfSucceededThings int }
		}
	}
	text, err := api.ask("GET", "/jobs/"+job, "")
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if got := answer.Job; err == nil && (got.Status != "COMPLETED" || got.JobProcessDetails.NumberOfSucceededThings != n) {
		err = fmt.Errorf("at the end the job of %d things is %+v", n, got)
	}
	return err
}

func wholeFigures(things, connections int, took time.Duration, phases ...phase) []figure {
	var all phase
	for _, p := range phases {
		all.cpu += p.cpu
		all.commits += p.commits
		all.flushes += p.flushes
	}
	figures := []figure{{
		name:  fmt.Sprintf("a job for %s things, from CreateJob to the last success, TCP, waves of %s connections: server's processor time", count(things), count(connections)),
		value: millis(all.cpu), beside: "all of it took " + millis(took), aim: "≤ 90 s for 1,000,000",
	}}
	for _, p := range phases {
		figures = append(figures, figure{
			name: "… " + p.name + ", of a thing", value: micros(p.cpu, things), beside: "took " + millis(p.took),
			ratio: percent(float64(p.cpu), float64(all.cpu)),
		})
	}
	return append(figures, figure{
		name: "… transactions made durable", value: count(all.commits), beside: "flushes of the disk " + count(all.flushes),
	})
}
