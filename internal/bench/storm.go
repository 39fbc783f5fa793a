package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// stormKind is one way in which devices come back.
type stormKind struct {
	name    string
	work    bool // each then subscribes, does a job and says goodbye
	crowded bool // a busy neighbour computes meanwhile
	aim     time.Duration
}

const (
	justBack = "connect and session"
	atWork   = "connect, session, subscribe, start-next, update, goodbye"
	crowded  = ", beside a busy neighbour"
)

// crowdThreads is how many threads a busy neighbour computes on for each processor. A server and its
// clients have up to two for each between them, so a scheduler that is fair to threads leaves two
// thirds of the machine to the neighbour.
const crowdThreads = 4

var stormKinds = []stormKind{
	{name: justBack, aim: 900 * time.Microsecond},
	{name: atWork, work: true, aim: 1200 * time.Microsecond},
	{name: justBack + crowded, crowded: true, aim: 900 * time.Microsecond},
	{name: atWork + crowded, work: true, crowded: true, aim: 1200 * time.Microsecond},
}

// storms kills a server to which many devices are connected, starts it again, and measures how the
// devices, which all come back at once, are served.
func (b *bench) storms(ctx context.Context, f *fleet) ([]figure, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the devices of a storm that never begins
	s, err := b.serve(ctx, f.folder)
	if err != nil {
		return nil, err
	}
	defer func() { s.stop() }()
	at := s.endpoint(f, true)
	var figures []figure
	for n, kind := range stormKinds {
		x := storm{kind: kind, job: fmt.Sprintf("storm-%d", n), at: at, up: make(chan struct{})}
		if err := x.breakOff(ctx, b, s, f); err != nil {
			return figures, err
		}
		x.prepare(ctx, b.returning)
		back, err := b.serve(ctx, f.folder, "--mqtts", at.addr)
		if err != nil {
			return figures, err
		}
		s = back
		more, err := x.measure(b, s)
		if err != nil {
			return figures, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// breakOff kills the server while all devices are connected, and have a job if they work.
func (x *storm) breakOff(ctx context.Context, b *bench, s *server, f *fleet) error {
	connected, err := b.settled(ctx, x.at)
	defer connected.close()
	if err == nil && x.kind.work {
		err = b.giveJob(ctx, s, len(f.certificates), x.job)
	}
	if err != nil {
		return err
	}
	time.Sleep(b.rest) // until the sessions are stored
	s.kill()
	return nil
}

// settled connects devices that keep their sessions, with subscriptions.
func (b *bench) settled(ctx context.Context, at endpoint) (crowd, error) {
	all := make(crowd, b.returning)
	err := inParallel(connecting, b.returning, func(_, i int) error {
		c, _, err := at.connect(ctx, i, deviceName(i), false)
		if err != nil {
			return err
		}
		all[i] = c
		return c.subscribe(1, deviceFilters(deviceName(i))...)
	})
	return all, err
}

// giveJob gives all n devices a job and waits until they have it.
func (b *bench) giveJob(ctx context.Context, s *server, n int, job string) error {
	api, err := s.callAPI(ctx, "iot")
	if err != nil {
		return err
	}
	defer api.close()
	if err := api.createJob(job); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, givingMax)
	defer cancel()
	return api.awaitQueued(ctx, job, n)
}

// storm is devices that come back at once. Each has made its ClientHello before the server is there:
// on a machine that serves its own clients, 10,000 hellos would otherwise be the first second.
type storm struct {
	kind    stormKind
	job     string // that they have, if they work
	at      endpoint
	up      chan struct{} // closed once the server listens again
	began   time.Time     // when that was
	devices []*returning
	ended   sync.WaitGroup

	came, served atomic.Int64
	failed, lost atomic.Int64
}

// returning is one device of a storm.
type returning struct {
	client *client
	came   int64         // its place among those whose ClientHello went out
	served int64         // its place among those that were served; 0 for one that never was
	took   time.Duration // from the start of the storm until it was served
	waited time.Duration // from its first ClientHello on
}

// prepare makes n devices that wait for the server.
func (x *storm) prepare(ctx context.Context, n int) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience+startTime)
	x.devices = make([]*returning, n)
	dialling := make(chan struct{}, connecting)
	var ready sync.WaitGroup
	ready.Add(n)
	for i := range n {
		d := &returning{}
		x.devices[i] = d
		x.ended.Go(func() { x.comeBack(ctx, d, i, dialling, sync.OnceFunc(ready.Done)) })
	}
	ready.Wait()
	go func() { x.ended.Wait(); cancel() }()
}

