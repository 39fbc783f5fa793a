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
		{"TCP", "≤ 2 KB", false},
		{"mTLS", "≤ 12 KB", true},
	} {
		beside, err := b.idleMosquitto(ctx, f, part.secure)
		if err != nil {
			return figures, err
		}
		s, err := b.serve(ctx, f.folder)
		if err != nil {
			return figures, err
		}
		cost, err := b.idleCost(ctx, s.process, s.endpoint(f, part.secure))
		s.stop()
		if err != nil {
			return figures, err
		}
		figures = append(figures, b.idleFigures(part.name, part.aim, cost, beside)...)
	}
	s, err := b.serveGateway(ctx, f.folder, "-goroutines")
	if err != nil {
		return figures, err
	}
	defer s.stop()
	cost, err := b.idleCost(ctx, s.process, s.endpoint(f, true))
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
	cost, err := b.idleCost(ctx, m.process, at)
	return &cost, err
}

// idleCost is what n idle connections cost their server.
type idleCost struct {
	n        int
	resident int           // bytes
	slab     int           // bytes of kernel memory of both ends
	cpu      time.Duration // in idleFor
}

func (c idleCost) memory() string { return kilobytes(c.resident, c.n) }

func (b *bench) idleCost(ctx context.Context, p *process, at endpoint) (idleCost, error) {
	time.Sleep(b.rest)
	cost := idleCost{n: b.idleClients, resident: -p.resident(), slab: -slabBytes()}
	all, err := at.gather(ctx, b.idleClients, deviceName, func(c *client, i int) error {
		return c.subscribe(1, deviceFilters(deviceName(i))...)
	})
	if err != nil {
		return cost, err
	}
	defer all.close()
	time.Sleep(b.rest)
	cost.resident += p.resident()
	cost.slab += slabBytes()
	cost.cpu = -p.cpu()
	time.Sleep(b.idleFor)
	cost.cpu += p.cpu()
	b.progress("%d idle connections: %s each", cost.n, cost.memory())
	return cost, nil
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
	return []figure{memory, {name: "… kernel slab of one end", value: kilobytes(ours.slab/2, ours.n)}, cpu}
}
