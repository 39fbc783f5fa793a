package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// shaking is how many handshakes are under way at once.
const shaking = 32

// connect measures how clients connect: one after the other, and all at once.
func (b *bench) connect(ctx context.Context) ([]figure, error) {
	f, err := b.fleet(ctx)
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, f.folder)
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
	back, err := b.comeBack(ctx, f)
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

// comeBack kills a server with many devices, starts it again, and measures how
// long it takes until all have their session back and an answer to a request.
func (b *bench) comeBack(ctx context.Context, f *fleet) ([]figure, error) {
	s, err := b.serve(ctx, f.folder)
	if err != nil {
		return nil, err
	}
	defer func() { s.stop() }()
	at := s.endpoint(f, true)
	all := make(crowd, b.returning)
	defer func() { all.close() }()
	err = inParallel(connecting, b.returning, func(_, i int) error {
		c, _, err := at.connect(ctx, i, deviceName(i), false)
		if err != nil {
			return err
		}
		all[i] = c
		return c.subscribe(1, deviceFilters(deviceName(i))...)
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r := returns{at: at, up: make(chan struct{}), each: make(latencies, b.returning)}
	var running sync.WaitGroup
	for i := range all {
		running.Go(func() { r.device(ctx, &all[i], i) })
	}
	time.Sleep(b.rest) // until the sessions are stored and all devices wait
	s.kill()
	if s, err = b.serve(ctx, f.folder, "--mqtts", at.addr); err != nil {
		cancel()
		running.Wait()
		return nil, err
	}
	r.began = time.Now()
	close(r.up)
	running.Wait()
	cpu := s.cpu()
	b.progress("%d of %d devices back, %d attempts failed, %d without a session", r.served.Load(), b.returning, r.failed.Load(), r.lost.Load())
	return []figure{
		{
			name:   fmt.Sprintf("%s devices reconnecting at once after kill -9: time until all are served", count(b.returning)),
			value:  millis(r.each.at(1)) + fmt.Sprintf(", %s served", count(r.served.Load())),
			beside: fmt.Sprintf("%d attempts failed, %d sessions lost", r.failed.Load(), r.lost.Load()), aim: "nothing dropped",
		},
		{name: "… half of them are served after", value: millis(r.each.at(0.5)), beside: "server's processor time " + micros(cpu, b.returning) + " each"},
		{name: "… start until it listens, with their sessions", value: millis(s.opened)},
	}, nil
}

// returns is devices on their way back.
type returns struct {
	at    endpoint
	up    chan struct{} // closed once the server listens again
	began time.Time     // when that was
	each  latencies

	served, failed, lost atomic.Int64
}

// device waits until its connection ends, then reconnects until it is served.
func (r *returns) device(ctx context.Context, c **client, i int) {
	for {
		if _, err := (*c).next(); err != nil {
			break
		}
	}
	(*c).Close()
	select {
	case <-r.up:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		if err := r.attempt(ctx, c, i); err == nil {
			r.each[i] = time.Since(r.began)
			r.served.Add(1)
			return
		}
		r.failed.Add(1)
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
	}
}

func (r *returns) attempt(ctx context.Context, c **client, i int) error {
	back, kept, err := r.at.connect(ctx, i, deviceName(i), false)
	if err != nil {
		return err
	}
	if !kept {
		r.lost.Add(1)
	}
	*c = back
	back.SetDeadline(time.Now().Add(patience))
	return back.request(requestPacket(deviceName(i), "get", "{}"))
}