// comeBack makes a device try until it is served.
func (x *storm) comeBack(ctx context.Context, d *returning, i int, dialling chan struct{}, ready func()) {
	var hello time.Time
	prepared := &late{open: func() (net.Conn, error) {
		ready()
		select {
		case <-x.up:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		dialling <- struct{}{}
		defer func() { <-dialling }()
		conn, err := x.at.transport(ctx, i)
		hello, d.came = time.Now(), x.came.Add(1)
		return conn, err
	}}
	secure := tls.Client(prepared, x.at.devices.tlsConfig(i))
	err := secure.HandshakeContext(ctx)
	if err == nil {
		d.client = newClient(secure)
		err = x.visit(d, i)
	}
	for ; err != nil && ctx.Err() == nil; err = x.again(ctx, d, i) {
		x.failed.Add(1)
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
	}
	if err == nil {
		d.served, d.took, d.waited = x.served.Add(1), time.Since(x.began), time.Since(hello)
	}
}

// again is an attempt after one that failed.
func (x *storm) again(ctx context.Context, d *returning, i int) (err error) {
	if d.client, err = x.at.dial(ctx, i); err != nil {
		return err
	}
	return x.visit(d, i)
}

// visit is what a device does once it can talk to the server. It closes the connection of one that
// fails.
func (x *storm) visit(d *returning, i int) error {
	d.client.SetDeadline(time.Now().Add(patience))
	kept, err := d.client.greet(deviceName(i), false)
	if err == nil && x.kind.work {
		err = d.client.doJob(deviceName(i), x.job)
	}
	switch {
	case err != nil:
		d.client.Close()
	case !kept:
		x.lost.Add(1)
	}
	return err
}

// doJob subscribes, starts a job, reports it done and says goodbye.
func (c *client) doJob(thing, job string) error {
	if err := c.subscribe(1, deviceFilters(thing)...); err != nil {
		return err
	}
	if _, err := c.Write(requestPacket(thing, "start-next", "{}")); err != nil {
		return err
	}
	if err := c.hear(jobsTopic(thing, "start-next/accepted")); err != nil {
		return err
	}
	if _, err := c.Write(requestPacket(thing, job+"/update", `{"status":"SUCCEEDED"}`)); err != nil {
		return err
	}
	if err := c.hear(jobsTopic(thing, job+"/update/accepted")); err != nil {
		return err
	}
	return c.send(&packet.Disconnect{})
}

// measure lets the storm begin, and returns its figures once it is over.
func (x *storm) measure(b *bench, s *server) ([]figure, error) {
	var beside neighbour
	if x.kind.crowded {
		var err error
		if beside, err = startNeighbour(crowdThreads * runtime.NumCPU()); err != nil {
			return nil, err
		}
		defer beside.end()
	}
	beside.watch()
	clients := ownTime()
	x.began = time.Now()
	close(x.up)
	x.ended.Wait()
	cpu, clients, share := s.cpu(), ownTime()-clients, beside.share()
	for _, d := range x.devices {
		if d.client != nil {
			d.client.Close()
		}
	}
	var took, waited latencies
	var behind int64
	for _, d := range x.devices {
		if d.served > 0 {
			took, waited = append(took, d.took), append(waited, d.waited)
			behind = max(behind, d.served-d.came)
		}
	}
	n := len(x.devices)
	last := took.at(1)
	value := fmt.Sprintf("%s / %s / %s / %s", millis(took.at(0)), millis(took.at(0.1)), millis(took.at(0.5)), millis(last))
	b.progress("%s: %s; %d of %d served, %d attempts failed, %d without a session; a device %s, its client %s", x.kind.name, value,
		x.served.Load(), n, x.failed.Load(), x.lost.Load(), micros(cpu, n), micros(clients, n))
	figures := []figure{
		{
			name:   fmt.Sprintf("%s devices reconnecting at once after kill -9 (%s): first / a tenth / half / last served after", count(n), x.kind.name),
			value:  value,
			beside: fmt.Sprintf("%s served, %d attempts failed, %d sessions lost", count(x.served.Load()), x.failed.Load(), x.lost.Load()),
			ratio:  percent(took.at(0.5).Seconds(), last.Seconds()), aim: "none fails; half ÷ last ≤ 60 %",
		},
		{
			name: "… processor time of the server for each, its start included", value: micros(cpu, n),
			beside: "of the clients " + micros(clients, n), aim: "≤ " + micros(x.kind.aim, 1),
		},
		{
			name: "… the longest wait of a device, from its ClientHello", value: millis(waited.at(1)),
			beside: fmt.Sprintf("half waited ≤ %s; no device was overtaken by more than %s", millis(waited.at(0.5)), count(behind)),
		},
		{name: "… start until it listens, with their sessions", value: millis(s.opened)},
	}
	if x.kind.crowded {
		figures = append(figures, figure{name: "… the neighbour's share of the machine", value: percent(share, 1)})
	}
	return figures, nil
}

// late is a connection that is opened when the first byte is written to it, by which time a TLS
// client has made its ClientHello.
type late struct {
	net.Conn // nil before
	open     func() (net.Conn, error)
}

// Write implements net.Conn.
func (l *late) Write(p []byte) (n int, err error) {
	if l.Conn == nil {
		if l.Conn, err = l.open(); err != nil {
			return 0, err
		}
	}
	return l.Conn.Write(p)
}

// Close implements net.Conn.
func (l *late) Close() error {
	if l.Conn == nil {
		return nil
	}
	return l.Conn.Close()
}
