package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
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
	var figures []figure
	crashing := *m
	for _, s := range settings() {
		t, err := b.tellAll(ctx, m, s)
		if err != nil {
			return figures, fmt.Errorf("%s: %w", s.name, err)
		}
		figures = append(figures, b.toldFigures(s, t)...)
		if s == settings()[0] {
			crashing.folder = t.folder
		} else if err := os.RemoveAll(t.folder); err != nil {
			return figures, err
		}
	}
	more, err := b.crash(ctx, &crashing)
	return append(figures, more...), err
}

// setting is what a job for all things is measured in.
type setting struct {
	name      string // empty for the ordinary one
	others    bool   // other devices ask all the time
	oneCore   bool   // the server may use one processor only
	neighbour bool   // another process uses half of the machine
}

func settings() []setting {
	return []setting{
		{others: true},
		{name: "the server on one core", others: true, oneCore: true},
		{name: "a neighbour that uses half of the machine", others: true, neighbour: true},
		{name: "nobody asks for anything"},
	}
}

// telling is the measurement of one job for all things.
type telling struct {
	folder        string        // as the job has left it
	durable, told time.Duration // until the last execution is durable, and the last listener notified
	cpu           time.Duration // of the server
	resting, peak int           // memory of the server before the job, and at its peak
	idle, busy    busyLatencies // of others, before the job and meanwhile
	foreign       float64       // share of the machine that others used, idle and meanwhile
}

// worst is how much longer the others' requests take than before the job.
func (t telling) worst() float64 {
	return max(ratio(t.busy.get.at(0.99), t.idle.get.at(0.99)), ratio(t.busy.update.at(0.99), t.idle.update.at(0.99)))
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }

// tellAll gives a job to all things while devices are connected, in some rounds, and
// returns the round that is in the middle by its worst: all of its figures, so that they
// belong together. Each round has a folder and a server of its own.
func (b *bench) tellAll(ctx context.Context, f *fleet, in setting) (telling, error) {
	var rounds []telling
	for round := range b.rounds {
		folder := filepath.Join(b.dir, fmt.Sprintf("masses-%d", round))
		// The folder has files that their owner alone may read, and cp keeps that.
		if out, err := exec.CommandContext(ctx, "cp", "-a", f.folder, folder).CombinedOutput(); err != nil {
			return telling{}, fmt.Errorf("copy the folder: %w: %s", err, out)
		}
		t, err := b.tell(ctx, f, folder, in)
		if err != nil {
			return telling{}, err
		}
		rounds = append(rounds, t)
	}
	slices.SortFunc(rounds, func(a, b telling) int {
		return cmp.Or(cmp.Compare(a.worst(), b.worst()), cmp.Compare(a.durable, b.durable))
	})
	middle := rounds[len(rounds)/2]
	for _, t := range rounds {
		if t.folder != middle.folder {
			if err := os.RemoveAll(t.folder); err != nil {
				return telling{}, err
			}
		}
	}
	kept := filepath.Join(b.dir, fmt.Sprintf("masses-told-%d", slices.Index(settings(), in)))
	err := os.Rename(middle.folder, kept)
	middle.folder = kept
	return middle, err
}

