package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// shaking is how many handshakes are under way at once.
const shaking = 32

// connect measures how clients connect: one after the other, and all at once.
func (b *bench) connect(ctx context.Context) ([]figure, error) {
	f, s, err := b.serveFleet(ctx)
	if err != nil {
		return nil, err
	}
	shakes, err := b.handshakes(ctx, s.process, s.endpoint(f, true))
	s.stop()
	if err != nil {
		return nil, err
	}
	shake := figure{
		name: "mTLS handshake + CONNECT, ECDSA P-256, a server core", value: shakes.String(), aim: "≥ 1,000/s", beside: noMosquitto,
	}
	if m, err := b.startMosquitto(ctx, f); err != nil {
		return nil, err
	} else if m != nil {
		theirs, err := b.handshakes(ctx, m.process, m.secure)
		m.stop()
		if err != nil {
			return nil, err
		}
		shake.beside, shake.ratio = "mosquitto "+theirs.String(), times(shakes.perCore(), theirs.perCore())
	}
	back, err := b.storms(ctx, f)
	return append([]figure{shake}, back...), err
}

// shakes are n handshakes and what they cost the server.
type shakes struct {
	n   int
	cpu time.Duration
}

func (s shakes) perCore() float64 { return perSecond(s.n, s.cpu) }

func (s shakes) String() string {
	return fmt.Sprintf("%s/s (%s each)", count(s.perCore()), micros(s.cpu, s.n))
}

func (b *bench) handshakes(ctx context.Context, p *process, at endpoint) (shakes, error) {
	cpu, end := p.cpu(), time.Now().Add(b.shakeFor)
	var done atomic.Int64
	err := inParallel(shaking, shaking, func(worker, _ int) error {
		for n := worker; time.Now().Before(end); n += shaking {
			i := n % len(at.devices.certificates)
			c, _, err := at.connect(ctx, i, deviceName(i), true)
			if err != nil {
				return err
			}
			c.Close()
			done.Add(1)
		}
		return nil
	})
	result := shakes{int(done.Load()), p.cpu() - cpu}
	b.progress("handshakes: %s", result)
	return result, err
}
