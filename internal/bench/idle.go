package main

import (
	"context"
	"fmt"
	"time"
)

// idle measures the cost of connections that only wait for messages.
func (b *bench) idle(ctx context.Context) ([]figure, error) {
	f, err := b.fleet(ctx)
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, part := range []struct {
		name, aim string
		secure    bool
	}{
		{"TCP", "≤ 4.5 KB", false},
		{"mTLS", "≤ 12 KB", true},
	} {
		beside, err := b.idleMosquitto(ctx, f, part.secure)
		if err != nil {
			return figures, err
		}
		ours, err := b.idleMuster(ctx, f, part.secure)
		if err != nil {
			return figures, err
		}
		figures = append(figures, b.idleFigures(part.name, part.aim, ours, beside)...)
	}
	s, err := b.serveGateway(ctx, f.folder, "-goroutines")
	if err != nil {
		return figures, err
	}
	defer s.stop()
	cost, err := b.idleCost(ctx, s.process, s.endpoint(f, true), nil)
	return append(figures, figure{name: "resident bytes of an idle mTLS connection, portable mode (a goroutine each)", value: cost.memory(), aim: "≤ 28 KB"}), err
}

// endpoint returns the listener of a server of Muster.
func (s *server) endpoint(f *fleet, secure bool) endpoint {
	if secure {
		return endpoint{s.MQTTS, f}
	}
	return endpoint{addr: s.MQTT}
}

func (b *bench) idleMosquitto(ctx context.Context, f *fleet, secure bool) (*idleCost, error) {
	m, err := b.startMosquitto(ctx, f)
	if m == nil || err != nil {
		return nil, err
	}
	defer m.stop()
	at := m.plain
	if secure {
		at = m.secure
	}
	cost, err := b.idleCost(ctx, m.process, at, nil)
	return &cost, err
}

// idleMuster measures the real server. What is live is told by the profiler after
// garbage collections, so it is asked for only when everything else is measured;
// what is live without connections is that of another process.
func (b *bench) idleMuster(ctx context.Context, f *fleet, secure bool) (idleCost, error) {
	profile, err := freeAddress()
	if err != nil {
		return idleCost{}, err
	}
	live := func() (int, error) { return settledMemory(ctx, profile) }
	empty, err := b.serve(ctx, f.folder, "--pprof", profile)
	if err != nil {
		return idleCost{}, err
	}
	without, err := live()
	empty.stop()
	if err != nil {
		return idleCost{}, err
	}
	s, err := b.serve(ctx, f.folder, "--pprof", profile)
	if err != nil {
		return idleCost{}, err
	}
	defer s.stop()
	cost, err := b.idleCost(ctx, s.process, s.endpoint(f, secure), live)
	cost.live -= without
	return cost, err
}

// idleCost is what n idle connections cost their server.
type idleCost struct {
	n        int
	resident int           // bytes, without any collection but those that the server makes itself
	live     int           // bytes in use after collections
	slab     int           // bytes of kernel memory of both ends
	cpu      time.Duration // in idleFor
}

func (c idleCost) memory() string { return kilobytes(c.resident, c.n) }

// idleCost connects and measures. live, unless it is nil, is asked at the end what
// memory the server has in use.
func (b *bench) idleCost(ctx context.Context, p *process, at endpoint, live func() (int, error)) (idleCost, error) {
	time.Sleep(b.rest)
	cost := idleCost{n: b.idleClients, resident: -p.resident(), slab: -slabBytes()}
	all, err := at.gather(ctx, b.idleClients, deviceName, func(c *client, i int) error {
		return c.subscribe(1, deviceFilters(deviceName(i))...)
	})
	if err != nil {
		return cost, err
	}
	defer all.close()
	time.Sleep(b.calm)
	cost.resident += p.resident()
	cost.slab += slabBytes()
	cost.cpu = -p.cpu()
	time.Sleep(b.idleFor)
	cost.cpu += p.cpu()
	b.progress("%d idle connections: %s each", cost.n, cost.memory())
	if live == nil {
		return cost, nil
	}
	cost.live, err = live()
	return cost, err
}

func (b *bench) idleFigures(wire, aim string, ours idleCost, mosquitto *idleCost) []figure {
	memory := figure{
		name:  fmt.Sprintf("resident bytes of an idle %s connection, natural, of %s", wire, count(ours.n)),
		value: ours.memory(), aim: aim, beside: noMosquitto,
	}
	cpu := figure{name: "… processor time of all of them", value: percent(ours.cpu.Seconds(), b.idleFor.Seconds()) + " of a core", aim: "near zero"}
	if mosquitto != nil {
		memory.beside = "mosquitto " + mosquitto.memory()
		memory.ratio = times(float64(ours.resident), float64(mosquitto.resident))
		cpu.beside = "mosquitto " + percent(mosquitto.cpu.Seconds(), b.idleFor.Seconds())
	}
	live := figure{name: "… of them live: in use after collections that the profiler asks for", value: kilobytes(ours.live, ours.n)}
	return []figure{memory, live, {name: "… kernel slab of one end", value: kilobytes(ours.slab/2, ours.n)}, cpu}
}
