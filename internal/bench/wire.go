package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Payloads of the two requests of a pair, as devices send them.
const (
	startPayload  = `{"stepTimeoutInMinutes":30,"clientToken":"5f1b7a0e-2d4c-4b8e-9a77-0c5d1e6f7a8b"}`
	updatePayload = `{"status":"SUCCEEDED","statusDetails":{"progress":"100 %"},"clientToken":"5f1b7a0e-2d4c-4b8e-9a77-0c5d1e6f7a8b"}`
)

// wire measures the pairs of part engine over MQTT and HTTP, and once in this
// process on the same folder.
func (b *bench) wire(ctx context.Context) ([]figure, error) {
	folder := filepath.Join(b.dir, "wire")
	devices, err := newFleet(folder, b.callers[1])
	if err != nil {
		return nil, err
	}
	plan := b.wirePlan(devices)
	alone, err := b.prepareWire(ctx, folder, devices, plan)
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	figures := []figure{
		{name: "the engine alone, 64 callers: processor time of a request", value: micros(alone.cpu, 2*len(alone.each))},
	}
	for _, p := range plan {
		f, err := b.wirePairs(ctx, s, p, alone)
		if err != nil {
			return figures, fmt.Errorf("%s, %d callers: %w", p.wire, p.callers, err)
		}
		figures = append(figures, f...)
	}
	return figures, nil
}

// wirePart is one wire at one number of callers.
type wirePart struct {
	wire    string
	callers int
	n       int // pairs
	connect func(ctx context.Context, s *server, worker int) (pairer, error)
}

// requestAims are for some of the parts, by their name in the table.
var requestAims = map[string]string{"MQTT, 1,024 callers": "≤ 30 µs", "HTTP, SigV4, 64 callers": "≤ 60 µs"}

// pairer does the work of a device over one connection.
type pairer interface {
	start(thing string) error
	update(thing, job string) error
	close()
}

func (p wirePart) group() string { return fmt.Sprintf("%s-%d", p.wire, p.callers) }

func (b *bench) wirePlan(devices *fleet) []wirePart {
	var plan []wirePart
	for _, callers := range b.callers {
		plan = append(plan, wirePart{"MQTT", callers, min(b.pairs[callers], 20_000), mqttPairer})
	}
	for _, callers := range b.callers[:2] {
		n := min(b.pairs[callers], 10_000)
		plan = append(plan, wirePart{"HTTPS-certificate", callers, n, func(ctx context.Context, s *server, worker int) (pairer, error) {
			c, err := s.callDevice(ctx, devices, worker)
			return httpDevice{c}, err
		}})
		plan = append(plan, wirePart{"HTTP-SigV4", callers, n, func(ctx context.Context, s *server, _ int) (pairer, error) {
			c, err := s.callAPI(ctx, "iot-jobs-data")
			return httpDevice{c}, err
		}})
	}
	return plan
}

// prepareWire makes a folder with devices and a job for every part of the plan,
// and measures the service on it.
func (b *bench) prepareWire(ctx context.Context, folder string, devices *fleet, plan []wirePart) (pairRun, error) {
	w, err := b.open(folder)
	if err != nil {
		return pairRun{}, err
	}
	defer w.close()
	if err := w.register(ctx, devices); err != nil {
		return pairRun{}, err
	}
	alone := wirePart{wire: "engine", callers: 64, n: b.pairs[64]}
	for _, p := range append(plan, alone) {
		if err := w.addGroup(ctx, p.group(), p.n); err != nil {
			return pairRun{}, err
		}
		if _, err := w.fanOut(ctx, p.group(), p.group(), p.n); err != nil {
			return pairRun{}, err
		}
	}
	return runPairs(alone.callers, alone.n, func(_, i int) error { return w.pair(ctx, thingName(alone.group(), i), alone.group()) })
}

func (b *bench) wirePairs(ctx context.Context, s *server, p wirePart, alone pairRun) ([]figure, error) {
	callers := make([]pairer, p.callers)
	for i := range callers {
		var err error
		if callers[i], err = p.connect(ctx, s, i); err != nil {
			return nil, err
		}
		defer callers[i].close()
	}
	group, each := p.group(), make(latencies, 2*p.n)
	cpu := s.cpu()
	run, err := runPairs(p.callers, p.n, func(worker, i int) error {
		thing, began := thingName(group, i), time.Now()
		if err := callers[worker].start(thing); err != nil {
			return err
		}
		started := time.Now()
		err := callers[worker].update(thing, group)
		each[2*i], each[2*i+1] = started.Sub(began), time.Since(started)
		return err
	})
	if err != nil {
		return nil, err
	}
	cpu = s.cpu() - cpu
	requests := 2 * p.n
	name := fmt.Sprintf("%s, %s", strings.ReplaceAll(p.wire, "-", ", "), plural(p.callers, "caller"))
	b.progress("%s: %.0f pairs/s", name, perSecond(p.n, run.took))
	rate := figure{name: "… pairs", value: count(perSecond(p.n, run.took)) + " pairs/s"}
	if p.callers == 64 {
		aloneRate := perSecond(len(alone.each), alone.took)
		rate.beside, rate.ratio = "the engine alone "+count(aloneRate)+" pairs/s", percent(perSecond(p.n, run.took), aloneRate)
	}
	return []figure{
		{name: name + ": server's processor time of a request", value: micros(cpu, requests), aim: requestAims[name]},
		{name: "… latency of a request, p50 / p99", value: each.String()},
		rate,
		run.flushed("request", requests),
	}, nil
}

// mqttDevice does pairs over MQTT, for any thing: the plain listener does not
// identify clients.
type mqttDevice struct{ c *client }

func mqttPairer(ctx context.Context, s *server, worker int) (pairer, error) {
	c, _, err := endpoint{addr: s.MQTT}.connect(ctx, worker, fmt.Sprintf("worker-%d", worker), true)
	return mqttDevice{c}, err
}

func (d mqttDevice) start(thing string) error {
	return d.c.request(requestPacket(thing, "start-next", startPayload))
}

func (d mqttDevice) update(thing, job string) error {
	return d.c.request(requestPacket(thing, job+"/update", updatePayload))
}

func (d mqttDevice) close() { d.c.Close() }

// httpDevice does pairs over HTTP, with the identity of its caller.
type httpDevice struct{ c *caller }

func (d httpDevice) start(thing string) error {
	return d.c.do("PUT", "/things/"+thing+"/jobs/$next", startPayload)
}

func (d httpDevice) update(thing, job string) error {
	return d.c.do("POST", "/things/"+thing+"/jobs/"+job, updatePayload)
}

func (d httpDevice) close() { d.c.close() }