// tell is one round.
func (b *bench) tell(ctx context.Context, f *fleet, folder string, in setting) (t telling, err error) {
	s, err := b.serveIn(ctx, folder, in)
	if err != nil {
		return t, err
	}
	defer s.stop()
	ours := []*process{s.process}
	if in.neighbour {
		neighbour, err := startNeighbour(max(1, runtime.NumCPU()/2))
		if err != nil {
			return t, err
		}
		defer neighbour.end()
		ours = append(ours, neighbour.process)
	}
	quiet := b.connected - b.busy
	at := s.endpoint(f, true)
	listeners, err := at.gather(ctx, quiet, deviceName, func(c *client, i int) error {
		return c.subscribe(1, deviceFilters(deviceName(i))...)
	})
	if err != nil {
		return t, err
	}
	defer listeners.close()
	load := busyFleet{first: quiet, rate: b.busyRate}
	if in.others {
		if load.clients, err = at.gatherFrom(ctx, quiet, b.busy); err != nil {
			return t, err
		}
		defer load.clients.close()
	}
	time.Sleep(b.rest)
	t.folder, t.resting = folder, s.resident()

	before := readLoad().with(ours...)
	if t.idle, err = load.during(func() error { time.Sleep(b.idleFor); return nil }); err != nil {
		return t, fmt.Errorf("busy devices while nothing goes on: %w", err)
	}
	cpu := s.cpu()
	t.busy, err = load.during(func() (err error) {
		t.durable, t.told, err = s.giveAll(ctx, listeners, "million", b.population, in.others)
		return err
	})
	if err != nil {
		return t, fmt.Errorf("a job for %d things: %w", b.population, err)
	}
	t.cpu, t.peak = s.cpu()-cpu, s.peak()
	t.foreign = readLoad().with(ours...).othersSince(before)
	b.progress("%s: %d executions in %s; jobs/get %s, before %s; update %s, before %s; others used %.0f %%", cmp.Or(in.name, "as it is"),
		b.population, millis(t.durable), t.busy.get, t.idle.get, t.busy.update, t.idle.update, 100*t.foreign)
	return t, nil
}

// toldFigures are the lines of a setting.
func (b *bench) toldFigures(in setting, t telling) []figure {
	value := fmt.Sprintf("%s (%s executions/s)", millis(t.durable), count(perSecond(b.population, t.durable)))
	share := fmt.Sprintf("others used %.0f %% of the machine", 100*t.foreign)
	meanwhile := []figure{
		compared(fmt.Sprintf("… jobs/get of %s meanwhile, %d/s, p50 / p99", plural(b.busy, "other device"), b.busyRate/2), t.busy.get, t.idle.get),
		compared("… their jobs/update, durable, p50 / p99", t.busy.update, t.idle.update),
	}
	switch {
	case !in.others:
		return []figure{{name: "the same, " + in.name, value: value, beside: share, aim: "≤ 15 s"}}
	case in.name != "":
		return append([]figure{{name: "the same, " + in.name, value: value, beside: share, aim: "≤ 60 s"}}, meanwhile...)
	}
	return append([]figure{
		{
			name:  fmt.Sprintf("CreateJob for %s things, %s of them connected, mTLS, until the last execution is durable", count(b.population), count(b.connected)),
			value: value, beside: share, aim: "≤ 60 s",
		},
		{name: "… until the last of the devices that listen has its notify-next", value: millis(t.told), beside: plural(b.connected-b.busy, "device"), aim: "≤ 60 s"},
		{name: "… server's processor time of an execution", value: micros(t.cpu, b.population)},
		{name: "… server's memory at its peak", value: megabytes(t.peak), beside: "connected, before the job " + megabytes(t.resting)},
	}, meanwhile...)
}

// compared is a latency under load, compared with the same without load.
func compared(name string, loaded, idle latencies) figure {
	return figure{
		name: name, value: loaded.String(), beside: "before the job " + idle.String(),
		ratio: "p99 " + times(float64(loaded.at(0.99)), float64(idle.at(0.99))), aim: "p99 ≤ 5 ×",
	}
}

// giveAll creates a job for all things and returns how long it took until every
// execution was durable, and until every listener had been notified. Unless asking, it
// looks how far the job is without asking the API.
func (s *server) giveAll(ctx context.Context, listeners crowd, job string, n int, asking bool) (durable, told time.Duration, err error) {
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
	queued, every := func() (int, error) { return api.queued(job) }, lookEvery
	if !asking {
		queued, every = func() (int, error) { return s.executions(ctx, "QUEUED") }, 10*lookEvery
	}
	began := time.Now()
	if err := api.createJob(job); err != nil {
		return 0, 0, err
	}
	if err := awaitCount(ctx, n, every, queued); err != nil {
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
	return awaitCount(ctx, n, lookEvery, func() (int, error) { return c.queued(job) })
}

// lookEvery is how often to look how far a job is.
const lookEvery = 10 * time.Millisecond

// awaitCount waits until there are n or more, and looks again and again.
func awaitCount(ctx context.Context, n int, every time.Duration, count func() (int, error)) error {
	for {
		if got, err := count(); err != nil || got >= n {
			return err
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
