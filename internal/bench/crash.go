package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
)

// crash kills a server in the middle of the rollout of a job for all things, and
// starts another that continues it.
func (b *bench) crash(ctx context.Context, f *fleet) ([]figure, error) {
	const job = "crash"
	s, err := b.serve(ctx, f.folder)
	if err != nil {
		return nil, err
	}
	api, err := s.callAPI(ctx, "iot")
	if err == nil {
		err = api.createJob(job)
	}
	if err == nil {
		err = api.awaitQueued(ctx, job, b.population/3)
	}
	s.kill()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if s, err = b.serve(ctx, f.folder); err != nil {
		return nil, err
	}
	defer func() { s.stop() }()
	if api, err = s.callAPI(ctx, "iot"); err != nil {
		return nil, err
	}
	found, err := api.queued(job)
	if err == nil {
		err = api.awaitQueued(ctx, job, b.population)
	}
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	s.stop()
	b.progress("resumed after kill -9 in %s", millis(took))
	wrong, err := b.recount(ctx, f, job)
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, b.muster, "admin", "verify", f.folder).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("verify: %w: %s", err, out)
	}
	return []figure{
		{
			name:  "kill -9 in the middle of such a job: start again until the last execution is durable",
			value: millis(took), beside: fmt.Sprintf("it listens after %s, with %s queued", millis(s.opened), count(found)),
		},
		{
			name:  fmt.Sprintf("… things of %s that then have no execution, or were queued twice", count(b.population)),
			value: count(wrong), beside: "admin verify: " + strings.TrimSpace(strings.TrimPrefix(string(out), f.folder)), aim: "0",
		},
	}, nil
}

// recount counts the things that do not have exactly the first version of the
// first execution of a job, by listing them all.
func (b *bench) recount(ctx context.Context, f *fleet, job muster.JobID) (wrong int, err error) {
	w, err := b.open(f.folder)
	if err != nil {
		return 0, err
	}
	defer w.close()
	seen := make(map[muster.ThingName]int, b.population)
	page := listing.Page{}
	for {
		list, err := w.service.Jobs.ExecutionsOfJob(ctx, job, 0, page)
		if err != nil {
			return 0, err
		}
		for _, x := range list.Executions {
			if seen[x.Thing]++; seen[x.Thing] > 1 || x.Number != 1 || x.Version != 1 {
				wrong++
			}
		}
		if page.Token = list.Next; page.Token == "" {
			return wrong + b.population - len(seen), nil
		}
	}
}
